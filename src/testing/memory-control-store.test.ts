import { systemClock } from "../adapters/host/index.ts";
import { controlStoreContract } from "./control-store-contract.ts";
import { MemoryControlPlace } from "./memory-control-store.ts";

controlStoreContract(
  "memory",
  async () => {
    const place = new MemoryControlPlace(systemClock);
    return { open: async () => place.open() };
  },
  {
    oneProcess: "memory is of one process",
    noSql: "it reads no SQL; the simulations hand it an operator's columns",
    alwaysThere: "the simulations take it away by a flag",
    trusting: "only an operator's columns are checked",
  },
);

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
    oneProcess: "memory belongs to one process",
    noSql: "the store reads no SQL; simulations pass an operator's columns to it",
    alwaysThere: "simulations make it unreachable by a flag",
    trusting: "the store checks only an operator's columns",
  },
);

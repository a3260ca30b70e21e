import { systemClock } from "../adapters/host/index.ts";
import { controlStoreContract } from "./control-store-contract.ts";
import { MemoryControlPlace } from "./memory-control-store.ts";

controlStoreContract(
  "memory",
  async () => {
    const place = new MemoryControlPlace(systemClock);
    return {
      open: async () => place.open(),
      takeAway: async () => {
        place.away = true;
        return async () => {
          place.away = false;
        };
      },
    };
  },
  {
    oneProcess: "memory is one process's own",
    noSql: "memory has no SQL",
    trusting: "the compiler has checked what a simulation changes",
  },
);

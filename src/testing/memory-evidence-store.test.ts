import { evidenceStoreContract } from "./evidence-store-contract.ts";
import { MemoryEvidence } from "./memory-evidence-store.ts";

evidenceStoreContract(
  "memory",
  async () => {
    const evidence = new MemoryEvidence();
    return { open: async (options) => evidence.open(options) };
  },
  { oneProcess: "memory belongs to one process" },
);

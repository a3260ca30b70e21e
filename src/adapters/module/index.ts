export type { ForeignError } from "./foreign-error.ts";
export { moduleAddress } from "./loading.ts";
export { ModuleSystem, type ModuleSystemOptions, moduleDefaults } from "./module-system.ts";
export { ModuleThread, type ThreadOptions, threadDefaults } from "./module-thread.ts";

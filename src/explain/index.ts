export { type AcceptedTerms, acceptedUnder, type Scope, scopeKeys } from "./accepted.ts";
export { explainedCauses } from "./catalogue.ts";
export { type ExplainOptions, explain, explainDefaults } from "./explain.ts";
export type { History, RefusedRow } from "./history.ts";

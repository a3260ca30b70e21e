export { diffWorkbooks } from "./diff.ts";

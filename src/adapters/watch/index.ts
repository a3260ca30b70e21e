export { openFileFinder } from "./file-finder.ts";

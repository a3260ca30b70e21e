/** The exports of the package, bundled for the programs that the tests of documents start. */
export * from "../../src/app/index.ts";

import { readFileSync } from "node:fs";

interface Package {
  readonly version: string;
}

const { version }: Package = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8"));

/** The version of this product, from package.json. */
export const productVersion: string = version;

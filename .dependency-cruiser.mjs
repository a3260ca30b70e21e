import { layers, pure } from "./architecture.mjs";

const names = Object.keys(layers);
const any = (folders) => `^src/(${folders.join("|")})/`;

const layerRules = names.map((folder) => {
  const forbidden = names.filter((other) => other !== folder && !layers[folder].imports.includes(other));
  return {
    name: `layer-${folder}`,
    comment: `src/${folder} may import only ${layers[folder].imports.map((f) => `src/${f}`).join(", ") || "itself"}: move the code, or pass the value through a port`,
    severity: "error",
    from: { path: `^src/${folder}/`, pathNot: "\\.test\\.ts$" },
    to: { path: any(forbidden) },
  };
});

const strangerRules = names
  .filter((folder) => layers[folder].strangers)
  .map((folder) => ({
    name: `strangers-${folder}`,
    comment: `sub-folders of src/${folder} do not import each other: move shared code to ${layers[folder].common ?? "domain or ports"}, or combine them in app`,
    severity: "error",
    from: { path: `^src/${folder}/([^/]+)/`, pathNot: "\\.test\\.ts$" },
    to: {
      path: `^src/${folder}/`,
      pathNot: `^src/${folder}/($1${layers[folder].common ? `|${layers[folder].common}` : ""})/`,
    },
  }));

const typesOnlyRules = names
  .filter((folder) => layers[folder].typesOnly)
  .map((folder) => ({
    name: `types-only-${folder}`,
    comment: `src/${folder} may import types from other folders, never code: shared code could hide a mistake`,
    severity: "error",
    from: { path: `^src/${folder}/`, pathNot: "\\.test\\.ts$" },
    to: { path: any(layers[folder].imports), dependencyTypesNot: ["type-only"] },
  }));

export default {
  forbidden: [
    ...layerRules,
    ...strangerRules,
    ...typesOnlyRules,
    {
      name: "pure",
      comment: `${pure.join(", ")} import no Node module and no package: pass the value as a parameter`,
      severity: "error",
      from: { path: any(pure), pathNot: "\\.test\\.ts$" },
      to: { dependencyTypes: ["core", "npm", "npm-dev", "npm-optional"] },
    },
    {
      name: "page",
      comment:
        "web/ may import only src/base and types of src/surfaces/gateway/wire: put the shape of an answer there",
      severity: "error",
      from: { path: "^web/" },
      to: { path: "^(src|test|scripts|bench)/", pathNot: "^src/(base|surfaces/gateway/wire)/" },
    },
    {
      name: "page-without-schemas",
      comment:
        "web/ imports only types of the wire schemas: otherwise the page would contain the library that checks them",
      severity: "error",
      from: { path: "^web/" },
      to: { path: "^src/surfaces/", dependencyTypesNot: ["type-only"] },
    },
    {
      name: "no-circular",
      comment:
        "files import each other in a circle: merge two of them, or move the shared part into another file",
      severity: "error",
      from: {},
      to: { circular: true },
    },
    {
      name: "no-test-in-product",
      comment: "product code never imports tests or their helpers",
      severity: "error",
      from: { path: "^src/", pathNot: "(\\.test\\.ts$|^src/testing/)" },
      to: { path: "(\\.test\\.ts$|^src/testing/)" },
    },
    {
      name: "resolvable",
      comment: "the imported file does not exist",
      severity: "error",
      from: {},
      to: { couldNotResolve: true },
    },
    {
      name: "known-folder",
      comment: "every file of src/ is in a folder of the layer table (architecture.mjs)",
      severity: "error",
      from: { path: "^src/", pathNot: any(names) },
      to: {},
    },
  ],
  options: {
    tsPreCompilationDeps: true,
    doNotFollow: { path: "node_modules" },
    tsConfig: { fileName: "tsconfig.json" },
    enhancedResolveOptions: {
      extensions: [".ts", ".js", ".mjs", ".json"],
      exportsFields: ["exports"],
      conditionNames: ["import", "node", "default", "types"],
    },
  },
};

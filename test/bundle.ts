/**
 * Bundles the program before the tests start it hundreds of times. Node spends two thirds of a start on
 * finding, reading and linking some five hundred modules; a bundle holds the same code in a few files.
 */
import { chmodSync, globSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { rolldown } from "rolldown";

const root = fileURLToPath(new URL("..", import.meta.url));
const started = [
  "src/surfaces/cli/main.ts",
  "src/surfaces/cli/commands/*.ts",
  "src/app/bridge/pnl-bridge.ts",
  "src/app/demo-desk/demo-legacy.ts",
  "src/{adapters,app,surfaces}/**/*{-thread,-process,thread-main}.ts",
  "test/simulation/desk/desk-process.ts",
  "test/simulation/database/pair-process.ts",
  "test/tidy/package-index.ts",
];

/**
 * Bundles into a new folder, and names it in the environment of all tests. Returns a function that removes
 * the folder.
 */
export default async function bundle(): Promise<() => void> {
  mkdirSync(join(root, ".node"), { recursive: true });
  const folder = mkdtempSync(join(root, ".node/program-"));
  // Some tests start the program as a user who owns none of these files.
  chmodSync(folder, 0o755);
  const entries = globSync(started, { cwd: root });
  const folders = new Set(entries.map((name) => join(root, dirname(name))));
  const built = await rolldown({
    input: Object.fromEntries(entries.map((name) => [name.slice(0, -".ts".length), join(root, name)])),
    platform: "node",
    external: ["better-sqlite3", "pg-native", "cloudflare:sockets"],
    plugins: [
      {
        name: "own place",
        // In a folder with entries, a module's URL is its place in the bundle, where the threads and commands
        // that it starts are beside it. All other modules keep the URL of their source, to find other files.
        transform(code, file) {
          if (file.includes("node_modules") || !code.includes("import.meta.url")) return null;
          const bundledPlace = join(folder, relative(root, file)).replace(/\.ts$/, ".js");
          const place = folders.has(dirname(file)) ? bundledPlace : file;
          return code.replaceAll("import.meta.url", JSON.stringify(pathToFileURL(place).href));
        },
      },
    ],
  });
  await built.write({ dir: folder, format: "esm", chunkFileNames: "chunks/[name]-[hash].js" });
  writeFileSync(join(folder, "package.json"), JSON.stringify({ type: "module" }));
  process.env.PNL_BRIDGE_BUNDLE = folder;
  return () => rmSync(folder, { recursive: true });
}

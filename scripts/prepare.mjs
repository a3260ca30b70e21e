/**
 * Builds `dist/` for npm: before `npm pack`, in the clone of a git dependency, and after `npm install` in a
 * checkout. `npm install FOLDER` may run it in a folder without packages, so it first installs the packages
 * that the build needs.
 */
import { execSync } from "node:child_process";
import { existsSync, rmSync } from "node:fs";

const run = (command) => execSync(command, { stdio: ["ignore", 2, 2] });

if (!existsSync("node_modules/typescript-7") || !existsSync("node_modules/vite"))
  run("npm ci --ignore-scripts --no-audit --no-fund");
rmSync("dist", { recursive: true, force: true });
run(`"${process.execPath}" node_modules/typescript-7/bin/tsc -p tsconfig.build.json`);
run(
  `"${process.execPath}" node_modules/vite/bin/vite.js build --config web/vite.config.ts --configLoader native`,
);

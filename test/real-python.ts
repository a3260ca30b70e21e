/**
 * Puts the folder of the real `python3` first on PATH. Version managers put a shell script in its place that
 * starts a dozen processes each time, and the tests start Python a hundred times.
 */
import { spawnSync } from "node:child_process";
import { delimiter, dirname } from "node:path";

export default function realPython(): void {
  const { stdout } = spawnSync("python3", ["-c", "import sys; print(sys.executable)"], { encoding: "utf8" });
  const path = stdout?.trim();
  if (path) process.env.PATH = `${dirname(path)}${delimiter}${process.env.PATH}`;
}

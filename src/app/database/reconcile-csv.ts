/** Writes every compared figure as CSV in the desk's own form. */
import { closeSync, fsyncSync, openSync, renameSync, rmSync, writeSync } from "node:fs";
import { dirname, join } from "node:path";
import { BridgeError, messageOf } from "../../base/errors.ts";
import { agrees } from "../../domain/migration/verdict.ts";
import { holdTemporary, temporaryName } from "../../platform/temporaries.ts";
import type { ReconcileFigure } from "../../ports/reconcile.ts";

const head = "date,symbol,metric,system1_value,system2_value,difference,status";
const pieceChars = 1 << 16;

/**
 * Writes the figures into a file beside the target. `commit` renames that file to the target; without a
 * `commit`, `close` removes it. Holds one piece in memory. Throws UNWRITABLE.
 */
export class FigureCsv {
  readonly #path: string;
  readonly #temporary: string;
  readonly #held: Disposable;
  readonly #file: number;
  #piece = `${head}\n`;

  constructor(path: string) {
    this.#path = path;
    this.#temporary = join(dirname(path), temporaryName());
    this.#held = holdTemporary(this.#temporary);
    this.#file = this.#orUnwritable(() => openSync(this.#temporary, "wx"));
  }

  add(figure: ReconcileFigure): void {
    this.#piece += lineOf(figure);
    if (this.#piece.length > pieceChars) this.#write();
  }

  commit(): void {
    this.#write();
    this.#orUnwritable(() => {
      fsyncSync(this.#file);
      renameSync(this.#temporary, this.#path);
    });
  }

  close(): void {
    closeSync(this.#file);
    rmSync(this.#temporary, { force: true });
    this.#held[Symbol.dispose]();
  }

  #write(): void {
    const bytes = Buffer.from(this.#piece);
    this.#piece = "";
    this.#orUnwritable(() => {
      for (let at = 0; at < bytes.length; ) at += writeSync(this.#file, bytes, at);
    });
  }

  #orUnwritable<T>(work: () => T): T {
    try {
      return work();
    } catch (cause) {
      throw new BridgeError("UNWRITABLE", {
        what: `the CSV file cannot be written: ${messageOf(cause)}`,
        where: this.#path,
        fix: "name a place that can be written and has room",
        cause,
      });
    }
  }
}

function lineOf({ date, row }: ReconcileFigure): string {
  const { kind, key, field, legacy, modern, difference, verdict } = row;
  const metric = kind === "trade" ? `trade:${key.id}.${field}` : `${kind}.${field}`;
  const status =
    verdict === "equal" ? "MATCHED" : agrees(verdict) ? "WITHIN_TOLERANCE" : "INVESTIGATION_REQUIRED";
  const values = [date, key.symbol ?? "", metric, legacy ?? "", modern ?? "", difference ?? "", status];
  return `${values.map(quoted).join(",")}\n`;
}

const quoted = (text: string): string => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);

import type { NoteCode } from "../../domain/market/finding-codes.ts";
import type { Note, Quarantined } from "../../ports/ledger.ts";

/**
 * Limits of the lists. Further rows are counted instead of listed, so that a hostile file cannot fill the
 * memory.
 */
export const notesMaxPerCode = 1_000;
export const quarantineMax = 100_000;

/**
 * Collects notes and quarantined rows in order. Rows beyond the limits are counted, never dropped silently.
 */
export class NoteLog {
  readonly #notes: Note[] = [];
  readonly #counts = new Map<NoteCode, number>();
  readonly #quarantine: Quarantined[] = [];
  quarantined = 0;

  note(file: string, line: number, code: NoteCode, why: string): void {
    const count = (this.#counts.get(code) ?? 0) + 1;
    this.#counts.set(code, count);
    if (count <= notesMaxPerCode) this.#notes.push({ file, line, code, why });
  }

  refuse(row: Quarantined): void {
    this.quarantined += 1;
    if (this.quarantined <= quarantineMax) this.#quarantine.push(row);
  }

  get notes(): readonly Note[] {
    const more = [...this.#counts].filter(([, count]) => count > notesMaxPerCode);
    return [
      ...this.#notes,
      ...more.map(([code, count]) => ({
        file: "",
        line: 0,
        code,
        why: `and ${count - notesMaxPerCode} more rows like the ${notesMaxPerCode} listed`,
        more: count - notesMaxPerCode,
      })),
    ];
  }

  get quarantine(): readonly Quarantined[] {
    if (this.quarantined <= quarantineMax) return this.#quarantine;
    const more = this.quarantined - quarantineMax;
    return [
      ...this.#quarantine,
      { file: "", line: 0, code: "MORE", text: "", why: `and ${more} more refused rows`, more },
    ];
  }
}

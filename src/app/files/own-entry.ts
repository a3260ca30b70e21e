import { join, resolve } from "node:path";
import { findLedgers } from "../../adapters/csv/ledger-reader.ts";
import { BridgeError, lineOf } from "../../base/errors.ts";
import { sqliteFile } from "../../base/store-address.ts";
import { ClaimSink, type ClaimSinkOptions } from "../../bridges/files/index.ts";
import type { Claim, ReviewRow } from "../../ports/file-journal.ts";
import { foreignSystem } from "../bridge/pnl-bridge.ts";
import { builtinDesk } from "../builtin-systems.ts";
import type { ControlSettings } from "../stores.ts";

/** Legacy's own method that stores a ledger. */
interface OwnEntry {
  enter(path: string): Promise<void>;
  close(): Promise<void>;
}

const enterMsMax = 60_000;

/**
 * Makes legacy store each ledger with new rows by its own method for files. Nothing else is sent to legacy:
 * trades that no longer count, or have another fee, become a review for a person, who changes them there.
 */
export class OwnEntrySink extends ClaimSink {
  readonly #entry: OwnEntry;

  constructor(entry: OwnEntry, options: ClaimSinkOptions) {
    super(options);
    this.#entry = entry;
  }

  /**
   * Legacy's method for files: `processTradeFile(path)` of a module or a service over HTTP,
   * `process_trade_file(path)` of a command. The built-in desk stores the whole history again.
   */
  static async entryOf(
    { config, folder }: ControlSettings,
    log: ((line: string) => void) | undefined,
  ): Promise<OwnEntry> {
    const { legacy } = config.systems;
    const { tradeLedger } = config.watch;
    if (legacy.kind === "builtin") {
      const file = sqliteFile(config.stores.legacy ?? "");
      const desk = file === undefined ? undefined : builtinDesk(legacy, resolve(folder, file));
      if (desk === undefined || tradeLedger === null)
        throw new BridgeError("BAD_CONFIG", {
          what: `watch.legacy_sink is own_entry, and ${legacy.name} stores no ledgers by itself`,
          fix: "set watch.legacy_sink to records or none",
        });
      const ledgers = resolve(folder, tradeLedger);
      return {
        enter: async () => void (await desk.history({ ledgers: await findLedgers([ledgers]) })),
        close: async () => {},
      };
    }
    const method = legacy.kind === "command" ? "process_trade_file" : "processTradeFile";
    const system = await foreignSystem(legacy, { folder, log, methods: [method], readOnly: false });
    const deadlineMs = legacy.timeoutMs ?? enterMsMax;
    return {
      enter: async (path) => void (await system.invoke(method, path, { deadlineMs })),
      close: () => system.close(),
    };
  }

  protected async carry(
    { root, path, added }: Claim,
    _epoch: number,
    later: readonly Claim[],
  ): Promise<string | undefined> {
    const isSame = (other: Claim): boolean =>
      other.root === root && other.path === path && other.added.length > 0;
    // One call is enough for all pieces of a file.
    if (added.length === 0 || later.some(isSame)) return undefined;
    try {
      await this.#entry.enter(join(root, path));
      return undefined;
    } catch (failure) {
      return lineOf(failure);
    }
  }

  protected override legacyRows({ added, removed, corrected }: Claim): readonly ReviewRow[] {
    const byId = new Map(added.map(({ trade }) => [trade.id, trade]));
    return [
      ...removed.map(({ trade: was }): ReviewRow => {
        const is = byId.get(was.id);
        return is === undefined
          ? { what: "removed", line: was.line, was }
          : { what: "changed", line: is.line, was, is };
      }),
      ...corrected.map(({ trade: is }): ReviewRow => ({ what: "changed", line: is.line, is })),
    ];
  }
}

/**
 * The register of accepted causes. Its entries are rows of the audit, so that the control store keeps them
 * and the chain of hashes protects them: one row accepts a cause, and another one revokes it.
 */
import { existsSync } from "node:fs";
import { systemClock } from "../../adapters/host/index.ts";
import { BridgeError } from "../../base/errors.ts";
import { parseFigure } from "../../base/fraction.ts";
import { nearest } from "../../base/nearest.ts";
import { personName } from "../../base/person-name.ts";
import { usualFile } from "../../config/usual-file.ts";
import { formatDay, parseDay } from "../../domain/market/trading-day.ts";
import {
  type AcceptedTerms,
  acceptedUnder,
  explainedCauses,
  type Scope,
  scopeKeys,
} from "../../explain/index.ts";
import type { ControlStore } from "../../ports/control-store.ts";
import type { Explanation } from "../../ports/explanation.ts";
import type { ParityReport } from "../../ports/parity-report.ts";
import { productOfInstrument } from "../../symbols/index.ts";
import { controlFile } from "../stores.ts";
import { symbolBridge } from "../symbols/symbols.ts";
import { applyCause, auditActions, auditRows } from "./audit-rows.ts";
import { type ByOptions, byOf, type StoreOptions, settingsOf, withOperator } from "./session.ts";

export interface AcceptOptions extends StoreOptions, ByOptions {
  /** `all`, or pairs such as `product=ZN,field=realized`. */
  readonly scope: string;
  /** An amount, or `any`. */
  readonly limit: string;
  readonly owner: string;
  /** ISO day. */
  readonly until: string;
}

/** Accepts a cause and returns its entry. Throws BAD_USAGE for terms that cannot be read. */
export async function acceptCause(code: string, options: AcceptOptions): Promise<AcceptedTerms> {
  const terms = {
    code: checkedCode(code),
    scope: scopeOf(options.scope),
    limit: limitOf(options.limit),
    owner: checkedOwner(options.owner),
    until: checkedDay(options.until),
  };
  await withOperator(options, "changes", ({ store }) =>
    store.note({ ...byOf(options), action: auditActions.acceptCause, evidence: terms }),
  );
  const added = (await acceptedCauses(options)).findLast((one) => one.code === terms.code);
  if (added === undefined) throw new Error("broken invariant: the audit has the row that was added");
  return added;
}

/** Ends an entry. Throws BAD_USAGE if the register has no such entry. */
export async function revokeCause(id: string, options: StoreOptions & ByOptions): Promise<AcceptedTerms> {
  const register = await acceptedCauses(options);
  const terms = register.find((one) => one.id === id);
  if (terms === undefined)
    throw new BridgeError("BAD_USAGE", {
      what: `no accepted cause has the id ${id}`,
      fix:
        register.length === 0
          ? "no cause is accepted"
          : `name an id that \`pnl-bridge causes list\` shows: ${register.map((one) => one.id).join(", ")}`,
    });
  await withOperator(options, "changes", ({ store }) =>
    store.note({ ...byOf(options), action: auditActions.revokeCause, evidence: { id } }),
  );
  return terms;
}

/** The entries that are not revoked, oldest first; also those whose day is over. */
export const acceptedCauses = (options: StoreOptions): Promise<readonly AcceptedTerms[]> =>
  withOperator(options, "reads", ({ store }) => registerIn(store));

/** Like `acceptedCauses`, from an open control store. */
export async function registerIn(store: Pick<ControlStore, "audit">): Promise<readonly AcceptedTerms[]> {
  const register = new Map<string, AcceptedTerms>();
  for await (const row of auditRows(store)) applyCause(register, row);
  return [...register.values()];
}

/**
 * Marks the explanations of a report that count as accepted today. The register is that of the configuration,
 * or of the store that is named; without one, nothing is accepted.
 */
export async function withAccepted<Report extends Pick<ParityReport, "explanations">>(
  report: Report,
  options: StoreOptions & { readonly onNote: (note: string) => void },
): Promise<Report> {
  if (report.explanations === undefined || report.explanations.length === 0) return report;
  const marked = markingAccepted(await registerOf(options));
  return { ...report, explanations: report.explanations.map(marked) };
}

/** Returns a function that marks an explanation which counts as accepted today. */
export function markingAccepted(
  register: readonly AcceptedTerms[],
): (explanation: Explanation) => Explanation {
  if (register.length === 0) return (explanation) => explanation;
  const symbols = symbolBridge(undefined);
  const today = systemClock.today();
  const productOf = (symbol: string): string | undefined => {
    const reading = symbols.canonical(symbol, "auto");
    return reading.ok ? productOfInstrument(reading.instrument).code : undefined;
  };
  return (explanation) => {
    const accepted = acceptedUnder(explanation, register, { today, productOf });
    return accepted === undefined ? explanation : { ...explanation, accepted };
  };
}

/** A report does not fail because the register cannot be read: then nothing counts as accepted. */
async function registerOf({
  onNote,
  ...options
}: Parameters<typeof withAccepted>[1]): Promise<readonly AcceptedTerms[]> {
  try {
    if (options.store === undefined) {
      if (options.config === undefined && !existsSync(usualFile)) return [];
      const settings = await settingsOf(options);
      const file = controlFile(settings);
      if (settings.config.stores.control === null || (file !== undefined && !existsSync(file))) return [];
    }
    return await acceptedCauses(options);
  } catch (failure) {
    if (!(failure instanceof BridgeError)) throw failure;
    onNote(`No difference counts as accepted, because the register cannot be read: ${failure.message}`);
    return [];
  }
}

function checkedCode(code: string): string {
  if (Object.hasOwn(explainedCauses, code)) return code;
  const meant = nearest(code, Object.keys(explainedCauses));
  throw new BridgeError("BAD_USAGE", {
    what: `${JSON.stringify(code)} is no cause that an explanation can prove`,
    fix: meant === undefined ? "docs/explain.md lists the causes" : `did you mean ${meant}?`,
  });
}

function scopeOf(text: string): Scope {
  const scope: Record<string, string> = {};
  for (const part of text === "all" ? [] : text.split(",")) {
    const [key = "", value = "", ...more] = part.split("=");
    if (!scopeKeys.some((known) => known === key) || value === "" || more.length > 0)
      throw new BridgeError("BAD_USAGE", {
        what: `the scope ${JSON.stringify(text)} cannot be read`,
        fix: `write all, or pairs of ${scopeKeys.join(", ")}, such as product=ZN,field=realized`,
      });
    scope[key] = value;
  }
  return scope;
}

function limitOf(text: string): string | null {
  const limit = parseFigure(text);
  if (text === "any") return null;
  if (limit !== undefined && limit.numerator >= 0n) return text;
  throw new BridgeError("BAD_USAGE", {
    what: `the limit ${JSON.stringify(text)} is no amount`,
    fix: "write an amount of money of 0 or more, such as 250.50, or any",
  });
}

function checkedOwner(text: string): string {
  const owner = personName(text);
  if (owner !== "") return owner;
  throw new BridgeError("BAD_USAGE", { what: "the owner is empty", fix: "write the name of a person" });
}

function checkedDay(text: string): string {
  const day = parseDay(text);
  if (day !== undefined && formatDay(day) === text) return text;
  throw new BridgeError("BAD_USAGE", {
    what: `${JSON.stringify(text)} is no day`,
    fix: "write the last day on which the cause is accepted, such as 2026-12-31",
  });
}

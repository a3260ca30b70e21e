import { type ChildProcessWithoutNullStreams, execFile, spawn } from "node:child_process";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { SymbolTranslationBridge } from "../../src/bridges/symbols/index.ts";
import { type DialectName, dialectAliases, dialectNames, dialects } from "../../src/symbols/index.ts";
import { hasSharedData, sharedData } from "../shared-data.ts";
import { main, pnlBridge, pnlBridgeAlone, type Ran, root, withFiles } from "./run-cli.ts";

const july = ["--as-of", "2025-07-24"];
const VY3 = "XCMEOPADPS20250721N0VY3/110.25";
const VY3Name = "ZN-2025-07-VY3-P110.250";

/** Expects an empty stdout, exit code 2, and one line with code, what, where and how to fix it. */
function expectOneLine({ code, out, err }: Ran, pattern: RegExp): void {
  expect(err).toMatch(pattern);
  expect(err.trimEnd().split("\n")).toHaveLength(1);
  expect([code, out]).toEqual([2, ""]);
}

/**
 * Runs the program for a person, without a terminal. No variable forbids colours, and still none are printed.
 */
async function shown(args: readonly string[]): Promise<Ran> {
  const ran = await pnlBridge(["symbols", ...args], { env: { NO_COLOR: "", FORCE_COLOR: "" } });
  expect(ran.out).not.toMatch(/[^\P{Cc}\n]/u);
  return ran;
}

/** A run of the program with a stdin to write to; `out` and `err` hold what it has printed so far. */
class PipedRun {
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #closed: Promise<number | null>;
  out = "";
  err = "";

  constructor(args: readonly string[]) {
    this.#child = spawn(process.execPath, [main, ...args], { env: { ...process.env, NO_COLOR: "1" } });
    this.#child.stdout.on("data", (chunk) => {
      this.out += chunk;
    });
    this.#child.stderr.on("data", (chunk) => {
      this.err += chunk;
    });
    this.#closed = new Promise((resolve) => this.#child.on("close", resolve));
  }

  write(text: string): void {
    this.#child.stdin.write(text);
  }

  /** Waits for a text on stdout; throws if the program ends without it. */
  async says(text: string): Promise<void> {
    while (!this.out.includes(text)) {
      const more = new Promise<"more">((resolve) => this.#child.stdout.once("data", () => resolve("more")));
      if ((await Promise.race([more, this.#closed])) !== "more" && !this.out.includes(text))
        throw new Error(`ended without ${text}: ${this.out}${this.err}`);
    }
  }

  async end(): Promise<Ran> {
    this.#child.stdin.end();
    return { code: await this.#closed, out: this.out, err: this.err };
  }
}

describe("symbols translate", () => {
  it("prints the documented JSON document", async () => {
    const { code, out, err } = await pnlBridge([
      ..."symbols translate --from auto --to bloomberg --json".split(" "),
      ...july,
      VY3,
      "XCME.RX.H5",
    ]);
    expect(err).toBe("");
    expect(JSON.parse(out)).toEqual([
      {
        input: VY3,
        detected: "actant-trades",
        canonical: VY3Name,
        output: "VBYN25P3 110.250 Comdty",
        ok: true,
        notes: [],
      },
      {
        input: "XCME.RX.H5",
        ok: false,
        error: {
          code: "UNKNOWN_PRODUCT",
          why: expect.stringContaining("RX"),
          nearest: expect.arrayContaining(["XCME.ZN.MAR25"]),
        },
      },
    ]);
    expect(Object.keys(JSON.parse(out)[0])).toEqual([
      "input",
      "detected",
      "canonical",
      "output",
      "ok",
      "notes",
    ]);
    expect(code).toBe(1);
  });

  it("prints a line for each symbol, its notes below it, and suggestions for a refused one", async () => {
    const args = ["translate", "--to", "bloomberg", ...july];
    const { code, out, err } = await shown([
      ...args,
      VY3,
      "tyu5",
      "TYU55 Comdty",
      "CALL AUG 25 CBT 10YR TNOTE 112.50",
    ]);
    expect(out.split("\n")).toEqual([
      `${VY3}  →  VBYN25P3 110.250 Comdty`,
      "tyu5  →  TYU5 Comdty",
      "     CASE upper and lower case differ from TYU5",
      expect.stringMatching(/^ {5}MISSING_COMDTY /),
      expect.stringMatching(/^TYU55 Comdty {2}✗ {2}UNKNOWN_FORM: .*; did you mean TYU5 Comdty\?$/),
      expect.stringMatching(
        /^CALL AUG 25 CBT 10YR TNOTE 112\.50 {2}✗ {2}AMBIGUOUS: .* it may be ZN-2025-08-VY1-C112\.500 or /,
      ),
      "",
    ]);
    expect([code, err]).toEqual([1, ""]);
  });

  it("exits 0 if every symbol was translated, also with notes", async () => {
    const { code, out } = await pnlBridge(["symbols", "translate", ...july, "tyu5", "TYU5 Comdty", "--json"]);
    expect(code).toBe(0);
    expect(
      JSON.parse(out).map(({ output, notes }: { output: string; notes: unknown[] }) => [
        output,
        notes.length,
      ]),
    ).toEqual([
      ["ZNU2025", 2],
      ["ZNU2025", 0],
    ]);
  });

  it("accepts the desk's name of a dialect for --from and --to", async () => {
    const args = [
      "symbols",
      "translate",
      "--from",
      "cto",
      "--to",
      "cto",
      ...july,
      "--json",
      "VBYN25P3 110.25 Comdty",
      VY3,
    ];
    const { out } = await pnlBridge(args);
    expect(JSON.parse(out)).toMatchObject([
      { detected: "bloomberg", output: "VBYN25P3 110.250 Comdty" },
      { ok: false, error: { code: "UNKNOWN_FORM" } },
    ]);
  });

  it("reads one-digit years by the as-of day, which is today in Chicago by default", async () => {
    const symbols = Array.from({ length: 10 }, (_, digit) => `ZNU${digit}`);
    const today = () => new Intl.DateTimeFormat("en-CA", { timeZone: "America/Chicago" }).format();
    const namesOf = (out: string) => JSON.parse(out).map(({ canonical }: { canonical: string }) => canonical);
    const expected = (asOf: string) => {
      const bridge = new SymbolTranslationBridge({ asOf });
      return symbols.map(
        (symbol) => (bridge.translate(symbol, "cme", "canonical") as { canonical: string }).canonical,
      );
    };
    const before = expected(today());
    const { out } = await pnlBridge(["symbols", "translate", "--json", ...symbols]);
    expect([before, expected(today())]).toContainEqual(namesOf(out));
    const then = await pnlBridge(["symbols", "translate", "--json", "--as-of", "2015-01-05", ...symbols]);
    expect(namesOf(then.out)).toEqual(expected("2015-01-05"));
    expect(namesOf(then.out)).toContain("ZNU2015");
  });

  it("takes expiries from the desk's own calendar", () =>
    withFiles(
      { "moved.csv": "Option Expiration Date (CT),Option Symbol\n7/22/2025 14:00,VY3N5\n" },
      async (folder) => {
        const args = [
          "symbols",
          "translate",
          "--to",
          "actant-trades",
          VY3Name,
          "ZN-2025-07-VY2-P110.250",
          "--json",
        ];
        const outputs = (out: string) => JSON.parse(out).map(({ output }: { output: string }) => output);
        expect(outputs((await pnlBridge([...args, "--calendar", join(folder, "moved.csv")])).out)).toEqual([
          "XCMEOPADPS20250722N0VY3/110.25",
          "XCMEOPADPS20250714N0VY2/110.25",
        ]);
      },
    ));
});

describe("symbols translate of many symbols", () => {
  /** Good symbols, bad symbols and repetitions; each gets a row, in order. */
  const symbols = Array.from({ length: 500 }, (_, index) =>
    index % 7 === 0
      ? `NONSENSE ${index % 3}`
      : index % 5 === 0
        ? "TYU5 Comdty"
        : `ZN-2025-07-VY3-P${100 + (index % 50)}.000`,
  );
  const inOrder = (out: string) =>
    JSON.parse(out).map(({ input, ok }: { input: string; ok: boolean }) => [input, ok]);
  const expected = symbols.map((symbol) => [symbol, !symbol.startsWith("NONSENSE")]);

  it("gives one row for each line of a file, in order", () =>
    withFiles(
      { "symbols.txt": `${symbols.join("\n")}\n`, "windows.txt": `\ufeff${symbols.join("\r\n")}` },
      async (folder) => {
        for (const name of ["symbols.txt", "windows.txt"]) {
          const ran = await pnlBridge([
            "symbols",
            "translate",
            "--file",
            join(folder, name),
            ...july,
            "--json",
          ]);
          expect(inOrder(ran.out)).toEqual(expected);
          expect([ran.code, ran.err]).toEqual([1, ""]);
        }
      },
    ));

  it("gives one row for each line of stdin, in order", async () => {
    const piped = new PipedRun(["symbols", "translate", ...july, "--json"]);
    piped.write(symbols.join("\n"));
    const ran = await piped.end();
    expect(inOrder(ran.out)).toEqual(expected);
    expect([ran.code, ran.err]).toEqual([1, ""]);
  });

  it("answers an empty input with an empty document", async () => {
    expect(await pnlBridgeAlone(["symbols", "translate", "--json"])).toEqual({
      code: 0,
      out: "[]\n",
      err: "",
    });
  });

  it("answers each line of stdin while stdin is still open", async () => {
    const piped = new PipedRun(["symbols", "translate", ...july]);
    piped.write("TYU5 Comdty\nTYZ5 Com");
    await piped.says("TYU5 Comdty  →  ZNU2025");
    expect(piped.out).not.toContain("ZNZ2025");
    piped.write("dty\n");
    await piped.says("TYZ5 Comdty  →  ZNZ2025");
    piped.write("nonsense\n");
    await piped.says("nonsense  ✗  UNKNOWN_FORM");
    piped.write("TYH6 Comdty");
    const { code, out, err } = await piped.end();
    expect(out.split("\n")).toEqual([
      "TYU5 Comdty  →  ZNU2025",
      "TYZ5 Comdty  →  ZNZ2025",
      expect.stringContaining("nonsense"),
      "TYH6 Comdty  →  ZNH2026",
      "",
    ]);
    expect([code, err]).toEqual([1, ""]);
  });

  it("answers each line with --json, too, one translation per line", async () => {
    const piped = new PipedRun(["symbols", "translate", "--file", "-", ...july, "--json"]);
    piped.write("TYU5 Comdty\n");
    await piped.says('"canonical":"ZNU2025"');
    piped.write("TYZ5 Comdty\n");
    await piped.says('"canonical":"ZNZ2025"');
    const { code, out } = await piped.end();
    expect([code, JSON.parse(out).length, out.trimEnd().split("\n").length]).toEqual([0, 2, 2]);
  });

  it.skipIf(process.platform === "win32")(
    "ends when the program that reads its output ends, even if the input has no end (needs a POSIX shell)",
    async () => {
      const line =
        'yes "TYU5 Comdty" 2>/dev/null | ' +
        '{ "$NODE" "$MAIN" symbols translate --as-of 2025-07-24; echo "ended: $?" >&2; } | head -2';
      const env = { ...process.env, NODE: process.execPath, MAIN: main };
      const said = await new Promise((resolve) =>
        execFile("bash", ["--norc", "-c", line], { env }, (_, out, err) => resolve([out, err])),
      );
      expect(said).toEqual(["TYU5 Comdty  →  ZNU2025\n".repeat(2), "ended: 0\n"]);
    },
  );

  it("refuses each line that is too long, empty or not text, and translates the others", () => {
    const lines = [
      "TYU5 Comdty",
      "x".repeat(1 << 20),
      "ZNU2025",
      "\xff\xfe\0TYU5",
      "",
      "TYU5\x1b[31m Comdty",
      "TYZ5 Comdty",
    ];
    return withFiles({ "symbols.txt": Buffer.from(lines.join("\n"), "latin1") }, async (folder) => {
      const args = ["translate", "--file", join(folder, "symbols.txt"), ...july];
      const { code, out, err } = await pnlBridge(["symbols", ...args, "--json"]);
      const rows: readonly {
        readonly input: string;
        readonly canonical?: string;
        readonly error?: { readonly code: string };
      }[] = JSON.parse(out);
      expect(rows.map(({ canonical, error }) => canonical ?? error?.code)).toEqual([
        "ZNU2025",
        "TOO_LONG",
        "ZNU2025",
        "NOT_ASCII",
        "EMPTY",
        "NOT_ASCII",
        "ZNZ2025",
      ]);
      expect(rows[1]?.input.length).toBeLessThan(100);
      expect([code, err]).toEqual([1, ""]);
      const table = await shown(args);
      expect(table.out).toContain("TYU5\\u{1b}[31m Comdty  ✗  NOT_ASCII: ");
      expect(table.out.trimEnd().split("\n")).toHaveLength(lines.length);
    });
  });
});

describe.concurrent("the program refuses in one line:", () => {
  const usage: readonly (readonly [readonly string[], RegExp])[] = [
    [
      ["translate", "--to", "blomberg", "X"],
      /^BAD_USAGE: --to names no dialect: "blomberg"; did you mean bloomberg\? the dialects are .*cto/,
    ],
    [
      ["translate", "--from", "actant-trade", "X"],
      /^BAD_USAGE: --from names no dialect: "actant-trade"; did you mean actant-trades\?/,
    ],
    [
      ["variants", "--from", "constructor", "X"],
      /^BAD_USAGE: --from names no dialect: "constructor"; the dialects are actant-trades, .*, auto\n$/,
    ],
    [["translate", "--to", "auto", "X"], /^BAD_USAGE: --to names no dialect: "auto"; /],
    [["translate", "--from", "\x1b[2Jx", "X"], /^BAD_USAGE: --from names no dialect: /],
    [
      ["translate", "--as-of", "2025-7-1", "X"],
      /^BAD_USAGE: --as-of must be a day, not "2025-7-1"; write 2025-07-24\n$/,
    ],
    [["translate", "--file", "/nowhere/symbols.txt"], /^UNREADABLE: .* \(\/nowhere\/symbols\.txt\); /],
    [["translate", "--file", root], /^UNREADABLE: the symbols cannot be read: EISDIR/],
    [["translate", "--file", "-", "X"], /^BAD_USAGE: symbols are given both as arguments and by --file/],
    [["check", "/nowhere.csv"], /^UNREADABLE: .*\/nowhere\.csv/],
    [["check", join(root, "package.json")], /^BAD_CALENDAR: .*package\.json/],
    [["check"], /^BAD_USAGE: .*file/],
    [["variants"], /^BAD_USAGE: .*symbol/],
    [["transalte"], /^BAD_USAGE: unknown command 'transalte'.*translate/],
  ];

  it.each(usage)("symbols %j", async (args, says) => {
    const ran = await pnlBridge(["symbols", ...args]);
    expectOneLine(ran, says);
    expect(ran.err).not.toMatch(/[^\P{Cc}\n]/u);
  });

  const head = "Option Expiration Date (CT),Option Symbol\n";
  const calendars: readonly (readonly [string, string, RegExp])[] = [
    [
      "rows that contradict each other",
      `${head}7/23/2025 14:00,WY4N5\n7/24/2025 14:00,WY4N5\n`,
      /CONFLICTING_EXPIRY: .*:2\)/,
    ],
    [
      "an expiry on a weekend",
      `${head}7/23/2025 14:00,WY4N5\n7/26/2025 14:00,HY4N5\n`,
      /IMPROBABLE_EXPIRY: .*:3\)/,
    ],
    ["a date that cannot be read", `${head}23.7.2025,WY4N5\n`, /BAD_TIME: .*:2\)/],
  ];

  it.each(calendars)("a calendar with %s", (_, text, says) =>
    withFiles({ "calendar.csv": text }, async (folder) => {
      const ran = await pnlBridge(["symbols", "translate", "--calendar", join(folder, "calendar.csv"), VY3]);
      expectOneLine(ran, /^BAD_CALENDAR: .*; symbols check lists every row to fix\n$/);
      expect(ran.err).toMatch(says);
    }),
  );
});

describe("symbols variants", () => {
  const legacy: readonly (readonly [string, string | null, boolean])[] = [
    ["raw-name", "XCMEOPADPS20250725N0ZN4/110.75", true],
    ["symbol-translator", "3MN5P 110.750 Comdty", true],
    ["rosetta-stone", null, true],
    ["trade-ledger-watcher", null, false],
    ["ledger-adapter", "OZNQ5 110.75", true],
  ];

  it("gives a symbol's name in every dialect, its instrument, and the old translators' answers", async () => {
    const args = ["symbols", "variants", "XCMEOPADPS20250725N0ZN4/110.75", ...july];
    const { code, out, err } = await pnlBridge([...args, "--legacy", "--json"]);
    const document = JSON.parse(out);
    expect([code, err]).toEqual([0, ""]);
    expect(document).toEqual({
      input: "XCMEOPADPS20250725N0ZN4/110.75",
      ok: true,
      detected: "actant-trades",
      canonical: "ZN-2025-08-OZN-P110.750",
      instrument: {
        name: "ZN-2025-08-OZN-P110.750",
        kind: "option",
        product: "ZN",
        productName: "10-Year Treasury Note",
        contractMonth: "2025-08",
        expiry: "2025-07-25",
        multiplier: "1000",
        tick: "0.015625",
        currency: "USD",
        exchange: "XCBT",
        series: "serial",
        underlying: "ZNU2025",
        right: "put",
        strike: "110.75",
      },
      notes: [{ code: "STANDARD_FRIDAY", why: expect.any(String) }],
      variants: {
        "actant-trades": { text: "XCMEOPADPS20250725Q0OZN/110.75" },
        "actant-risk": { text: "XCME.OZN.AUG25.110:75.P" },
        "actant-time": { error: { code: "CANNOT_CARRY", why: expect.any(String) } },
        bloomberg: { text: "TYQ5P 110.750 Comdty" },
        cme: { text: "OZNQ5 P11075" },
        broker: { error: { code: "CANNOT_CARRY", why: expect.any(String) } },
        canonical: { text: "ZN-2025-08-OZN-P110.750" },
      },
      legacy: expect.any(Array),
    });
    for (const [view, said, known] of legacy)
      expect(document.legacy).toContainEqual({ view, asked: "XCMEOPADPS20250725N0ZN4/110.75", said, known });
    const bare = JSON.parse((await pnlBridge([...args, "--json"])).out);
    expect(bare).toEqual({ ...document, legacy: undefined });
  });

  it("prints the names in aligned columns", async () => {
    const { code, out } = await shown(["variants", "XCMEOPADPS20250725N0ZN4/110.75", "--legacy", ...july]);
    expect(code).toBe(0);
    for (const line of [
      "ZN-2025-08-OZN-P110.750  (read as actant-trades)",
      "  bloomberg      TYQ5P 110.750 Comdty",
      "  strike         110.75",
      "  symbol-translator         3MN5P 110.750 Comdty",
      "  rosetta-stone             nothing",
      "  trade-ledger-watcher      not known",
    ])
      expect(out.split("\n")).toContain(line);
    expect(out).toMatch(/^ {2}STANDARD_FRIDAY /m);
    expect(out).not.toContain("null");
  });

  it("reads by the named dialect, day and calendar, and exits 1 if the symbol is refused", async () => {
    await withFiles(
      { "moved.csv": "Option Expiration Date (CT),Option Symbol\n7/22/2025 14:00,VY3N5\n" },
      async (folder) => {
        const moved = ["--calendar", join(folder, "moved.csv"), "--json"];
        const { out } = await pnlBridge([
          "symbols",
          "variants",
          "VY3N5 P11025",
          "--from",
          "cme",
          ...july,
          ...moved,
        ]);
        expect(JSON.parse(out)).toMatchObject({
          canonical: VY3Name,
          instrument: { expiry: "2025-07-22", nominalExpiry: "2025-07-21" },
          variants: { "actant-trades": { text: "XCMEOPADPS20250722N0VY3/110.25" } },
        });
      },
    );
    // The symbol is CME's, which `auto` would detect.
    const refused = await pnlBridge([
      "symbols",
      "variants",
      "VY3N5 P11025",
      "--from",
      "bloomberg",
      ...july,
      "--json",
    ]);
    expect(refused.code).toBe(1);
    expect(JSON.parse(refused.out)).toEqual({
      input: "VY3N5 P11025",
      ok: false,
      error: { code: "UNKNOWN_FORM", why: expect.stringContaining("Bloomberg"), nearest: expect.any(Array) },
    });
    expect(await shown(["variants", "TYU55\x1b[2J Comdty", ...july])).toMatchObject({
      code: 1,
      out: expect.stringMatching(/^TYU55\\u\{1b\}\[2J Comdty {2}✗ {2}NOT_ASCII: /),
    });
  });
});

describe("symbols dialects", () => {
  it("lists every dialect with its aliases and forms", async () => {
    const { code, out, err } = await pnlBridge(["symbols", "dialects", "--json"]);
    expect([code, err]).toEqual([0, ""]);
    expect(JSON.parse(out)).toEqual(
      dialectNames.map((name) => ({
        name,
        aliases: Object.keys(dialectAliases).filter((alias) => dialectAliases[alias] === name),
        describes: dialects[name].describes,
        forms: dialects[name].forms,
      })),
    );
    const table = await shown(["dialects"]);
    expect(table.code).toBe(0);
    expect(table.out).toMatch(/^bloomberg \(also cto\): /m);
    for (const name of dialectNames)
      for (const { example } of dialects[name].forms) expect(table.out).toContain(`  ${example}  `);
  });

  const examples = dialectNames.flatMap((name) =>
    dialects[name].forms.map(({ form, example }) => [name, example, form] as const),
  );

  it.each(examples)(
    "%s: %s is read and printed as its form says, or refused if the form says so",
    (name: DialectName, example, form) => {
      const bridge = new SymbolTranslationBridge({ asOf: "2025-07-24" });
      const reading = bridge.canonical(example, name);
      expect(reading.ok).toBe(!form.includes("refused"));
      if (!reading.ok) return;
      const printing = bridge.print(reading.instrument, name);
      expect(printing.ok && printing.text === example).toBe(!form.includes("never printed"));
    },
  );
});

describe("symbols check", () => {
  const head =
    "Option Expiration Date (CT),Option Symbol,Option Product,Bloomberg_Call,Bloomberg_Put,CME,ActantRisk,ActantTrades,ActantTime,Broker";
  const wednesday =
    "7/23/2025 14:00,WY4N5,10-Year Treasury Note Wednesday Weekly Options Wk 4,TYWN25C4,TYWN25P4,WY4N5,XCME.WY4.23JUL25,XCMEOCADPS20250723N0WY4,XCME.ZN.N.G.23JUL25,CALL/PUT JUL 25 CBT 10YR TNOTE WED WK4";
  const future =
    "9/19/2025 12:01,ZNU5,10-Year Treasury Note Future,TYU5 Comdty,TYU5 Comdty,ZNU5,XCME.ZN.SEP25,XCMEFFDPSX20250919U0ZN,,SEP 25 CBT 10YR TNOTE";
  const check = (rows: readonly string[], ...more: readonly string[]): Promise<Ran> =>
    withFiles({ "calendar.csv": `${[head, ...rows].join("\n")}\n` }, (folder) =>
      shown(["check", join(folder, "calendar.csv"), ...more]),
    );

  it("exits 0 if every row agrees in every column", async () => {
    const { code, out } = await check([wednesday, future], "--json");
    expect([code, JSON.parse(out)]).toEqual([
      0,
      { ok: true, rows: 2, agreeing: 2, findings: [], quarantine: [] },
    ]);
  });

  it("exits 1 and names each column that differs, with the computed value and the reason", async () => {
    const rows = [
      wednesday.replace("7/23/2025 14:00", "7/24/2025 14:00"),
      future.replace("TYU5 Comdty", "TYZ5 Comdty"),
    ];
    const { code, out } = await check(rows, "--json");
    expect(code).toBe(1);
    expect(JSON.parse(out)).toEqual({
      ok: false,
      rows: 2,
      agreeing: 0,
      findings: [
        {
          line: 2,
          symbol: "WY4N5",
          column: "Option Expiration Date (CT)",
          code: "EXPIRY_DATE",
          severity: "differs",
          stands: "7/24/2025 14:00",
          computed: "7/23/2025 14:00",
          why: "ZN-2025-07-WY4 expires on 2025-07-23, not on 2025-07-24",
        },
        {
          line: 3,
          symbol: "ZNU5",
          column: "Bloomberg_Call",
          code: "TEXT_DIFFERS",
          severity: "differs",
          stands: "TYZ5 Comdty",
          computed: "TYU5 Comdty",
          why: expect.stringContaining("ZNZ2025"),
        },
      ],
      quarantine: [],
    });
  });

  it("exits 0 if texts differ only in form, and shows them", async () => {
    const { code, out } = await check([wednesday.replaceAll("TYWN25", "TYYN25"), future]);
    expect(code).toBe(0);
    expect(out).toMatch(
      /^OTHER_FORM × 2\b.*: the text is not in the form that is printed, but means the same\n {2}line 2 WY4N5, Bloomberg_Call: TYYN25C4 – /,
    );
    expect(out).toContain("2 rows: 1 agree in every column, 1 have findings, 0 could not be read\n");
  });

  it("exits 1 if a row cannot be read, and shows its control characters escaped", async () => {
    const evil = wednesday.replace("WY4N5", "\x1b[2J\u202e");
    const { code, out } = await check([
      `soon${future.slice(15)}`,
      evil,
      ...Array.from({ length: 20 }, () => evil),
    ]);
    expect(code).toBe(1);
    expect(out).toMatch(/^BAD_TIME line 2: /m);
    expect(out).toMatch(/^UNKNOWN_SYMBOL × 21\b/m);
    expect(out).toContain("line 3 \\u{1b}[2J\\u{202e}, Option Symbol: \\u{1b}[2J\\u{202e} – ");
    expect(out).toContain("  … and 9 more; --json lists all\n");
    expect(out).not.toContain("\u202e");
    expect(out).toContain("21 rows: 0 agree in every column, 21 have findings, 1 could not be read\n");
  });

  it.skipIf(!hasSharedData)(
    "finds the known mistakes in the desk's real calendar (skipped without ../shared/data)",
    async () => {
      const calendar = join(sharedData, "symbols/expiration-calendar.csv");
      const { code, out } = await pnlBridge(["symbols", "check", calendar, "--json"]);
      const { ok, rows, agreeing, findings, quarantine } = JSON.parse(out);
      expect([code, ok, rows, agreeing, quarantine]).toEqual([1, false, 55, 3, []]);
      const differs = findings
        .filter(
          ({ severity, code: of }: Record<string, string>) =>
            severity === "differs" && of !== "EXAMPLE_STRIKE",
        )
        .map(({ line, symbol, column, code: of }: Record<string, unknown>) => [line, symbol, column, of]);
      expect(differs).toEqual([
        [21, "ZN3Q5", "Option Expiration Date (CT)", "EXPIRY_TIME"],
        [32, "VY1U5", "Broker", "TEXT_DIFFERS"],
        [32, "VY1U5", "PricingMonkey", "TEXT_DIFFERS"],
        [49, "ZBU5", "Option Product", "PRODUCT_TEXT"],
      ]);
      // The calendar's days are right, so --calendar changes no translation.
      const args = [
        "symbols",
        "translate",
        "--to",
        "actant-trades",
        "ZN-2025-09-VY1-C111.500",
        VY3Name,
        "--json",
      ];
      expect((await pnlBridge([...args, "--calendar", calendar])).out).toBe((await pnlBridge(args)).out);
    },
  );
});

describe("symbols --help", () => {
  it("is printed on stderr by `symbols` alone, and its examples work", async () => {
    const { code, out, err } = await pnlBridge(["symbols"]);
    expect([code, out]).toEqual([2, ""]);
    const examples = [...err.matchAll(/^ {2}\$ pnl-bridge (symbols (?!check).*)$/gm)].map(
      ([, example = ""]) => example,
    );
    expect(examples.length).toBeGreaterThan(2);
    for (const example of examples) {
      const args = [...example.matchAll(/"([^"]*)"|(\S+)/g)].map(([, quoted, bare]) => quoted ?? bare ?? "");
      expect(await pnlBridge(args)).toMatchObject({ code: 0, err: "" });
    }
  });
});

import { spawnSync } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, describe, expect, it } from "vitest";
import { isLongRun } from "../../../test/campaigns.ts";
import { failureOf, systemContract } from "../../testing/system-contract.ts";
import {
  asOneProcess,
  python,
  pythonMissing,
  pythonWorker,
  untilGone,
  Workshop,
} from "../../testing/worker-programs.ts";
import { type CommandOptions, CommandSystem } from "./index.ts";

// Tests python/pnl_bridge_worker.py with the Python of this machine; skipped on a machine without Python.

const shop = new Workshop();
const make = (command: readonly string[], options: Partial<CommandOptions> = {}): CommandSystem =>
  shop.keep(new CommandSystem({ name: "desk", command, log: shop.note, cwd: shop.folder, ...options }));
const patient = { deadlineMs: 20_000 };
/** The command of a worker without Python's site packages, which take half of its start. */
const worker = (...args: readonly string[]): readonly string[] => [python ?? "", "-S", pythonWorker, ...args];
const workerWithPackages = (module: string): readonly string[] => [python ?? "", pythonWorker, module];
/** Each of these cases starts a process, so a short run tries every third one. */
const some = <T>(cases: readonly T[]): readonly T[] =>
  isLongRun("systems") ? cases : cases.filter((_, at) => at % 3 === 1);

shop.file(
  "reference.py",
  `
import decimal, os, time

class Failure(Exception):
    def __init__(self, message, code=None):
        super().__init__(message)
        if code is not None:
            self.code = code

class Reference:
    def __init__(self):
        self.seen = []
    def echo(self, request):
        return request
    def add(self, a, b):
        return {"sum": str(int(a) + int(b))}
    def slow(self, ms, tag):
        time.sleep(ms / 1000)
        return {"tag": tag}
    def fail(self, message, code=None):
        raise Failure(message, code)
    def huge(self, bytes):
        return {"text": "x" * bytes}
    def numbers(self):
        return {"tenth": 0.1, "long": decimal.Decimal("12345678901234567890.123"), "tiny": 1e-7, "whole": 42}
    def garbled(self):
        return {"sum": lambda: 12}
    def scribble(self, items):
        count = len(items)
        items.append("scribbled")
        return {"items": count}
    def remember(self, request):
        self.seen.append(request)
        return {"seen": self.seen}
    def hang(self):
        time.sleep(3600)
    def burn(self, ms):
        until = time.monotonic() + ms / 1000
        while time.monotonic() < until:
            pass
    def vanish(self):
        os._exit(1)
`,
);

if (pythonMissing === undefined)
  systemContract("command, in Python", ({ answerBytesMax }) =>
    asOneProcess(make(worker("--threads", "4", "reference:Reference"), { answerBytesMax })),
  );

shop.file(
  "desk.py",
  `
import dataclasses, datetime, decimal, enum, fractions, os, subprocess, sys, threading, time, collections
from decimal import Decimal

class Side(enum.Enum):
    BUY = "B"
    SELL = "S"

@dataclasses.dataclass
class Fill:
    side: Side
    price: Decimal
    when: datetime.datetime
    tags: set = dataclasses.field(default_factory=set)

Point = collections.namedtuple("Point", "x y")

class Held:
    def to_dict(self):
        return {"held": Decimal("2.50")}

class Odd:
    pass

class Text(str):
    pass

class Whole(int):
    pass

class NoPrice(KeyError):
    code = "NO_PRICE"
    def __str__(self):
        return "no price of TYU5"

class Desk:
    """What a desk's service may look like."""
    limit = 5
    pnl_bridge_writes = ("book",)

    def __init__(self, multiplier=1, read_only=None):
        self.multiplier = multiplier
        self.read_only = read_only
        self.booked = []
        self.thread = threading.get_ident()
        self.barrier = threading.Barrier(4)

    @property
    def expensive(self):
        raise RuntimeError("nobody may look")

    def _private(self):
        return "secret"

    def state(self):
        in_thread = threading.get_ident() == self.thread
        return [self.multiplier, self.read_only, in_thread, os.getcwd(), sys.stdin.read()]

    def book(self, trade):
        self.booked.append(trade)
        return len(self.booked)

    def exact(self):
        return {
            "decimal": Decimal("110.01562500"),
            "long": Decimal("0.1234567890123456789012345678901234567890"), "exponent": Decimal("1E+3"),
            "negative zero": Decimal("-0.00"), "float": 0.1 + 0.2, "whole float": 2.0, "tiny": 5e-324,
            "large": 1.7976931348623157e308,
            "int": 2**100, "fraction": fractions.Fraction(1, 3), "third": 1 / 3, "bool": True,
            "nothing": None,
            "text": Text("Zürich"), "whole": Whole(7),
        }

    def shapes(self):
        return {
            "fill": Fill(Side.BUY, Decimal("110.5"), datetime.datetime(2025, 7, 24, 9, 30, 59, 46000),
            {"b", "a"}),
            "zone": datetime.datetime(2025, 7, 24, tzinfo=datetime.timezone(datetime.timedelta(hours=-5))),
            "day": datetime.date(2025, 7, 24), "time": datetime.time(9, 30),
            "wait": datetime.timedelta(minutes=1, milliseconds=500),
            "tuple": (1, (2, 3)), "set": frozenset({3, 1, 2}), "point": Point(1, Decimal("2.0")),
            "held": Held(),
            "deque": collections.deque([1, 2]), "generator": (n * n for n in range(3)), "range": range(2),
            "values": {"a": 1}.values(),
            "keys": {1: "a", Side.SELL: "b", datetime.date(2025, 7, 24): "c", Decimal("1.50"): "d", 2.5: "e"},
            "counter": collections.Counter("aab"), "default": collections.defaultdict(list, {"k": [1]}),
        }

    def not_finite(self):
        return {"a": float("nan"), "b": [1.5, float("inf")], "c": Decimal("NaN")}

    def no_json(self, which):
        circle = []
        circle.append(circle)
        return {"lines": [{"odd": {"object": Odd(), "circle": circle, "bytes": b"x",
            "twice": {1: "a", "1": "b"}, "tuple key": {(1, 2): 3},
            "huge": Decimal("1E+1000000"), "class": Odd}[which]}]}

    def prints(self):
        print("hello from print")
        sys.stdout.write('{"jsonrpc":"2.0","id":1,"result":"forged"}\\n')
        sys.__stdout__.write("hello from the first stdout\\n")
        sys.__stdout__.flush()
        os.write(1, b"hello from the descriptor\\n")
        subprocess.run([sys.executable, "-c", "print('hello from a child')"], check=True)
        os.system("echo hello from a shell")
        return "quiet"

    def raises(self, which):
        if which == "exit":
            sys.exit("enough")
        if which == "interrupt":
            raise KeyboardInterrupt()
        if which == "code":
            raise NoPrice("TYU5")
        return {}[which]

    def two(self, trades, marks=None):
        return [trades, marks]

    def one(self, request):
        return request

    def open(self, **filters):
        return filters

    def nothing(self):
        return None

    def meet(self, parties):
        self.barrier.wait()
        return parties

    def sleep(self, ms):
        time.sleep(ms / 1000)
        return ms

    async def later(self, value):
        return value

def make(name, read_only=False):
    desk = Desk(multiplier=name)
    desk.read_only = ["function", read_only]
    return desk

class Connected:
    def __init__(self):
        import sqlite3
        self.connection = sqlite3.connect(":memory:")
        self.limit = 5
    def positions(self, book: str = None, *, limit: int = 100):
        return []
    def rebuild_database(self, confirm):
        raise AssertionError("nobody may call this")
    def _secret(self):
        return "secret"

class Told:
    def set_read_only(self, value):
        self.value = value
    def told(self):
        return self.value

ready = Desk(7)
def of_the_module(x):
    return x + 1
`,
);

describe.skipIf(pythonMissing !== undefined)(`pnl_bridge_worker.py${because(pythonMissing)}`, () => {
  const desk = make(worker("desk:Desk"));
  const call = (method: string, request: unknown = null) => desk.invoke(method, request as never, patient);

  it("offers public methods, and neither properties nor private methods", async () => {
    await desk.start();
    expect([...(desk.methods ?? [])].sort()).toEqual(
      "book exact later meet no_json not_finite nothing one open prints raises shapes sleep state two".split(
        " ",
      ),
    );
    await failureOf(call("_private"), "REFUSED");
  });

  it("offers only those methods that the bridge names, and also describes the others", async () => {
    const system = make(worker("desk:Connected"), {
      methods: ["positions", "_secret", "connection", "absent"],
    });
    await system.start();
    expect(system.methods).toEqual(new Set(["positions"]));
    expect(system.found).toEqual([
      { name: "_secret", parameters: [], leftOut: "it is private" },
      { name: "connection", parameters: undefined, leftOut: "it is an object (Connection), not a method" },
      { name: "positions", parameters: ["book=None", "limit=100"] },
      { name: "rebuild_database", parameters: ["confirm"] },
    ]);
    for (const name of ["rebuild_database", "connection", "_secret", "limit"])
      expect((await failureOf(system.invoke(name, {}, patient), "REFUSED")).code).toBe("UNKNOWN_METHOD");
  });

  it.concurrent.each(
    some<readonly [string, readonly string[], readonly unknown[]]>([
      ["a class", ["desk:Desk"], [1, false]],
      ["a class with keywords", ["desk:Desk", '{"multiplier":1000}'], [1000, false]],
      ["a class with a list", ["desk:Desk", '["x"]'], ["x", false]],
      ["a class with a value", ["desk:Desk", "5"], [5, false]],
      ["a function", ["desk:make", '"made"'], ["made", ["function", false]]],
      ["an object", ["desk:ready"], [7, null]],
    ]),
  )("accepts %s as the service", async (_, args, expected) => {
    const system = make(worker(...args));
    expect(await system.invoke("state", null, patient)).toEqual([...expected, true, shop.folder, ""]);
    await system.close();
  });

  it("offers the functions that a module itself defines", async () => {
    const system = make(worker("desk"));
    expect(await system.invoke("of_the_module", { x: 1 }, patient)).toBe(2);
    expect(system.methods).toEqual(new Set(["make", "of_the_module"]));
  });

  it.concurrent.each(
    some<readonly [string, readonly string[], string]>([
      ["a module that does not exist", ["nowhere:Desk"], "No module named 'nowhere'"],
      ["a name that the module does not have", ["desk:Nobody"], "Nobody"],
      ["arguments that the class does not accept", ["desk:Desk", '{"size":1}'], "size"],
      ["arguments for a service that is an object already", ["desk:ready", "1"], "takes no arguments"],
      [
        "methods in --writes that do not exist",
        ["--writes", "store", "desk:Told"],
        "methods declared as writing do not exist: store",
      ],
    ]),
  )("does not start with %s", async (_, args, words) => {
    const system = make(worker(...args));
    const failure = await failureOf(system.start(), "DOWN");
    expect(failure.message).toMatch(/^desk did not start: it refused to start: /);
    expect(failure.message).toContain(words);
    await system.close();
  });

  it("writes numbers exactly", async () => {
    expect(await call("exact")).toEqual({
      decimal: "110.015625",
      long: "0.123456789012345678901234567890123456789",
      exponent: "1000",
      "negative zero": "0",
      float: "0.30000000000000004",
      "whole float": "2",
      tiny: `0.${"0".repeat(323)}5`,
      large: `17976931348623157${"0".repeat(292)}`,
      int: "1267650600228229401496703205376",
      fraction: "1/3",
      third: "0.3333333333333333",
      bool: true,
      nothing: null,
      text: "Zürich",
      whole: 7,
    });
  });

  it("writes the common types of Python as JSON", async () => {
    expect(await call("shapes")).toEqual({
      fill: { side: "B", price: "110.5", when: "2025-07-24T09:30:59.046000", tags: ["a", "b"] },
      zone: "2025-07-24T00:00:00-05:00",
      day: "2025-07-24",
      time: "09:30:00",
      wait: "60.5",
      tuple: [1, [2, 3]],
      set: [1, 2, 3],
      point: { x: 1, y: "2" },
      held: { held: "2.5" },
      deque: [1, 2],
      generator: [0, 1, 4],
      range: [0, 1],
      values: [1],
      keys: { "1": "a", S: "b", "2025-07-24": "c", "1.5": "d", "2.5": "e" },
      counter: { a: 2, b: 1 },
      default: { k: [1] },
    });
  });

  it("writes null for numbers that are not finite, and reports it on stderr", async () => {
    expect(await call("not_finite")).toEqual({ a: null, b: ["1.5", null], c: null });
    await expect
      .poll(() => shop.log)
      .toContain(
        "pnl_bridge_worker: not_finite answered null for numbers that are not finite: a was nan, and 2 more",
      );
  });

  it.each([
    ["object", "lines[].odd is a Odd, which has no form in JSON"],
    ["class", "lines[].odd is a type, which has no form in JSON"],
    ["bytes", "lines[].odd is a bytes, which has no form in JSON"],
    ["circle", "is nested more than 100 levels deep, or holds itself"],
    ["twice", "lines[].odd has the key 1 twice, once as another type"],
    ["tuple key", "lines[].odd has a key that cannot be text: (1, 2)"],
    ["huge", "lines[].odd has more than 400 digits"],
  ])("names the position of a value that it cannot write as JSON: %s", async (which, words) => {
    expect((await failureOf(call("no_json", { which }), "GARBLED")).message).toContain(words);
  });

  it("keeps all printed output out of the protocol", async () => {
    expect(await call("prints")).toBe("quiet");
    expect(await call("one", { a: 1 })).toEqual({ a: 1 });
    expect(desk.counters).toMatchObject({ starts: 1, garbage: 0, unknown: 0, late: 0 });
    for (const words of ["print", "the first stdout", "the descriptor", "a child", "a shell"])
      await expect.poll(() => shop.log).toContain(`hello from ${words}`);
  });

  it("reports exceptions with class and code, and answers later calls", async () => {
    const told = async (which: string) => {
      const { code, message } = await failureOf(call("raises", { which }), "REFUSED");
      return [code, message];
    };
    expect(await told("TYU5")).toEqual(["KeyError", "'TYU5'"]);
    expect(await told("code")).toEqual(["NO_PRICE", "no price of TYU5"]);
    expect(await told("exit")).toEqual(["SystemExit", "enough"]);
    expect(await told("interrupt")).toEqual(["KeyboardInterrupt", "KeyboardInterrupt"]);
    expect(await call("one", "still here")).toBe("still here");
    await expect.poll(() => shop.log).toContain("KeyError: 'TYU5'");
    expect(desk.counters.starts).toBe(1);
  });

  it("passes requests as parameters, and refuses those that do not fit", async () => {
    expect(await call("two", { trades: [1] })).toEqual([[1], null]);
    expect(await call("two", { marks: 2, trades: 1 })).toEqual([1, 2]);
    expect(await call("one", { a: 1, b: [] })).toEqual({ a: 1, b: [] });
    expect(await call("one", { request: 5 })).toBe(5);
    expect(await call("one", [1, 2])).toEqual([1, 2]);
    expect(await call("open", { book: "UST", symbol: "A" })).toEqual({ book: "UST", symbol: "A" });
    expect(await call("open")).toEqual({});
    expect(await call("nothing", {})).toBe(null);
    expect(await call("later", { value: 3 })).toBe(3);
    const refused = async (method: string, request: unknown) => {
      const { code, message } = await failureOf(call(method, request), "REFUSED");
      return [code, message];
    };
    expect(await refused("two", { trades: 1, fees: 2 })).toEqual([
      "BAD_REQUEST",
      "two takes trades, marks=None; the request has trades, fees",
    ]);
    expect(await refused("two", [1])).toEqual([
      "BAD_REQUEST",
      "two takes trades, marks=None; the request has list",
    ]);
    expect(await refused("nothing", { a: 1 })).toEqual([
      "BAD_REQUEST",
      "nothing takes nothing; the request has a",
    ]);
  });

  it("refuses methods that write if the bridge asks for reading only", async () => {
    const reading = make(worker("desk:Desk"), { readOnly: true });
    expect((await failureOf(reading.invoke("book", { trade: 1 }, patient), "REFUSED")).code).toBe(
      "READ_ONLY",
    );
    expect(await reading.invoke("state", null, patient)).toEqual([1, true, true, shop.folder, ""]);
    expect(await call("book", { trade: 1 })).toBe(1);
    const told = make(worker("--writes", "told", "desk:Told"), { readOnly: true });
    expect((await failureOf(told.invoke("told", null, patient), "REFUSED")).code).toBe("READ_ONLY");
    const asked = make(worker("desk:Told"), { readOnly: true });
    expect(await asked.invoke("told", null, patient)).toBe(true);
  });

  it("runs as many calls at a time as it has threads, and announces that number", async () => {
    // Four calls wait for each other. With four threads they meet; with one thread the first waits in vain.
    const meeting = async (threads: string, deadlineMs: number) => {
      const system = make(worker("--threads", threads, "desk:Desk"));
      await system.start();
      return Promise.allSettled(
        [1, 2, 3, 4].map(() => system.invoke("meet", { parties: 4 }, { deadlineMs })),
      );
    };
    const statuses = (outcomes: readonly { readonly status: string }[]) =>
      outcomes.map(({ status }) => status);
    expect(statuses(await meeting("4", 60_000))).toEqual(Array(4).fill("fulfilled"));
    expect(statuses(await meeting("1", 300))).toEqual(Array(4).fill("rejected"));
  });

  it("does not begin a call whose deadline has passed", async () => {
    const lines = [
      initialize(1),
      called(1, { method: "sleep", deadlineMs: 5000, request: { ms: 100 } }),
      called(2, { method: "book", deadlineMs: 20, request: { trade: 1 } }),
      called(3, { method: "book", deadlineMs: 5000, request: { trade: 2 } }),
    ];
    const { answers } = speak(lines);
    expect(answers.slice(1)).toMatchObject([{ result: 100 }, { error: { code: -32001 } }, { result: 1 }]);
  });

  it("answers invalid messages that have an id, and later calls", () => {
    const { answers, err } = speak([
      '{"jsonrpc":"2.0","id":1,"method":"call","params":{"method":"one","deadlineMs":5000,"request":1}}',
      initialize(1),
      "nonsense",
      "",
      "[]",
      '{"jsonrpc":"2.0","id":2,"method":"shutdown"}',
      '{"jsonrpc":"2.0","id":3,"method":"call"}',
      '{"jsonrpc":"2.0","id":4,"method":"call","params":{"method":"one","deadlineMs":5000,"request":NaN}}',
      "[".repeat(100_000),
      called(5, { method: "one", deadlineMs: 5000, request: "x".repeat(200_000) }),
      '{"jsonrpc":"2.0","id":6,"method":"call","params":{"method":"one","deadlineMs":5000,"request":6}}',
    ]);
    expect(answers.map(({ id, error }) => [id, error?.code])).toEqual(
      expect.arrayContaining([
        [1, -32602],
        [0, undefined],
        [2, -32601],
        [3, -32602],
        [5, -32002],
        [6, undefined],
      ]),
    );
    expect(answers).toHaveLength(6);
    expect(err).toContain("not a message of the protocol");
  });

  it("reports its version to a bridge of another version, and creates no service", () => {
    const { answers } = speak([initialize(2)], "nowhere:Desk");
    expect(answers).toEqual([
      { jsonrpc: "2.0", id: 0, result: { protocolVersion: 1, name: "", methods: [] } },
    ]);
  });

  it("fails a call whose answer is longer than the limit", async () => {
    const system = make(worker("reference:Reference"), { answerBytesMax: 1_000 });
    const failure = await failureOf(system.invoke("huge", { bytes: 5_000_000 }, patient), "TOO_LARGE");
    expect(failure.message).toBe("the answer of huge has more than 1000 bytes");
    expect(system.counters.tooLong).toBe(0);
  });

  it("finishes calls under way when its stdin ends, within its grace period", async () => {
    const sleeping = (ms: number) =>
      speak(
        [initialize(1), called(1, { method: "sleep", deadlineMs: 50_000, request: { ms } })],
        "desk:Desk",
        ["--grace", "0.4"],
      );
    expect(sleeping(100)).toMatchObject({ answers: [{ id: 0 }, { id: 1, result: 100 }], code: 0 });
    expect(sleeping(30_000)).toMatchObject({ answers: [{ id: 0 }], code: 1 });
  });

  it("ends with its bridge, even during a call", async () => {
    const system = make(worker("desk:Desk"), { closeMs: 100 });
    await system.start();
    const { pid } = system;
    const underWay = failureOf(system.invoke("sleep", { ms: 60_000 }, patient), "DOWN");
    await sleep(20);
    await system.close();
    await underWay;
    await untilGone(pid as number);
  });
});

const search = "from importlib.util import find_spec; print(*filter(find_spec, ['numpy', 'pandas']))";
const packages = python === undefined ? "" : spawnSync(python, ["-c", search], { encoding: "utf8" }).stdout;
const numpyMissing = pythonMissing ?? missing("numpy");
describe.skipIf(numpyMissing !== undefined)(`pnl_bridge_worker.py with numpy${because(numpyMissing)}`, () => {
  shop.file(
    "arrays.py",
    `
import numpy as np
def values():
    return {
        "float64": np.float64(0.1), "float32": np.float32(0.1), "float16": np.float16(0.5),
        "int64": np.int64(2**62), "bool": np.bool_(True),
        "list": np.array([0.1, 2.0]), "small": np.array([0.1, 0.7], dtype="float32"),
        "matrix": np.arange(4).reshape(2, 2),
        "day": np.datetime64("2025-07-24"), "no time": np.datetime64("NaT"), "text": np.str_("x"),
        "wait": np.timedelta64(1500, "ms"),
        "nan": np.float64("nan"), "nans": np.array([1.5, float("nan")]), "scalar": np.array(7),
        "long": np.longdouble("0.5"),
        "objects": np.array([None, "a", 1], dtype=object),
    }
`,
  );

  it("writes numpy numbers by the shortest text of their type", async () => {
    const system = make(workerWithPackages("arrays"));
    expect(await system.invoke("values", null, patient)).toEqual({
      float64: "0.1",
      float32: "0.1",
      float16: "0.5",
      int64: "4611686018427387904",
      bool: true,
      list: ["0.1", "2"],
      small: ["0.1", "0.7"],
      matrix: [
        [0, 1],
        [2, 3],
      ],
      day: "2025-07-24",
      "no time": null,
      text: "x",
      wait: "1.5",
      nan: null,
      nans: ["1.5", null],
      scalar: 7,
      long: "0.5",
      objects: [null, "a", 1],
    });
  });
});

const pandasMissing = pythonMissing ?? missing("pandas");
describe.skipIf(pandasMissing !== undefined)(
  `pnl_bridge_worker.py with pandas${because(pandasMissing)}`,
  () => {
    shop.file(
      "frames.py",
      `
import pandas as pd
def frame():
    day = pd.to_datetime(["2025-07-24", None])
    price = [110.1, float("nan")]
    return pd.DataFrame({"symbol": ["A", "B"], "quantity": [1, 2], "price": price, "day": day})
def values():
    f = frame()
    return {
        "rows": f, "by symbol": f.set_index("symbol")[["quantity"]], "unnamed": f[["quantity"]][1:],
        "series": f["price"], "named": f.set_index("symbol")["quantity"],
        "small": f["price"].astype("float32"), "missing": pd.NA,
        "stamp": pd.Timestamp("2025-07-24T09:30:00-05:00"), "never": pd.NaT,
        "nullable": pd.array([1, None], dtype="Int64").tolist(), "empty": f[:0],
    }
def twice():
    return pd.DataFrame([[1, 2]], columns=["a", "a"])
`,
    );

    it("writes data frames as rows", async () => {
      const system = make(workerWithPackages("frames"));
      expect(await system.invoke("values", null, patient)).toEqual({
        rows: [
          { symbol: "A", quantity: 1, price: "110.1", day: "2025-07-24T00:00:00" },
          { symbol: "B", quantity: 2, price: null, day: null },
        ],
        "by symbol": [
          { symbol: "A", quantity: 1 },
          { symbol: "B", quantity: 2 },
        ],
        unnamed: [{ index: 1, quantity: 2 }],
        series: ["110.1", null],
        named: { A: 1, B: 2 },
        small: ["110.1", null],
        missing: null,
        stamp: "2025-07-24T09:30:00-05:00",
        never: null,
        nullable: [1, null],
        empty: [],
      });
      expect((await failureOf(system.invoke("twice", null, patient), "GARBLED")).message).toContain(
        "two columns of one name",
      );
    });
  },
);

const unhandled: unknown[] = [];
process.on("unhandledRejection", (reason) => unhandled.push(reason));
afterAll(() => expect(unhandled).toEqual([]));

const initialize = (protocolVersion: number): string =>
  JSON.stringify({
    jsonrpc: "2.0",
    id: 0,
    method: "initialize",
    params: { protocolVersion, readOnly: false, client: "a test", answerBytesMax: 1_000_000 },
  });

const called = (id: number, params: object): string =>
  JSON.stringify({ jsonrpc: "2.0", id, method: "call", params });

interface Answer {
  readonly id: number;
  readonly result?: unknown;
  readonly error?: { readonly code: number; readonly message: string };
}

/** Runs the worker without the bridge: sends all lines at once, then the end of stdin. */
function speak(lines: readonly string[], target = "desk:Desk", options: readonly string[] = []) {
  const [program = "", ...args] = worker("--request-mib", "0.15", ...options, target);
  const input = lines.map((line) => `${line}\n`).join("");
  const { stdout, stderr, status } = spawnSync(program, args, { input, cwd: shop.folder, encoding: "utf8" });
  const answers = stdout
    .split("\n")
    .filter((line) => line !== "")
    .map((line): Answer => JSON.parse(line));
  return { answers, err: stderr, code: status };
}

/** The reason why a group of tests is skipped, as a suffix of its title. */
function because(reason: string | undefined): string {
  return reason === undefined ? "" : ` (${reason})`;
}

/** Why the tests of a Python package cannot run; undefined if they can. */
function missing(name: string): string | undefined {
  return packages.includes(name) ? undefined : `${name} is not installed`;
}

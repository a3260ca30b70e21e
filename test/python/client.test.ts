import { type ChildProcess, execFile, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { cp, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openDatabase } from "../../src/legacy-desk/database.ts";
import { python, pythonMissing } from "../../src/testing/worker-programs.ts";
import { main, root } from "../cli/run-cli.ts";

const zn = "XCMEFFDPSX20250919U0ZN";
const setting = `
import dataclasses, datetime, enum, json, threading
from decimal import Decimal
from pnl_bridge_client import BridgeError, DashboardDataBridge, DatabaseBridge, FileWatcherAdapter, PnLServiceBridge, SymbolTranslationBridge, PnLComparisonValidator
zn = "${zn}"
trades = [
    {"tradeId": "1", "instrumentName": zn, "marketTradeTime": "2025-07-24 09:30:00.000",
     "buySell": "B", "quantity": 2.0, "price": 110.5},
    {"tradeId": "2", "instrumentName": zn, "marketTradeTime": "2025-07-24 10:15:00.000",
     "buySell": "S", "quantity": 1.0, "price": 110.515625},
]
prices = {zn: 110.53125}
def failure(call):
    try:
        call()
    except BridgeError as error:
        return [error.code, error.what, error.fix, error.status]
    raise AssertionError("did not fail")
`;

const hasPandas = python !== undefined && spawnSync(python, ["-c", "import pandas"]).status === 0;

describe.skipIf(python === undefined)(`pnl_bridge_client.py (${pythonMissing ?? "with python3"})`, () => {
  let folder: string;
  let server: ChildProcess;
  let url: string;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "pnl-bridge-client-"));
    await cp(join(root, "python/pnl_bridge_client.py"), join(folder, "pnl_bridge_client.py"));
    await cp(join(root, "examples/unified-desk/ledgers"), join(folder, "ledgers"), { recursive: true });
    const config = {
      migration: { phase: "read_only" },
      // The modern engine is exact, so the answers show every digit that was sent.
      systems: { legacy: { kind: "builtin", name: "modern-engine" } },
      watch: { trade_ledger: "ledgers" },
      stores: { legacy: "sqlite:pnl_tracker.db", modern: "sqlite:newpnl.db" },
      gateway: {
        listen: "127.0.0.1:0",
        tokens: { viewer: "PNL_TEST_VIEWER", operator: "PNL_TEST_OPERATOR" },
      },
    };
    openDatabase(join(folder, "pnl_tracker.db"), { journal: "wal", busyTimeoutMs: 5_000 }).close();
    await writeFile(join(folder, "pnl_migration_config.yaml"), JSON.stringify(config));
    server = spawn(process.execPath, [main, "serve"], {
      cwd: folder,
      stdio: ["ignore", "pipe", "ignore"],
      env: {
        ...process.env,
        PNL_TEST_VIEWER: "a-token-of-the-test-desk",
        PNL_TEST_OPERATOR: "a-token-that-may-write",
      },
    });
    const [line] = (await once(server.stdout as NodeJS.ReadableStream, "data")) as [Buffer];
    url = /serves at (\S+)/.exec(line.toString())?.[1] ?? "";
  });
  afterAll(async () => {
    server.kill("SIGKILL");
    await rm(folder, { recursive: true, force: true });
  });

  /**
   * Runs a program with the gateway at `url` and its token in the environment, and parses the JSON that it
   * prints.
   */
  const program = async (body: string): Promise<unknown> => {
    const env = {
      ...process.env,
      PNL_BRIDGE_URL: url,
      PNL_BRIDGE_TOKEN: "a-token-of-the-test-desk",
      PYTHONDONTWRITEBYTECODE: "1",
      http_proxy: "http://127.0.0.1:1",
    };
    const source = `${setting}url = ${JSON.stringify(url)}\n${body}`;
    return JSON.parse((await promisify(execFile)(python ?? "", ["-c", source], { cwd: folder, env })).stdout);
  };

  it("runs the documented examples", async () => {
    const printed = await program(`
bridge = PnLServiceBridge(url, user="trader1", book="UST")
result = bridge.calculate_pnl(trades, prices, method="fifo")
position = result.positions[0]
numbers = (position.realized, position.average_price, position.quantity)
assert all(type(number) is Decimal for number in numbers), position
name = SymbolTranslationBridge(url).canonical("VBYN25P3 110.250 Comdty", source_system="CTO")
validator = PnLComparisonValidator(position=0.0001, pnl=0.01)
old_result, new_result = result, bridge.calculate_pnl(trades, {zn: "110.546875"}, method="fifo")
print(json.dumps([
    [str(position.realized), str(position.unrealized), str(position["averagePrice"]),
     result.source, result.epoch > 0, result.stale],
    name, SymbolTranslationBridge(url).canonical(zn),
    SymbolTranslationBridge(url).translate(zn, "Bloomberg", "ActantTrades"),
    validator.validate_calculation(trades, old_result, old_result),
    validator.validate_calculation(trades, old_result, new_result),
], default=str))`);
    expect(printed).toEqual([
      ["15.625", "31.25", "110.5", "legacy", true, false],
      "ZN-2025-07-VY3-P110.250",
      "ZNU2025",
      "TYU5 Comdty",
      [],
      [
        { field: `positions[${zn}].unrealized`, old: "31.25", new: "46.875" },
        { field: "totals.USD.unrealized", old: "31.25", new: "46.875" },
        { field: "totals.USD.total", old: "46.875", new: "62.5" },
      ],
    ]);
  });

  it("writes records once, whatever the number of repetitions, and says why a record is refused", async () => {
    const printed = await program(`
database = DatabaseBridge(url, token="a-token-that-may-write")
time = "2025-07-24T16:00:00-05:00"
position = {"symbol": "XCMEFFDPSX20250930U0ZF", "quantity": Decimal("2"), "average_price": 110.5, "realized": 15.625,
            "unrealized": Decimal("31.25"), "as_of": time}
trade = {"id": 1, "symbol": zn, "side": "B", "quantity": 2, "price": "110.5", "time": time, "file": "by_hand.csv", "line": 1}
answers = [
    database.write_position(position, key="one"), database.write_position(position, key="one"),
    database.write_position(dict(position, quantity="3"), key="one"), database.write_trade(trade),
    database.write_trade(trade), database.write_trade(dict(trade, id=2, symbol="NO SUCH")),
    DatabaseBridge(url).write_trade(trade), DatabaseBridge("http://127.0.0.1:1", attempts=1).write_trade(trade),
]
print(json.dumps([[one.get("answer"), one.get("code"), one.get("version")] for one in answers]))`);
    expect(printed).toEqual([
      ["acknowledged", null, 1],
      ["acknowledged", null, 1],
      ["refused", "KEY_REUSED", null],
      ["acknowledged", null, 1],
      ["refused", "ALREADY_STORED", null],
      ["refused", "UNKNOWN_SYMBOL", null],
      ["refused", "REFUSED", null],
      ["unresolved", "DOWN", null],
    ]);
  });

  it("gets dashboards for a dict, a dataclass, an object or keywords; numbers are Decimals, and each answer has its freshness", async () => {
    const printed = await program(`
import types
@dataclasses.dataclass
class Request:
    view: str
    user: str = "trader1"
    book: str = None
dashboards = DashboardDataBridge(url)
screen = dashboards.get_pnl_data({"user": "trader1", "view": "screen", "limit": 1})
answers = [
    dashboards.get_pnl_data(Request("positions")),
    dashboards.get_pnl_data(types.SimpleNamespace(view="positions", user="Zoë", date=None)),
    dashboards.get_pnl_data(view="positions"),
]
total, position = screen.value.summary.totals.USD, answers[0].value.positions[0]
assert all(type(one) is Decimal for one in (total.realized, position.average_price, screen.value.chart[0].cumulative))
assert all(one.value == answers[0].value for one in answers)
print(json.dumps([
    screen.source, screen.epoch > 0, screen.stale, screen.complete, screen.truncated_at, screen.zone,
    sorted(screen.value), str(total.total == total.realized + total.unrealized), screen.value.unavailable,
    [one.symbol for one in answers[0].value.positions][:1],
    failure(lambda: dashboards.get_pnl_data(view="everything"))[0],
    failure(lambda: dashboards.get_pnl_data(beside=True))[3],
], default=str))`);
    expect(printed).toEqual([
      ...["legacy", true, false, false, 1, "America/Chicago"],
      ["chart", "daily", "positions", "summary", "trades", "unavailable"],
      ...["True", {}, [expect.any(String)], "BAD_USAGE", 403],
    ]);
  });

  it("offers a ledger to the file watcher, which answers its state", async () => {
    const printed = await program(`
import pathlib
files = FileWatcherAdapter(url, token="a-token-that-may-write")
answers = [files.on_file_change(pathlib.Path("ledgers") / "trades_20250724.csv") for _ in range(2)]
elsewhere = failure(lambda: files.on_file_change("trades_20250724.csv"))
unnamed = failure(lambda: files.on_file_change("ledgers/notes.txt"))
print(json.dumps([[[one.path, one.state, one.rows_applied] for one in answers], elsewhere, unnamed]))`);
    const state = ["trades_20250724.csv", "applied", 3];
    expect(printed).toEqual([
      [state, state],
      ["BAD_USAGE", "the file is in none of the watched folders", expect.any(String), 400],
      ["NO_INPUT", expect.stringContaining("watch.include"), expect.any(String), 404],
    ]);
  });

  it("calls every reading method of the service, in several threads at once", async () => {
    const printed = await program(`
bridge = PnLServiceBridge()
answers = {}
def ask(name, call):
    answers[name] = call()
calls = {
    "open": lambda: [str(one.quantity) for one in bridge.open_positions().positions],
    "history": lambda: [one.id for one in bridge.trade_history(limit=2).trades],
    "daily": lambda: bridge.daily_pnl(
        start=datetime.date(2025, 7, 25), end="2025-07-25", symbol=zn
    ).daily[0].trading_day,
    "totals": lambda: str(bridge.totals(symbol=zn).totals.USD.realized),
    "detail": lambda: bridge.position_detail(zn).position.symbol,
}
threads = [threading.Thread(target=ask, args=item) for item in calls.items()]
for thread in threads: thread.start()
for thread in threads: thread.join()
print(json.dumps(answers))`);
    expect(printed).toEqual({
      open: ["-3", "3"],
      history: ["6", "5"],
      daily: "2025-07-25",
      totals: "78.125",
      detail: zn,
    });
  });

  it("accepts dataclasses, enums, Decimal, dates, tuples and frames, and changes no number", async () => {
    const printed = await program(`
import collections
class Side(enum.Enum):
    BUY = "BUY"
@dataclasses.dataclass
class Trade:
    trade_id: int
    symbol: str
    side: Side
    quantity: Decimal
    price: Decimal
    timestamp: datetime.datetime
    fee: object = None
class Frame:
    """The parts of a pandas frame that the client uses."""
    columns = ["id"]
    def __init__(self, rows):
        self.rows = rows
    def to_dict(self, how):
        assert how == "records"
        return self.rows
row = dict(id=1, symbol=zn, side="buy", quantity=0.1 + 0.2, price=float("110.515625"), fee=float("nan"))
Tuple = collections.namedtuple("Tuple", "id symbol side quantity price")
bridge = PnLServiceBridge(url)
kinds = [
    [Trade(
        1, zn, Side.BUY, Decimal("0.1"), Decimal("110.0000000000000000000000001"),
        datetime.datetime(2025, 7, 24, 9, 30),
    )],
    Frame([row]),
    (Tuple(*one) for one in [("1", zn, "B", 3, 110)]),
]
positions = [bridge.calculate_pnl(one).positions[0] for one in kinds]
print(json.dumps([[str(one.quantity), str(one.average_price)] for one in positions]))`);
    expect(printed).toEqual([
      ["0.1", "110.0000000000000000000000001"],
      ["0.30000000000000004", "110.515625"],
      ["3", "110"],
    ]);
  });

  it.skipIf(!hasPandas)(
    `accepts pandas frames and series (${hasPandas ? "with" : "needs"} pandas)`,
    async () => {
      const printed = await program(`
import pandas
frame = pandas.DataFrame({
    "tradeId": [1, 2], "instrumentName": [zn, zn], "buySell": ["B", "S"],
    "quantity": [2, 1], "price": [110.5, 110.515625], "fee": [float("nan"), 2.5],
    "marketTradeTime": pandas.to_datetime(["2025-07-24 09:30:00", "2025-07-24 10:15:00"]),
})
bridge = PnLServiceBridge()
result = bridge.calculate_pnl(frame, pandas.Series({zn: 110.53125}))
prices_only = frame[["tradeId", "price"]]
records = json.loads(prices_only.to_json(orient="records"))
same = PnLComparisonValidator().validate_calculation(frame, {"rows": prices_only}, {"rows": records})
small = bridge.calculate_pnl(frame.astype({"price": "float32", "quantity": "Int64"}).head(1))
[position], [small_position] = result.positions, small.positions
print(json.dumps([
    str(position.unrealized), str(position.fees), same, str(small_position.average_price),
]))`);
      expect(printed).toEqual(["31.25", "2.5", [], "110.5"]);
    },
  );

  it("compares results of any shape within the tolerances", async () => {
    const printed = await program(`
old = {"position": 5.00005, "total_pnl": 100.001, "side": "long",
       "legs": [{"id": "1", "pnl": 1.0}, {"id": "2", "pnl": 2}]}
new = {"position": 5, "total_pnl": Decimal("100"), "side": "short",
       "legs": [{"id": "1", "pnl": 1.5}, {"id": "2", "pnl": 2}]}
print(json.dumps([
    PnLComparisonValidator(url=url).validate_calculation(None, old, new),
    PnLComparisonValidator(position=0, pnl=1, url=url).validate_calculation(None, old, new),
    failure(lambda: PnLComparisonValidator(pnl="much", url=url).validate_calculation(None, old, new))[0],
], default=str))`);
    const side = { field: "side", old: "long", new: "short" };
    expect(printed).toEqual([
      [side, { field: "legs[0].pnl", old: "1.0", new: "1.5" }],
      [{ field: "position", old: "5.00005", new: "5" }, side],
      "BAD_USAGE",
    ]);
  });

  it("raises every failure as an error with code, what and fix", async () => {
    const strange = createServer((request, response) => {
      if (request.url?.includes("hangs")) return;
      if (request.url?.includes("moved")) response.writeHead(302, { location: url }).end();
      else response.end("<html>");
    }).listen(0, "127.0.0.1");
    await once(strange, "listening");
    const other = `http://127.0.0.1:${(strange.address() as AddressInfo).port}`;
    try {
      const printed = await program(`
bridge = PnLServiceBridge(url)
print(json.dumps([
    failure(lambda: bridge.call("total", {})),
    failure(lambda: SymbolTranslationBridge(url).canonical("nothing")),
    failure(lambda: PnLServiceBridge(url, token="wrong").totals()),
    failure(lambda: PnLServiceBridge(url, user="a\\nb").totals()),
    failure(lambda: PnLServiceBridge("http://127.0.0.1:1").totals()),
    failure(lambda: PnLServiceBridge("${other}").totals()),
    failure(lambda: PnLServiceBridge("${other}/moved").totals()),
    failure(lambda: PnLServiceBridge("${other}/hangs", timeout=0.2).totals()),
    failure(lambda: PnLServiceBridge("file:///etc/passwd")),
    failure(lambda: bridge.totals(marks={zn: float("nan")})),
    failure(lambda: bridge.totals(marks=object)),
]))`);
      expect(printed).toEqual([
        [
          "BAD_USAGE",
          expect.stringContaining('no method "total"'),
          expect.stringContaining("did you mean totals?"),
          400,
        ],
        ["BAD_USAGE", expect.stringContaining("UNKNOWN_FORM"), "", 404],
        ["REFUSED", expect.stringContaining("token"), expect.anything(), 401],
        [
          "BAD_USAGE",
          expect.stringContaining("cannot be sent"),
          "check the URL, the user and the book",
          null,
        ],
        [
          "DOWN",
          expect.stringContaining("http://127.0.0.1:1 cannot be reached"),
          expect.stringContaining("serve"),
          null,
        ],
        ["GARBLED", expect.stringContaining("is not a gateway of pnl-bridge"), "check the URL", 200],
        ["GARBLED", expect.stringContaining("answers 302"), "check the URL", 302],
        ["TIMEOUT", expect.stringContaining("did not answer within 0.2 s"), expect.anything(), null],
        [
          "BAD_USAGE",
          expect.stringContaining("not an http or https URL"),
          "write http://127.0.0.1:8080",
          null,
        ],
        ["BAD_USAGE", expect.stringContaining("is not a finite number"), "leave out unknown values", null],
        ["BAD_USAGE", "a type cannot be sent", expect.anything(), null],
      ]);
    } finally {
      strange.close();
      strange.closeAllConnections();
    }
  });
});

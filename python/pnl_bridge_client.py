"""The Python client of pnl-bridge over HTTP: P&L service, dashboards, databases, files, symbols, comparison.

    from pnl_bridge_client import PnLServiceBridge, SymbolTranslationBridge, PnLComparisonValidator

    bridge = PnLServiceBridge("http://127.0.0.1:8080", user="trader1", book="UST")
    result = bridge.calculate_pnl(trades, prices)
    print(result.source, result.positions[0].realized)

The client is one file and needs only Python 3.9 or newer: copy it to your callers. `pnl-bridge serve` is its
server.

Arguments may be dicts, dataclasses, named tuples, Decimal, int, float, dates, enums, pandas frames and
series, and numpy numbers. A float is sent as its shortest text and never rounded. In rows of trades, in
records, in pandas frames and in the fields of a dashboard request, NaN means a missing value; elsewhere it
is refused.

Answers are objects whose keys are also attributes, as the bridge writes them or in snake case
(`averagePrice`, `average_price`). Prices, quantities and P&L are Decimal. An error is a BridgeError with
`code`, `what` and `fix`. Several threads may use one object.
"""

import dataclasses
import datetime
import decimal
import enum
import json
import math
import os
import re
import socket
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid

__all__ = [
    "BridgeError",
    "DashboardDataBridge",
    "DatabaseBridge",
    "ExcelReportBridge",
    "FileWatcherAdapter",
    "PnLComparisonValidator",
    "PnLServiceBridge",
    "SymbolTranslationBridge",
]

DEFAULT_URL = "http://127.0.0.1:8080"
ANSWER_BYTES_MAX = 64 << 20

# The fields of answers that hold numbers as text.
NUMBER_FIELDS = frozenset(
    (
        "quantity averagePrice realized unrealized total fees fee mark price pnl "
        "openPrice closePrice multiplier tick strike cumulative openPositions"
    ).split()
)
# Names that desks use for the fields of a trade, in lower case and without underscores.
TRADE_FIELDS = {
    "id": "id",
    "tradeid": "id",
    "symbol": "symbol",
    "instrument": "symbol",
    "instrumentname": "symbol",
    "book": "book",
    "side": "side",
    "buysell": "side",
    "quantity": "quantity",
    "price": "price",
    "time": "time",
    "timestamp": "time",
    "markettradetime": "time",
    "fee": "fee",
    "fees": "fee",
}
SIDES = {"B": "B", "BUY": "B", "S": "S", "SELL": "S"}


class BridgeError(Exception):
    """A call that failed.

    `code` is from the bridge's catalogue (or DOWN, TIMEOUT, GARBLED if no gateway answered). `what` names the
    fault, and `fix` the remedy (it may be empty). `status` is the status of the HTTP answer, or None.
    """

    def __init__(self, code, what, fix="", status=None):
        super().__init__("%s: %s%s" % (code, what, " (%s)" % fix if fix else ""))
        self.code = code
        self.what = what
        self.fix = fix
        self.status = status


class Answer(dict):
    """A JSON object whose keys are also attributes: `answer["averagePrice"]` is `answer.average_price`."""

    def __getattr__(self, name):
        for key in (name, re.sub(r"_([a-z])", lambda found: found.group(1).upper(), name)):
            if key in self:
                return self[key]
        raise AttributeError("the answer has no %s, only: %s" % (name, ", ".join(self) or "nothing"))


class Client:
    """The address of a gateway, and the user, book and token of the calls.

    `url` and `token` default to the environment variables PNL_BRIDGE_URL and PNL_BRIDGE_TOKEN.
    """

    def __init__(self, url=None, *, user=None, book=None, token=None, timeout=30.0):
        self.url = (url or os.environ.get("PNL_BRIDGE_URL") or DEFAULT_URL).rstrip("/")
        if not self.url.startswith(("http://", "https://")):
            what = "the URL of a gateway is not an http or https URL: %s" % self.url
            raise BridgeError("BAD_USAGE", what, "write http://127.0.0.1:8080")
        self.user = user
        self.book = book
        self.token = token or os.environ.get("PNL_BRIDGE_TOKEN") or None
        self.timeout = timeout

    def request(self, method, path, body=None, more=None):
        headers = {"accept": "application/json"}
        data = None
        if body is not None:
            headers["content-type"] = "application/json"
            data = json.dumps(body, ensure_ascii=True, allow_nan=False).encode("ascii")
        if self.token:
            headers["authorization"] = "Bearer %s" % self.token
        for name, value in (("x-pnl-user", self.user), ("x-pnl-book", self.book)):
            if value:
                # HTTP carries bytes; the bridge reads them as UTF-8.
                headers[name] = str(value).encode("utf-8").decode("latin-1")
        headers.update(more or {})
        try:
            url = self.url + "/api/v1" + path
            request = urllib.request.Request(url, data=data, headers=headers, method=method)
            with OPENER.open(request, timeout=self.timeout) as answer:
                return self._read(answer)
        except urllib.error.HTTPError as failure:
            with failure:
                raise self._problem(failure) from None
        except socket.timeout:
            raise self._no_answer() from None
        except urllib.error.URLError as failure:
            if isinstance(failure.reason, socket.timeout):
                raise self._no_answer() from None
            raise self._down(failure.reason) from None
        except ValueError as failure:
            what = "the request cannot be sent: %s" % failure
            raise BridgeError("BAD_USAGE", what, "check the URL, the user and the book") from failure
        except OSError as failure:
            raise self._down(failure) from None

    def _read(self, answer):
        text = answer.read(ANSWER_BYTES_MAX + 1)
        if len(text) > ANSWER_BYTES_MAX:
            what = "the answer has more than %d bytes" % ANSWER_BYTES_MAX
            raise BridgeError("TOO_LARGE", what, "request less", answer.status)
        try:
            return json.loads(text.decode("utf-8"), parse_float=decimal.Decimal, object_pairs_hook=answer_of)
        except ValueError as failure:
            what = "the server at %s is not a gateway of pnl-bridge: %s" % (self.url, failure)
            raise BridgeError("GARBLED", what, "check the URL", answer.status) from failure

    def _problem(self, failure):
        """Returns the error that a problem document describes."""
        try:
            problem = json.loads(failure.read(1 << 20).decode("utf-8"))
            return BridgeError(problem["code"], problem["detail"], problem.get("fix", ""), failure.code)
        except (ValueError, KeyError, TypeError, OSError):
            what = "%s answers %d %s" % (self.url, failure.code, failure.reason)
            return BridgeError("GARBLED", what, "check the URL", failure.code)

    def _no_answer(self):
        what = "%s did not answer within %g s" % (self.url, self.timeout)
        return BridgeError("TIMEOUT", what, "call again, or give a longer timeout")

    def _down(self, reason):
        what = "%s cannot be reached: %s" % (self.url, reason)
        return BridgeError("DOWN", what, "start pnl-bridge serve, or check the URL")


class NoRedirect(urllib.request.HTTPRedirectHandler):
    """Makes a redirect an error, because it would send the token to another address."""

    def redirect_request(self, *_):
        return None


# The proxies of the environment are not used: the gateway is on this machine or in its network.
OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}), NoRedirect)


class PnLServiceBridge(Client):
    """The P&L service behind the bridge. The plan of the migration decides which system answers a call.

    `user` and `book` of the calls decide their route. Every result has `source` ("legacy" or "modern"),
    `epoch`, `stale`, `stale_ms` and `fell_back`, in addition to the fields of the answer.
    """

    def call(self, method, request):
        """Calls any method of the P&L service."""
        answered = self.request("POST", "/pnl/" + urllib.parse.quote(method, safe=""), plain(request))
        result = Answer(answered["value"])
        vars(result).update(
            source=answered["source"],
            epoch=answered["epoch"],
            stale=answered["stale"],
            stale_ms=answered.get("staleMs"),
            fell_back=answered.get("fellBack"),
        )
        return result

    def calculate_pnl(self, trades, prices=None, method="fifo", **more):
        """Returns the P&L of these trades only.

        `prices` are marks by symbol; `more` may hold `instruments` and `asOf`. The fields of a trade have the
        bridge's names (id, symbol, side, quantity, price, time, fee, book) or those of the desk's ledgers
        (tradeId, instrumentName, buySell, marketTradeTime). A time without a zone is Chicago time. Other
        fields are sent as they are.
        """
        request = {"trades": [trade_of(row) for row in rows_of(trades)], "method": method, **more}
        if prices is not None:
            request["marks"] = {symbol: number_text(price) for symbol, price in prices.items()}
        return self.call("calculatePnl", request)

    def open_positions(self, **filters):
        """Returns the open positions. Filters: symbol, book, asOf, method, marks."""
        return self.call("openPositions", filters)

    def trade_history(self, limit=500, **filters):
        """Returns trades, newest first. Filters: symbol, book, asOf."""
        return self.call("tradeHistory", {"limit": limit, **filters})

    def daily_pnl(self, start=None, end=None, **filters):
        """Returns P&L by day and symbol, oldest first; the days `start` and `end` are included.

        Filters: symbol, book, asOf, method, marks.
        """
        days = {key: day for key, day in (("from", start), ("to", end)) if day is not None}
        return self.call("dailyPnl", {**days, **filters})

    def totals(self, **filters):
        """Returns the sums of P&L by currency. Filters: symbol, book, asOf, method, marks."""
        return self.call("totals", filters)

    def position_detail(self, symbol, **filters):
        """Returns one position with its open lots; `.position` is None if the system does not know it."""
        return self.call("positionDetail", {"symbol": symbol, **filters})


class DatabaseBridge(Client):
    """Writes trades, positions, prices and daily P&L to both databases of the migration.

    Each write has a key. A write that is repeated under its key takes effect only once, so a write whose
    answer is lost is sent again with its key; it is sent `attempts` times at most.
    """

    def __init__(self, url=None, *, attempts=5, pause=0.2, **client):
        super().__init__(url, **client)
        self.attempts = attempts
        self.pause = pause

    def write_position(self, position, key=None):
        return self.write([dict(record_of(position), kind="position")], key)

    def write_trade(self, trade, key=None):
        return self.write([dict(record_of(trade), kind="trade")], key)

    def write_price(self, price, key=None):
        return self.write([dict(record_of(price), kind="price")], key)

    def write_daily_pnl(self, daily, key=None):
        return self.write([dict(record_of(daily), kind="daily_pnl")], key)

    def write(self, records, key=None):
        """Writes records as one transaction; returns an Answer whose `answer` is the outcome.

        `acknowledged`: both databases have the records or will have them. `refused`: neither has them, unless
        the outcome of an earlier attempt is unknown; `code` and `because` give the reason. `unresolved`: the
        outcome is unknown; send the same records again with the `key` of the answer.
        """
        key = key or uuid.uuid4().hex
        for attempt in range(1, self.attempts + 1):
            try:
                answer = self.request("POST", "/records", {"records": records}, {"idempotency-key": key})
                return Answer(answer, answer="acknowledged", key=key)
            except BridgeError as failure:
                is_known = failure.code not in ("UNRESOLVED", "DRAINING", "DOWN", "TIMEOUT", "SYSTEM_DOWN")
                if is_known or attempt == self.attempts:
                    kind = "refused" if is_known or failure.code == "DRAINING" else "unresolved"
                    return Answer(answer=kind, code=failure.code, because=failure.what, key=key)
            time.sleep(self.pause * attempt)

    @property
    def migration_mode(self):
        """`dual_write`, `old_only` or `new_only`."""
        return self.request("GET", "/migration")["plan"]["migrationMode"]


class FileWatcherAdapter(Client):
    """Offers files of the watched folders that another watcher has noticed.

    Each row takes effect exactly once, however often its file is offered. The bridge also watches the folders
    itself, so it applies files that are never offered.
    """

    def on_file_change(self, filepath):
        """Makes the bridge look at a file now; returns its state as `watch status` shows it."""
        return self.request("POST", "/files", {"path": os.path.abspath(filepath)})


class DashboardDataBridge(Client):
    """The figures of the desk's dashboards, from the system that the plan gives each user."""

    def get_pnl_data(self, request=None, **more):
        """Returns one view: `.value` with its panels, and `source`, `as_of`, `stale` and so on beside it.

        A request has `view` (screen, summary, positions, daily, trades or chart; by default screen, which is
        all of them from one system), `user`, `book`, `date`, `limit`, `cursor` and `beside` (True adds what
        the other system shows). It is a dict, a dataclass or any object with these attributes; a keyword
        replaces the attribute of the same name. A figure that is not available is None, and
        `value.unavailable` says why; it is never 0.
        """
        asked = dict(fields_of(request) if request is not None else {}, **more)
        query = {"book": self.book}
        for name in ("view", "book", "date", "limit", "cursor", "beside"):
            if not is_missing(asked.get(name)):
                query[name] = plain(asked[name])
        known = {key: str(one).lower() if isinstance(one, bool) else one for key, one in query.items() if one}
        user = asked.get("user") or self.user
        headers = {"x-pnl-user": str(user).encode("utf-8").decode("latin-1")} if user else {}
        return self.request("GET", "/dashboard?" + urllib.parse.urlencode(known), more=headers)


class ExcelReportBridge(Client):
    """The desk's daily Excel report, from the system that the plan gives each user.

    A report may wait for seven others, and each may take 300 seconds: hence the long default of `timeout`.
    """

    def __init__(self, url=None, *, timeout=2400.0, **names):
        super().__init__(url, timeout=timeout, **names)

    def generate_daily_pnl(self, date):
        """Writes the report of a day (a date or YYYY-MM-DD); returns `path`, `side`, `because` and `version`.

        `diff` is the comparison with the other system's report (`path`, `ok`, `counts`, `failedTotals`), in
        phases that compare. The path is on the gateway's machine.
        """
        day = str(plain(date))[:10]
        return self.request("GET", "/reports/" + urllib.parse.quote(day, safe=""))


class SymbolTranslationBridge(Client):
    """Translates names of instruments between dialects.

    `source_system` is a dialect, another name of a dialect ("CTO", "new"), or "auto" to detect it.
    """

    def variants(self, symbol, source_system="auto"):
        """Returns the symbol's name in every dialect, and its instrument."""
        query = urllib.parse.urlencode({"from": source_system.lower()})
        return self.request("GET", "/symbols/%s?%s" % (urllib.parse.quote(symbol, safe=""), query))

    def canonical(self, symbol, source_system="auto"):
        """Returns the canonical name. Raises BridgeError if the symbol may mean two instruments."""
        return self.variants(symbol, source_system).canonical

    def translate(self, symbol, target_system, source_system="auto"):
        """Returns the symbol's name in another dialect, such as "bloomberg" or "actant-trades"."""
        variants = self.variants(symbol, source_system).variants
        if target_system.lower() not in variants:
            what = "there is no dialect %r" % target_system
            raise BridgeError("BAD_USAGE", what, "the dialects are %s" % ", ".join(variants))
        named = variants[target_system.lower()]
        if "text" not in named:
            raise BridgeError(named.error.code, named.error.why)
        return named.text


class PnLComparisonValidator(Client):
    """Compares two results exactly, like the bridge.

    Quantities and prices may differ by `position`, and P&L by `pnl`.
    """

    def __init__(self, position="0.0001", pnl="0.01", url=None, **client):
        super().__init__(url, **client)
        self.tolerances = {"position": number_text(position), "pnl": number_text(pnl)}

    def validate_calculation(self, trades, old_result, new_result):
        """Returns the fields beyond tolerance, the largest difference first: [{"field", "old", "new"}].

        The list is empty if the results agree. `trades` may be None: only the results are compared.
        """
        body = {"legacy": plain(old_result), "modern": plain(new_result), "tolerances": self.tolerances}
        answer = self.request("POST", "/validate", body)
        if answer.more:
            what = "more than %d fields differ" % len(answer.differences)
            raise BridgeError("TOO_LARGE", what, "compare the results in parts")
        return [mismatch_of(one) for one in answer.differences]


def mismatch_of(difference):
    """Describes a field beyond tolerance. In `positions[UST TYU5].realized`, the brackets name the entry."""
    path, entry = difference["path"], difference["entry"]
    is_number = difference["difference"] is not None or path.rpartition(".")[2] in NUMBER_FIELDS
    sides = (difference["legacy"], difference["modern"])
    old, new = map(number_or_text, sides) if is_number else sides
    return {"field": path if entry is None else path.replace("[]", "[%s]" % entry, 1), "old": old, "new": new}


# --- requests -----------------------------------------------------------------------------------------------


def plain(value):
    """Converts a value for JSON without changing a number. Raises BridgeError if JSON cannot hold it."""
    if value is None or isinstance(value, (bool, str, int)) and not isinstance(value, enum.Enum):
        return value
    if isinstance(value, enum.Enum):
        return plain(value.value)
    if isinstance(value, decimal.Decimal):
        return number_text(value)
    if isinstance(value, float):
        return number_text(value)
    if isinstance(value, (datetime.date, datetime.time)):
        return value.isoformat() if value == value else None  # pandas.NaT does not equal itself.
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if hasattr(value, "_asdict"):
        return plain(value._asdict())
    if hasattr(value, "items"):  # a mapping, or a pandas Series
        is_frame = hasattr(value, "columns")
        return rows_of(value) if is_frame else {str(key): plain(one) for key, one in value.items()}
    if type(value).__module__ == "numpy" and hasattr(value, "dtype") and not hasattr(value, "__len__"):
        return number_text(value) if value.dtype.kind == "f" else plain(value.item())
    if hasattr(value, "__iter__") and not isinstance(value, (bytes, bytearray)):
        return [plain(one) for one in value]
    what = "a %s cannot be sent" % type(value).__qualname__
    raise BridgeError("BAD_USAGE", what, "use numbers, text, dates, dicts and lists")


def number_text(value):
    """Returns the exact decimal text of a number; for a float, its shortest text."""
    if isinstance(value, str):
        return value
    number = value if isinstance(value, decimal.Decimal) else decimal.Decimal(str(value))
    if not math.isfinite(number):
        raise BridgeError("BAD_USAGE", "%s is not a finite number" % value, "leave out unknown values")
    return format(number, "f")


def rows_of(rows):
    """Returns the rows of a list or of a pandas frame as dicts, without the missing values."""
    if hasattr(rows, "to_dict") and hasattr(rows, "columns"):
        rows = rows.to_dict("records")
    return [{key: plain(one) for key, one in fields_of(row).items() if not is_missing(one)} for row in rows]


def fields_of(row):
    if dataclasses.is_dataclass(row) and not isinstance(row, type):
        return {field.name: getattr(row, field.name) for field in dataclasses.fields(row)}
    if hasattr(row, "_asdict"):
        return row._asdict()
    return row if hasattr(row, "items") else vars(row)


def is_missing(value):
    """Returns whether a value is None, NaN, NaT or pandas.NA, which mean missing values."""
    is_nan = isinstance(value, (float, datetime.date)) and value != value
    return value is None or is_nan or str(value) in ("<NA>", "NaT")


def record_of(row):
    """Converts a record to the bridge's names: `average_price` is `averagePrice`. Numbers become text."""
    record = {}
    for name, value in fields_of(row).items():
        ours = re.sub(r"_([a-z])", lambda found: found.group(1).upper(), str(name))
        if not is_missing(value):
            whole = ours in ("line", "occurrence")
            value = plain(value)
            is_number = isinstance(value, int) and not isinstance(value, bool) and not whole
            record[ours] = str(value) if is_number or ours == "id" else value
    return record


def trade_of(row):
    """Converts a trade to the bridge's names."""
    trade = {}
    for name, value in row.items():
        ours = TRADE_FIELDS.get(str(name).lower().replace("_", ""), name)
        if ours in trade:
            what = "a trade has %s twice, once as %s" % (ours, name)
            raise BridgeError("BAD_USAGE", what, "leave one of them out")
        if ours == "side":
            trade[ours] = SIDES.get(str(value).upper(), value)
        else:
            trade[ours] = number_text(value) if ours in ("quantity", "price", "fee") else value
    if "id" in trade:
        trade["id"] = str(trade["id"])
    return trade


# --- answers ------------------------------------------------------------------------------------------------


def answer_of(pairs):
    return Answer((key, number_or_text(value) if key in NUMBER_FIELDS else value) for key, value in pairs)


def number_or_text(value):
    """Converts decimal text and fractions `p/q` to Decimal (a fraction to 50 digits); keeps other values."""
    if not isinstance(value, str):
        return decimal.Decimal(value) if isinstance(value, int) and not isinstance(value, bool) else value
    if not re.fullmatch(r"-?\d+(\.\d+)?(/\d+)?", value):
        return value
    above, _, below = value.partition("/")
    if not below:
        return decimal.Decimal(above)
    return decimal.Context(prec=50).divide(decimal.Decimal(above), decimal.Decimal(below))

"""Writes an adapter to start from: `pnl-bridge doctor --system legacy --write-adapter FILE` runs it.

Reads an order from stdin as JSON and prints the text of the adapter: a class that offers the methods of the bridge and calls those of
the service. To see how the service names its fields, it makes the service, read-only where the service can be, and calls each of the
methods that the order names once. The order:

    {"target": "module:Name", "arguments": JSON of its constructor or null, "adapter": "desk_adapter", "pnlIn": "money" or "points",
     "names": {"openPositions": "get_open_positions"}, "keys": {"openPositions": ["symbol"]}, "likely": {"symbol": ["instrument"]},
     "shapes": {"openPositions": {"part": "positions", "fields": ["symbol"]}}}
"""

import inspect
import json
import os
import re
import sys

from pnl_bridge_worker import build, load, parameters_of, private_descriptors, signature_of, to_json

# The tables of names in an adapter: the method whose rows show the names, and the fields that a row may lack.
TABLES = {
    "POSITION": ("openPositions", ["book", "currency"]),
    "TRADE": ("tradeHistory", ["time", "book"]),
    "DAY": ("dailyPnl", ["book"]),
    "TOTAL": ("totals", []),
    "DETAIL": ("positionDetail", ["book", "currency"]),
}
METHODS = ["calculatePnl", "openPositions", "tradeHistory", "dailyPnl", "totals", "positionDetail"]


class Adapter:
    def __init__(self, order):
        self.order = order
        self.names = order["names"]
        made, self.class_name = load(order["target"])
        if inspect.isclass(made) or inspect.isroutine(made):
            made = build(made, order["arguments"], True)
        self.service = made
        self.answers = {}
        for method in METHODS:
            self.answers[method] = self.ask(method) if method in self.names else None

    def ask(self, method):
        """The answer to a harmless question, as JSON holds it; None where the method needs what the bridge cannot name, or fails."""
        if method == "calculatePnl":
            return None  # The names of the fields of its trades are not known yet.
        row = self.first_row("POSITION") if method != "openPositions" else None
        known = {"symbol": (row or {}).get(self.theirs("symbol", row)), "method": "fifo", "limit": 5}
        try:
            needed = {name: known[name] for name in self.required(method)}
            return json.loads(to_json(getattr(self.service, self.names[method])(**needed)))
        except Exception as failure:
            print("%s could not be asked: %s" % (self.names[method], failure), file=sys.stderr)
            return None

    def required(self, method):
        """The parameters that a call cannot do without."""
        signature = signature_of(getattr(self.service, self.names[method]))
        return [
            name
            for name, parameter in (signature.parameters if signature else {}).items()
            if parameter.default is parameter.empty and parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
        ]

    def theirs(self, field, row):
        """The service's name of a field in a row; None where nothing looks like it."""
        for name in [field.lower()] + self.order["likely"].get(field, []):
            for key in row or {}:
                if re.sub("[^a-z0-9]", "", key.lower()) == name:
                    return key
        return None

    def first_row(self, table):
        answer = self.answers.get(TABLES[table][0])
        if table == "TOTAL":
            return answer if isinstance(answer, dict) else None
        rows, _ = self.rows_in(answer)
        return rows[0] if rows else None

    def rows_in(self, answer):
        """The rows of an answer of any shape, and the key under which they stand: None for the answer itself."""
        if is_rows(answer):
            return answer, None
        if not isinstance(answer, dict):
            return [], None
        if self.theirs("symbol", answer):
            return [answer], None
        for key, value in answer.items():
            if is_rows(value):
                return value, key
        return [dict(row, symbol=symbol) for symbol, row in answer.items() if isinstance(row, dict)], None

    # --- the text -------------------------------------------------------------------------------------------------------

    def text(self):
        tables = [self.table(name) for name, (method, _) in TABLES.items() if self.uses(name, method)]
        bodies = ["    def %s(self, request):\n        %s\n" % (method, "\n        ".join(self.body(method))) for method in self.names]
        absent = [method for method in METHODS if method not in self.names]
        if absent:
            bodies.append("    # CHECK: nothing in the service looks like %s.\n" % ", ".join(absent))
        return TEXT % {
            "target": self.order["target"],
            "adapter": self.order["adapter"],
            "module": self.order["target"].partition(":")[0],
            "name": self.class_name,
            "tables": "\n".join(tables),
            "bodies": "\n".join(bodies),
        }

    def uses(self, table, method):
        return method in self.names or "calculatePnl" in self.names and table in ("POSITION", "TRADE")

    def table(self, table):
        method, optional = TABLES[table]
        row = self.first_row(table)
        fields = self.order["shapes"][method]["fields"]
        if row is None:
            return "%s = {%s}  # CHECK: no row was seen" % (table, ", ".join('"%s": "%s"' % (field, field) for field in fields))
        lines = []
        for field in fields + [field for field in optional if self.theirs(field, row)]:
            theirs = self.theirs(field, row)
            lines.append('    "%s": %s' % (field, json.dumps(theirs) + "," if theirs else "None,  # CHECK: nothing looks like it"))
        return "%s = {\n%s\n}" % (table, "\n".join(lines))

    def body(self, method):
        """The lines of one method of the adapter."""
        call = "self.service.%s(%s)" % (self.names[method], self.arguments(method))
        rows, key = self.rows_in(self.answers[method])
        table = next((table for table, (own, _) in TABLES.items() if own == method), "POSITION")
        read = "rows(%s%s, %s, request)" % (call, "" if key is None else "[%s]" % json.dumps(key), table)
        if method == "calculatePnl":
            return [
                'names = dict(TRADE, time=TRADE.get("time", "time"))',
                'trades = [{theirs: trade.get(ours) for ours, theirs in names.items()} for trade in request["trades"]]',
                "for trade in trades:  # CHECK: the bridge sends numbers as text",
                '    trade.update({names[field]: float(trade[names[field]]) for field in ("quantity", "price")})',
                "positions = rows(%s, POSITION, {})  # CHECK: no answer was seen" % call,
                'return {"positions": positions, "totals": {}, "rejected": []}',
            ]
        if method == "tradeHistory":
            row = rows[0] if rows else {}
            sided = [] if row.get(self.theirs("side", row)) in ("B", "S") else [
                '    trade["side"] = str(trade["side"])[:1].upper()  # CHECK: it must be B or S'
            ]
            timed = ['trades.sort(key=lambda trade: trade["time"], reverse=True)'] if self.theirs("time", row) else []
            return [
                "trades = %s" % read,
                "for trade in trades:",
                '    trade["id"] = str(trade["id"])',
                *sided,
                *timed,
                'return {"trades": trades[: request.get("limit", 500)]}',
            ]
        if method == "totals" and self.order["pnlIn"] == "points":
            return [
                "# Totals in points become money by the positions beside them.",
                'return {"positions": self.openPositions(request)["positions"], "totals": {}}  # CHECK: with closed positions',
            ]
        if method == "totals":
            return ['return {"totals": {"USD": named(%s, TOTAL)}}  # CHECK the currency' % call]
        if method == "positionDetail" and self.answers[method] in rows:
            return ["row = %s" % call, 'return {"position": named(row, DETAIL) if row else None}']
        if method == "positionDetail":
            return ["found = %s" % read, 'return {"position": found[0] if found else None}']
        return ['return {"%s": %s}' % (self.order["shapes"][method]["part"], read)]

    def arguments(self, method):
        """What the adapter hands to the service: what it cannot do without, and a limit."""
        given = []
        required = self.required(method)
        for text in parameters_of(getattr(self.service, self.names[method])) or []:
            name = text.partition("=")[0]
            if method == "calculatePnl" and name == "trades":
                given.append("trades=trades")
            elif method == "calculatePnl" and name in ("prices", "marks", "market_prices"):
                given.append('%s=request.get("marks", {})' % name)
            elif name == "limit":
                # The service would limit before the adapter chooses the rows of a symbol.
                given.append('limit=1_000_000 if "symbol" in request or "book" in request else request.get("limit", 500)')
            elif name in required:
                given.append('%s=request.get("%s")' % (name, name) if name in self.order["keys"][method] else "%s=None" % name)
        return ", ".join(given)


def is_rows(value):
    return isinstance(value, list) and all(isinstance(row, dict) for row in value)


TEXT = '''"""Offers %(target)s to pnl-bridge under the names of the bridge.

`pnl-bridge doctor --write-adapter` wrote it from what it found. It is yours: read it, correct the lines marked with CHECK, and keep it
beside the service. In the configuration, name %(adapter)s:Desk instead of %(target)s.
"""

from %(module)s import %(name)s

# The bridge's name of each field, and the service's.
%(tables)s


class Desk:
    def __init__(self, *arguments, **keywords):
        self.service = %(name)s(*arguments, **keywords)

%(bodies)s

def rows(answer, names, request):
    """The rows of an answer that the request asks for, under the bridge's names."""
    if hasattr(answer, "to_dict"):  # a pandas frame
        answer = answer.to_dict("records")
    if isinstance(answer, dict):  # rows by symbol
        answer = [dict(row, symbol=symbol) for symbol, row in answer.items()]
    return [row for row in (named(row, names) for row in answer) if is_asked(row, request)]


def named(row, names):
    """One row under the bridge's names. An object that is no dict is read by its attributes."""
    if not isinstance(row, dict):
        row = row._asdict() if hasattr(row, "_asdict") else vars(row)
    return {ours: row[theirs] if theirs else None for ours, theirs in names.items()}


def is_asked(row, request):
    """Whether a row is within the symbol, the book and the days that a request names."""
    day = row.get("tradingDay")
    return (
        request.get("symbol") in (None, row["symbol"])
        and request.get("book") in (None, row.get("book"))
        and (day is None or request.get("from", "") <= str(day) <= request.get("to", "9"))
    )
'''


def main():
    order = json.load(sys.stdin)
    # What the service prints goes to stderr: stdout is for the adapter.
    _, out = private_descriptors()
    sys.path.insert(0, os.getcwd())
    os.write(out, Adapter(order).text().encode("utf-8"))


if __name__ == "__main__":
    main()

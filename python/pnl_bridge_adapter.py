"""Writes the first draft of an adapter: `pnl-bridge doctor --system legacy --write-adapter FILE` runs it.

Reads a request from stdin as JSON and prints the text of the adapter: a class with the methods of the bridge,
which call the methods of the service. To find the service's names of the fields, it creates the service
(with `read_only=True` if its constructor has this parameter) and calls, once each, the methods that the
request names, except calculatePnl and those that require an unknown argument. The request has this form:

    {"target": "module:Name", "arguments": arguments of the constructor as JSON, or null,
     "adapter": "desk_adapter", "pnlIn": "money" or "points",
     "names": {"openPositions": "get_open_positions"}, "keys": {"openPositions": ["symbol"]},
     "likely": {"symbol": ["instrument"]},
     "shapes": {"openPositions": {"part": "positions", "fields": ["symbol"]}}}
"""

import inspect
import json
import os
import re
import sys

from pnl_bridge_worker import build, load, parameters_of, private_descriptors, signature_of, to_json

# The tables of names in an adapter: the method whose rows show the names, and the optional fields of a row.
TABLES = {
    "POSITION": ("openPositions", ["book", "currency"]),
    "TRADE": ("tradeHistory", ["time", "book"]),
    "DAY": ("dailyPnl", ["book"]),
    "TOTAL": ("totals", []),
    "DETAIL": ("positionDetail", ["book", "currency"]),
}
METHODS = ["calculatePnl", "openPositions", "tradeHistory", "dailyPnl", "totals", "positionDetail"]


class Adapter:
    def __init__(self, request):
        self.request = request
        self.names = request["names"]
        made, self.class_name = load(request["target"])
        if inspect.isclass(made) or inspect.isroutine(made):
            made = build(made, request["arguments"], True)
        self.service = made
        self.answers = {}
        for method in METHODS:
            self.answers[method] = self.ask(method) if method in self.names else None

    def ask(self, method):
        """Calls a method that only reads, and returns its answer as JSON values.

        Returns None if the method fails, or needs an argument that is unknown here.
        """
        if method == "calculatePnl":
            return None  # The field names of its trades are not known yet.
        row = self.first_row("POSITION") if method != "openPositions" else None
        known = {"symbol": (row or {}).get(self.theirs("symbol", row)), "method": "fifo", "limit": 5}
        required = self.required(method)
        unknown = [name for name in required if name not in known]
        if unknown:
            what = "%s was not called, because its argument %s is unknown"
            print(what % (self.names[method], unknown[0]), file=sys.stderr)
            return None
        try:
            needed = {name: known[name] for name in required}
            return json.loads(to_json(getattr(self.service, self.names[method])(**needed)))
        except Exception as failure:
            print("the call of %s failed: %s" % (self.names[method], failure), file=sys.stderr)
            return None

    def required(self, method):
        """Lists the required parameters of a method."""
        signature = signature_of(getattr(self.service, self.names[method]))
        variable = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
        return [
            name
            for name, parameter in (signature.parameters if signature else {}).items()
            if parameter.default is parameter.empty and parameter.kind not in variable
        ]

    def theirs(self, field, row):
        """Returns the service's name of a field in a row, or None if no name is similar."""
        for name in [field.lower()] + self.request["likely"].get(field, []):
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
        """Returns the rows of an answer of any shape, and their key in it (None without a key)."""
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

    # --- the text -------------------------------------------------------------------------------------------

    def text(self):
        tables = [self.table(name) for name, (method, _) in TABLES.items() if self.uses(name, method)]
        bodies = [
            "    def %s(self, request):\n        %s\n" % (method, "\n        ".join(self.body(method)))
            for method in self.names
        ]
        absent = [method for method in METHODS if method not in self.names]
        if absent:
            bodies.append("    # CHECK: nothing in the service looks like %s.\n" % ", ".join(absent))
        return TEXT % {
            "target": self.request["target"],
            "adapter": self.request["adapter"],
            "module": self.request["target"].partition(":")[0],
            "name": self.class_name,
            "tables": "\n".join(tables),
            "bodies": "\n".join(bodies),
        }

    def uses(self, table, method):
        return method in self.names or "calculatePnl" in self.names and table in ("POSITION", "TRADE")

    def table(self, table):
        method, optional = TABLES[table]
        row = self.first_row(table)
        fields = self.request["shapes"][method]["fields"]
        if row is None:
            names = ", ".join('"%s": "%s"' % (field, field) for field in fields)
            return "%s = {%s}  # CHECK: no row of an answer shows the service's names" % (table, names)
        lines = []
        for field in fields + [field for field in optional if self.theirs(field, row)]:
            theirs = self.theirs(field, row)
            value = json.dumps(theirs) + "," if theirs else "None,  # CHECK: no field has a similar name"
            lines.append('    "%s": %s' % (field, value))
        return "%s = {\n%s\n}" % (table, "\n".join(lines))

    def body(self, method):
        """Returns the lines of one method of the adapter."""
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
                "positions = rows(%s, POSITION, {})  # CHECK: this method was not called" % call,
                'return {"positions": positions, "totals": {}, "rejected": []}',
            ]
        if method == "tradeHistory":
            row = rows[0] if rows else {}
            sided = [] if row.get(self.theirs("side", row)) in ("B", "S") else [
                '    trade["side"] = str(trade["side"])[:1].upper()  # CHECK: it must be B or S'
            ]
            sort = 'trades.sort(key=lambda trade: trade["time"], reverse=True)'
            timed = [sort] if self.theirs("time", row) else []
            return [
                "trades = %s" % read,
                "for trade in trades:",
                '    trade["id"] = str(trade["id"])',
                *sided,
                *timed,
                'return {"trades": trades[: request.get("limit", 500)]}',
            ]
        if method == "totals" and self.request["pnlIn"] == "points":
            return [
                "# The bridge computes the totals in money from these positions.",
                'positions = self.openPositions(request)["positions"]  # CHECK: closed positions must be included',
                'return {"positions": positions, "totals": {}}',
            ]
        if method == "totals":
            return ['return {"totals": {"USD": named(%s, TOTAL)}}  # CHECK the currency' % call]
        if method == "positionDetail" and self.answers[method] in rows:
            return ["row = %s" % call, 'return {"position": named(row, DETAIL) if row else None}']
        if method == "positionDetail":
            return ["found = %s" % read, 'return {"position": found[0] if found else None}']
        return ['return {"%s": %s}' % (self.request["shapes"][method]["part"], read)]

    def arguments(self, method):
        """Returns the arguments of the adapter's call: the required parameters, and a limit."""
        given = []
        required = self.required(method)
        for text in parameters_of(getattr(self.service, self.names[method])) or []:
            name = text.partition("=")[0]
            if method == "calculatePnl" and name == "trades":
                given.append("trades=trades")
            elif method == "calculatePnl" and name in ("prices", "marks", "market_prices"):
                given.append('%s=request.get("marks", {})' % name)
            elif name == "limit":
                # The service would apply the limit before the adapter selects the rows of a symbol or a book.
                limit = '1_000_000 if "symbol" in request or "book" in request else request.get("limit", 500)'
                given.append("limit=%s" % limit)
            elif name in required:
                is_key = name in self.request["keys"][method]
                given.append('%s=request.get("%s")' % (name, name) if is_key else "%s=None" % name)
        return ", ".join(given)


def is_rows(value):
    return isinstance(value, list) and all(isinstance(row, dict) for row in value)


TEXT = '''"""Offers %(target)s to pnl-bridge under the names of the bridge.

`pnl-bridge doctor --write-adapter` generated this file from its findings. Read it, correct the lines marked
CHECK, and keep it beside the service. In the configuration, name %(adapter)s:Desk instead of %(target)s.
"""

from %(module)s import %(name)s

# The bridge's name of each field, and the service's name.
%(tables)s


class Desk:
    def __init__(self, *arguments, **keywords):
        self.service = %(name)s(*arguments, **keywords)

%(bodies)s

def rows(answer, names, request):
    """Returns the rows of an answer that the request selects, with the bridge's names."""
    if hasattr(answer, "to_dict"):  # a pandas frame
        answer = answer.to_dict("records")
    if isinstance(answer, dict):  # rows by symbol
        answer = [dict(row, symbol=symbol) for symbol, row in answer.items()]
    return [row for row in (named(row, names) for row in answer) if is_selected(row, request)]


def named(row, names):
    """Returns one row with the bridge's names. An object that is not a dict is read by its attributes."""
    if not isinstance(row, dict):
        row = row._asdict() if hasattr(row, "_asdict") else vars(row)
    return {ours: row[theirs] if theirs else None for ours, theirs in names.items()}


def is_selected(row, request):
    """Whether a row has the symbol and the book and is within the days that the request names."""
    day = row.get("tradingDay")
    return (
        request.get("symbol") in (None, row["symbol"])
        and request.get("book") in (None, row.get("book"))
        and (day is None or request.get("from", "") <= str(day) <= request.get("to", "9"))
    )
'''


def main():
    request = json.load(sys.stdin)
    # The output of the service goes to stderr, because stdout is for the adapter.
    _, out = private_descriptors()
    sys.path.insert(0, os.getcwd())
    os.write(out, Adapter(request).text().encode("utf-8"))


if __name__ == "__main__":
    main()

"""A small desk's P&L service, with floats, FIFO, and a few habits of its own.

It does not know pnl-bridge; python/pnl_bridge_worker.py puts it behind the bridge without a change.
"""

from collections import defaultdict, deque

MULTIPLIERS = {"XCMEFFDPSX20250919U0ZN": 1000.0, "XCMEFFDPSX20250919U0ZF": 1000.0}
CURRENCIES = {"XCMEFFDPSX20250919U0ZN": "USD", "XCMEFFDPSX20250919U0ZF": "USD"}


class Lot:
    def __init__(self, trade_id, quantity, price):
        self.trade_id = trade_id
        self.quantity = quantity  # negative when short
        self.price = price


class Position:
    def __init__(self, symbol, multiplier, currency):
        self.symbol = symbol
        self.multiplier = multiplier
        self.currency = currency
        self.lots = deque()
        self.realized = 0.0
        self.fees = 0.0

    def trade(self, trade_id, signed, price):
        """Closes open lots of the other side, oldest first; the rest of the trade opens a lot."""
        matches = []
        while signed and self.lots and (self.lots[0].quantity > 0) != (signed > 0):
            lot = self.lots[0]
            closed = min(abs(lot.quantity), abs(signed))
            direction = 1.0 if lot.quantity > 0 else -1.0
            pnl = (price - lot.price) * closed * direction * self.multiplier
            self.realized += pnl
            matches.append(
                {
                    "symbol": self.symbol,
                    "openTradeId": lot.trade_id,
                    "closeTradeId": trade_id,
                    "quantity": closed,
                    "openPrice": lot.price,
                    "closePrice": price,
                    "pnl": pnl,
                }
            )
            lot.quantity -= direction * closed
            signed += direction * closed
            if not lot.quantity:
                self.lots.popleft()
        if signed:
            self.lots.append(Lot(trade_id, signed, price))
        return matches

    @property
    def quantity(self):
        return sum(lot.quantity for lot in self.lots)

    @property
    def average_price(self):
        return sum(lot.quantity * lot.price for lot in self.lots) / self.quantity if self.quantity else None

    def unrealized(self, mark):
        # A habit: without a mark the P&L is 0, which was easier to print than an empty cell.
        if mark is None:
            return 0.0
        return sum((mark - lot.price) * lot.quantity for lot in self.lots) * self.multiplier


class DeskService:
    def calculatePnl(self, trades, marks=None, method="fifo", asOf=None, instruments=None):
        # A habit: the desk ignores `method`, which was added later, and always answers FIFO.
        print("desk: %d trades, %s" % (len(trades), method))
        marks, instruments = marks or {}, instruments or {}
        positions, matches, rejected = {}, [], []
        for index, trade in enumerate(trades):
            try:
                quantity, price = float(trade["quantity"]), float(trade["price"])
            except ValueError as error:
                rejected.append({"index": index, "code": "BAD_NUMBER", "why": str(error)})
                continue
            if asOf is not None and trade.get("time", "") > asOf:
                continue
            symbol = trade["symbol"]
            if symbol not in positions:
                facts = instruments.get(symbol, {})
                multiplier = float(facts.get("multiplier", MULTIPLIERS.get(symbol, 1.0)))
                currency = facts.get("currency", CURRENCIES.get(symbol, "XXX"))
                positions[symbol] = Position(symbol, multiplier, currency)
            positions[symbol].fees += float(trade.get("fee", 0))
            signed = quantity if trade["side"] == "B" else -quantity
            matches.extend(positions[symbol].trade(trade["id"], signed, price))
        rows = [self._row(position, marks) for _, position in sorted(positions.items())]
        return {"positions": rows, "matches": matches, "totals": self._totals(rows), "rejected": rejected}

    def _row(self, position, marks):
        mark = float(marks[position.symbol]) if position.symbol in marks else None
        return {
            "symbol": position.symbol,
            "quantity": position.quantity,
            "averagePrice": position.average_price,
            "realized": position.realized,
            "unrealized": position.unrealized(mark),
            "fees": position.fees,
            "mark": mark,
            "currency": position.currency,
            "lots": [
                {"tradeId": lot.trade_id, "quantity": lot.quantity, "price": lot.price}
                for lot in position.lots
            ],
        }

    def _totals(self, rows):
        sums = defaultdict(lambda: {"realized": 0.0, "unrealized": 0.0, "total": 0.0})
        for row in rows:
            total = sums[row["currency"]]
            total["realized"] += row["realized"]
            total["unrealized"] += row["unrealized"]
            total["total"] = total["realized"] + total["unrealized"]
        return dict(sums, unmarked=[], untranslated=[])

"""A sample of a desk's own P&L service, with its own names and fields. It does not know pnl-bridge."""

import csv
import sqlite3
from collections import defaultdict
from pathlib import Path

DOLLARS_PER_POINT = 1000.0


class UnifiedPnLService:
    def __init__(self, db_path, trade_ledger_dir, price_directories):
        self.connection = sqlite3.connect(db_path)
        self.price_directories = price_directories
        self._trades = []
        for ledger in sorted(Path(trade_ledger_dir).glob("trades_*.csv")):
            with ledger.open() as lines:
                self._trades += list(csv.DictReader(lines))
        self._trades.sort(key=lambda trade: trade["marketTradeTime"])

    def get_trade_history(self, limit=100):
        return list(reversed(self._trades))[:limit]

    def get_open_positions(self):
        return [row for row in self._positions("9999") if row["position"]]

    def get_positions_with_lots(self, symbol):
        return next((row for row in self._positions("9999") if row["instrument"] == symbol), None)

    def get_total_historic_pnl(self):
        rows = self._positions("9999")
        realized = sum(row["realized_pnl"] for row in rows)
        unrealized = sum(row["unrealized_pnl"] for row in rows)
        return {"realized_pnl": realized, "unrealized_pnl": unrealized, "total_pnl": realized + unrealized}

    def get_daily_pnl_history(self):
        history, before = [], defaultdict(lambda: (0.0, 0.0))
        for day in sorted({trade["marketTradeTime"][:10] for trade in self._trades}):
            for row in self._positions(day + " 24"):
                symbol, realized, unrealized = row["instrument"], row["realized_pnl"], row["unrealized_pnl"]
                day_realized = realized - before[symbol][0]
                total = day_realized + unrealized - before[symbol][1]
                before[symbol] = (realized, unrealized)
                history.append(
                    {
                        "date": day,
                        "instrument": symbol,
                        "realized_pnl": day_realized,
                        "unrealized_pnl": unrealized,
                        "daily_pnl": total,
                    }
                )
        return history

    def rebuild_database(self):
        self.connection.execute("DROP TABLE IF EXISTS positions")

    def _positions(self, until):
        lots, realized, last = defaultdict(list), defaultdict(float), {}
        for trade in self._trades:
            if trade["marketTradeTime"] > until:
                break
            symbol, price = trade["instrumentName"], float(trade["price"])
            left = float(trade["quantity"]) * (1 if trade["buySell"] == "B" else -1)
            while left and lots[symbol] and (lots[symbol][0][0] > 0) != (left > 0):
                quantity, cost = lots[symbol].pop(0)
                closed = min(abs(quantity), abs(left)) * (1 if quantity > 0 else -1)
                realized[symbol] += closed * (price - cost) * DOLLARS_PER_POINT
                left += closed
                if quantity != closed:
                    lots[symbol].insert(0, (quantity - closed, cost))
            if left:
                lots[symbol].append((left, price))
            last[symbol] = price
        return [self._row(symbol, lots[symbol], realized[symbol], last[symbol]) for symbol in sorted(last)]

    def _row(self, symbol, lots, realized, price):
        position = sum(quantity for quantity, _ in lots)
        cost = sum(quantity * price_paid for quantity, price_paid in lots)
        return {
            "instrument": symbol,
            "position": position,
            "avg_price": cost / position if position else 0.0,
            "realized_pnl": realized,
            "unrealized_pnl": sum(quantity * (price - paid) for quantity, paid in lots) * DOLLARS_PER_POINT,
            "lots": [{"quantity": quantity, "price": paid} for quantity, paid in lots],
        }

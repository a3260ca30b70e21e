"""A desk's P&L in Python, written from the public description of its rules; mistakes can be switched on.

Behind python/pnl_bridge_worker.py it answers `history`. Without a mistake it follows these rules: a row that an
earlier file has counts once; the oldest lot is closed first; a day is a calendar day in Chicago; the total of a day is
realized P&L and the change of unrealized P&L.
"""

import csv
from collections import defaultdict
from decimal import Decimal

MULTIPLIERS = {"ZT": Decimal(2000)}


class Lane:
    def __init__(self, symbol, mistakes):
        self.symbol = symbol
        self.mistakes = mistakes
        self.lots = []  # [signed quantity, price, key]
        self.realized = Decimal(0)
        self.unrealized = Decimal(0)
        self.earned = Decimal(0)
        self.last_price = None
        self.multiplier = MULTIPLIERS.get(symbol[-2:], Decimal(1000))
        if "one_multiplier" in mistakes:
            self.multiplier = Decimal(1)
        if "two_year_as_ten_year" in mistakes:
            self.multiplier = Decimal(1000)

    @property
    def quantity(self):
        return sum((lot[0] for lot in self.lots), Decimal(0))

    def next_lot(self):
        if "newest_first" in self.mistakes:
            return self.lots[-1]
        if "text_order" in self.mistakes:
            return min(self.lots, key=lambda lot: lot[2])
        return self.lots[0]

    def trade(self, signed, price, key):
        self.last_price = price
        while signed and self.lots:
            lot = self.next_lot()
            if (lot[0] > 0) == (signed > 0):
                break
            size = min(abs(lot[0]), abs(signed))
            way = 1 if lot[0] > 0 else -1
            gain = (price - lot[1]) * size * way
            if "longs_negated" in self.mistakes and way > 0:
                gain = -gain
            self.earned += gain
            lot[0] -= way * size
            signed += way * size
            if not lot[0]:
                self.lots.remove(lot)
        if not signed:
            return
        self.lots.append([signed, price, key])
        if "average_cost" in self.mistakes:
            quantity = self.quantity
            cost = sum((lot[0] * lot[1] for lot in self.lots), Decimal(0))
            self.lots = [[quantity, cost / quantity, key]]

    def value(self, close):
        """The unrealized P&L in points; None without a price."""
        if close is None and "zero_without_price" in self.mistakes:
            return Decimal(0)
        if close is None and "last_trade_as_price" in self.mistakes:
            close = self.last_price
        if not self.lots:
            return Decimal(0)
        if close is None:
            return None
        return sum((lot[0] * (close - lot[1]) for lot in self.lots), Decimal(0))

    def money(self, points):
        return None if points is None else points * self.multiplier

    def end_day(self, day, traded, close):
        if not traded and not self.lots:
            return None
        unrealized = self.value(close)
        change = Decimal(0)
        if unrealized is not None:
            change = unrealized if "level_as_total" in self.mistakes else unrealized - self.unrealized
            self.unrealized = unrealized
        earned, self.earned = self.earned, Decimal(0)
        self.realized += earned
        return {
            "symbol": self.symbol,
            "tradingDay": day,
            "realized": self.money(earned),
            "unrealized": self.money(unrealized),
            "total": self.money(earned + change),
        }

    def position(self, close):
        quantity = self.quantity
        if not quantity and "flat_forgotten" in self.mistakes:
            return None
        cost = sum((lot[0] * lot[1] for lot in self.lots), Decimal(0))
        return {
            "symbol": self.symbol,
            "quantity": quantity,
            "averagePrice": cost / quantity if quantity else None,
            "realized": self.money(self.realized),
            "unrealized": self.money(self.value(close)),
        }


def read(ledgers, mistakes):
    """The rows that count, each with the number of its file and its own number there."""
    seen, rows = set(), []
    for file, path in enumerate(ledgers):
        ids, own = set(), set()
        with open(path, newline="", encoding="utf-8") as lines:
            for number, row in enumerate(csv.DictReader(lines), 1):
                fields = tuple(row.values())
                if fields in seen and "repeats_counted" not in mistakes:
                    continue
                own.add(fields)
                if row["tradeId"] in ids and "ids_once" in mistakes:
                    continue
                ids.add(row["tradeId"])
                price = Decimal(row["price"])
                if price == 0 and "expiries_dropped" in mistakes:
                    continue
                if row["marketTradeTime"][11:19] == "00:00:00" and "midnight_dropped" in mistakes:
                    continue
                quantity = Decimal(row["quantity"])
                if "whole_quantities" in mistakes:
                    quantity = Decimal(int(quantity))
                signed = quantity if row["buySell"] == "B" else -quantity
                rows.append((row["marketTradeTime"], file, number, row["instrumentName"], signed, price))
        seen |= own
    if "file_order" in mistakes:
        return sorted(rows, key=lambda row: row[0][:10])
    return sorted(rows, key=lambda row: row[0])


class Desk:
    def history(self, ledgers, closes, mistakes=()):
        prices = {(close["symbol"], close["tradingDay"]): Decimal(close["price"]) for close in closes}
        rows = read(ledgers, mistakes)
        by_day = defaultdict(list)
        for row in rows:
            by_day[row[0][:10]].append(row)
        days = sorted(set(by_day) | {close["tradingDay"] for close in closes})
        lanes, files, daily = {}, {}, []
        for day in days:
            traded = set()
            for _, file, number, symbol, signed, price in by_day[day]:
                lane = lanes.setdefault(symbol, Lane(symbol, mistakes))
                if "files_alone" in mistakes and files.get(symbol, file) != file:
                    lane.lots = []
                files[symbol] = file
                lane.trade(signed, price, f"{day}-{number}")
                traded.add(symbol)
            for symbol, lane in lanes.items():
                row = lane.end_day(day, symbol in traded, prices.get((symbol, day)))
                if row is not None:
                    daily.append(row)
        last = days[-1] if days else ""
        found = [lane.position(prices.get((symbol, last))) for symbol, lane in lanes.items()]
        positions = [position for position in found if position is not None]
        return {"dayRule": "calendar", "positions": positions, "daily": daily, "errors": []}

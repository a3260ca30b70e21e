"""Computes P&L in the simplest way, with float lots in a deque per symbol. Usage: naive_pnl.py LEDGER.csv"""

import csv
import json
import sys
from collections import deque


def main(path):
    books = {}
    with open(path, newline="") as ledger:
        for row in csv.DictReader(ledger):
            symbol = row["instrumentName"]
            book = books.get(symbol)
            if book is None:
                book = books[symbol] = {"lots": deque(), "realized": 0.0, "last": 0.0}
            lots = book["lots"]
            price = float(row["price"])
            left = float(row["quantity"])
            if row["buySell"] == "S":
                left = -left
            while left and lots and (lots[0][0] > 0) != (left > 0):
                lot = lots[0]
                taken = min(abs(left), abs(lot[0]))
                if lot[0] > 0:
                    book["realized"] += (price - lot[1]) * taken
                    lot[0] -= taken
                    left += taken
                else:
                    book["realized"] += (lot[1] - price) * taken
                    lot[0] += taken
                    left -= taken
                if lot[0] == 0:
                    lots.popleft()
            if left:
                lots.append([left, price])
            book["last"] = price
    positions = {
        symbol: {
            "quantity": sum(lot[0] for lot in book["lots"]),
            "realized": book["realized"],
            "unrealized": sum(lot[0] * (book["last"] - lot[1]) for lot in book["lots"]),
        }
        for symbol, book in books.items()
    }
    json.dump({"positions": positions}, sys.stdout)


main(sys.argv[1])

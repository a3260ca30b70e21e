"""Prints every cell of a workbook as a JSON text "sheet!A1 type value", with the standard library alone."""

import json
import sys
import xml.etree.ElementTree as tree
import zipfile

MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
REL = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"


def text_of(element):
    return "".join(part.text or "" for part in element.iter(MAIN + "t"))


def main(path):
    with zipfile.ZipFile(path) as book:
        assert book.testzip() is None
        read = lambda name: tree.fromstring(book.read(name))
        shared = []
        if "xl/sharedStrings.xml" in book.namelist():
            shared = [text_of(item) for item in read("xl/sharedStrings.xml")]
        parts = {one.get("Id"): one.get("Target") for one in read("xl/_rels/workbook.xml.rels")}
        for sheet in read("xl/workbook.xml").iter(MAIN + "sheet"):
            target = parts[sheet.get(REL)].lstrip("/")
            root = read(target if target.startswith("xl/") else "xl/" + target)
            for cell in root.iter(MAIN + "c"):
                kind, value, formula = cell.get("t", "n"), cell.find(MAIN + "v"), cell.find(MAIN + "f")
                assert formula is None or value is not None, "a formula has no stored result"
                if kind == "inlineStr":
                    word, text = "string", text_of(cell)
                elif value is None:
                    continue
                elif kind == "s":
                    word, text = "string", shared[int(value.text)]
                else:
                    word, text = ("number" if kind == "n" else "string"), value.text
                    assert kind != "n" or float(text) == float(text), "a number is NaN"
                if text:
                    print(json.dumps(f"{sheet.get('name')}!{cell.get('r')} {word} {text}"))


main(sys.argv[1])

#!/usr/bin/env python3
"""Files of orders whose rows mean no good: python3 make.py FOLDER ROWS.

Of every twenty rows twelve are good, one is the same as the row before, one is a newer version of an earlier row, and six are refused: bytes
that are no text, the character 0, a year of five digits, a number too large, a row of another width, a broken quote. Prints what a load of
each file must count, worked out from the recipe and not from a load.
"""

import gzip
import json
import sys
import zipfile
from pathlib import Path

COLUMNS = ["channel", "order_id", "order_time", "status", "paid_amount", "item_count", "city", "updated_at"]
GROUP = 20
ACCEPTED, KEYS, REFUSED = 14, 12, 6
# A sheet has no more.
SHEET_ROWS_MAX = 1_000_000
HUGE = "9" * 40


def good(name, number, amount="12.50", day="2026-06-01", updated="2026-06-01 10:00:00", **other):
    cells = {"channel": "tmall", "order_id": f"{name}{number}", "order_time": f"{day} 10:00:00", "status": "paid",
             "paid_amount": amount, "item_count": "2", "city": "上海", "updated_at": updated}
    return {**cells, **other}


def cells(name, number):
    """The row of a number, and what is wrong with its text as a whole."""
    kind = number % GROUP
    if kind < 12:
        return good(name, number), None
    if kind == 12:
        return good(name, number - 1), None
    if kind == 13:
        return good(name, number - 3, amount="99.00", updated="2026-06-02 10:00:00"), None
    if kind == 16:
        return good(name, number, day="99999-01-01"), None
    if kind == 17:
        return good(name, number, amount=HUGE), None
    return good(name, number), {14: "bytes", 15: "nul", 18: "width", 19: "torn"}[kind]


def counts(rows, more_refused=0):
    groups = rows // GROUP
    return {"read": rows + more_refused, "added": groups * KEYS, "updated": 0, "duplicate": groups * (ACCEPTED - KEYS),
            "rejected": groups * REFUSED + more_refused}


def delimited(name, rows, delimiter):
    yield delimiter.join(COLUMNS).encode() + b"\n"
    for number in range(rows):
        row, fault = cells(name, number)
        text = delimiter.join(row.values()).encode()
        if fault == "bytes":
            text = text.replace("上海".encode(), b"\xc9\xcf\xba\xa3")
        elif fault == "nul":
            text = text.replace(row["order_id"].encode(), b"A\0" + row["order_id"].encode())
        elif fault == "width":
            text += (delimiter + "x").encode()
        elif fault == "torn":
            text = text.replace(b"paid", b'"paid"x')
        yield text + b"\n"


def json_lines(name, rows):
    for number in range(rows):
        row, fault = cells(name, number)
        if fault == "nul":
            row["order_id"] = "A\0"
        text = json.dumps(row, ensure_ascii=False).encode()
        if fault == "bytes":
            text = text.replace("上海".encode(), b"\xc9\xcf\xba\xa3")
        elif fault == "width":
            text = b"[" + text + b"]"
        elif fault == "torn":
            text = text[:-1]
        yield text + b"\n"


def sheet(name, rows):
    """Bytes and the character 0 cannot stand in a sheet that is one; words and numbers that no order has do."""
    yield b'<?xml version="1.0" encoding="UTF-8"?><worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>'
    table = [COLUMNS]
    for number in range(-1, rows):
        if number >= 0:
            row, fault = cells(name, number)
            if fault == "bytes":
                row["status"] = "lent"
            elif fault == "nul":
                row["paid_amount"] = "-1"
            elif fault == "torn":
                row["item_count"] = "3000000000"
            table = [list(row.values()) + (["x"] if fault == "width" else [])]
        texts = "".join(f'<c t="inlineStr"><is><t>{text}</t></is></c>' for text in table[0])
        yield f'<row r="{number + 2}">{texts}</row>'.encode()
    yield b"</sheetData></worksheet>"


def workbook(path, parts):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as book:
        kinds = "application/vnd.openxmlformats-officedocument.spreadsheetml"
        book.writestr("[Content_Types].xml", f'<?xml version="1.0"?><Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
                      f'<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
                      f'<Override PartName="/xl/workbook.xml" ContentType="{kinds}.sheet.main+xml"/>'
                      f'<Override PartName="/xl/worksheets/sheet1.xml" ContentType="{kinds}.worksheet+xml"/></Types>')
        office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
        package = "http://schemas.openxmlformats.org/package/2006/relationships"
        book.writestr("_rels/.rels", f'<?xml version="1.0"?><Relationships xmlns="{package}">'
                      f'<Relationship Id="r1" Type="{office}/officeDocument" Target="xl/workbook.xml"/></Relationships>')
        book.writestr("xl/workbook.xml", f'<?xml version="1.0"?><workbook xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" '
                      f'xmlns:r="{office}"><sheets><sheet name="orders" sheetId="1" r:id="r1"/></sheets></workbook>')
        book.writestr("xl/_rels/workbook.xml.rels", f'<?xml version="1.0"?><Relationships xmlns="{package}">'
                      f'<Relationship Id="r1" Type="{office}/worksheet" Target="worksheets/sheet1.xml"/></Relationships>')
        with book.open("xl/worksheets/sheet1.xml", "w", force_zip64=True) as part:
            for piece in parts:
                part.write(piece)


def write(path, parts, opened=open):
    with opened(path, "wb") as file:
        file.writelines(parts)


def updates(name, rows):
    """Of each group of the file before: one row that is newer, one that is older, one that is the same."""
    yield (",".join(COLUMNS) + "\n").encode()
    for number in range(0, rows, GROUP):
        for row in (good(name, number, amount="1.00", updated="2026-07-01 10:00:00"),
                    good(name, number + 1, amount="2.00", updated="2026-05-01 10:00:00"), good(name, number + 2)):
            yield (",".join(row.values()) + "\n").encode()


def main():
    folder, rows = Path(sys.argv[1]), int(sys.argv[2])
    whole = lambda share: max(int(rows * share) // GROUP, 1) * GROUP
    made = []

    def made_of(file, wanted):
        made.append({"file": file, **wanted})

    many = whole(0.4)
    write(folder / "rows.csv", delimited("C", many, ","))
    with open(folder / "rows.csv", "ab") as file:
        file.write(b'tmall,"C0,2026-06-01,paid,1,1,x,2026-06-01\n')
    made_of("rows.csv", counts(many, more_refused=1))
    groups = many // GROUP
    write(folder / "later.csv", updates("C", many))
    made_of("later.csv", {"read": groups * 3, "added": 0, "updated": groups, "duplicate": groups * 2, "rejected": 0})
    write(folder / "rows.tsv", delimited("T", whole(0.2), "\t"))
    made_of("rows.tsv", counts(whole(0.2)))
    write(folder / "rows.ndjson", json_lines("N", whole(0.2)))
    made_of("rows.ndjson", counts(whole(0.2)))
    write(folder / "packed.csv.gz", delimited("G", whole(0.1), ","), lambda path, mode: gzip.open(path, mode, compresslevel=1))
    made_of("packed.csv.gz", counts(whole(0.1)))
    few = min(whole(0.1), SHEET_ROWS_MAX)
    workbook(folder / "rows.xlsx", sheet("X", few))
    made_of("rows.xlsx", counts(few))
    print(json.dumps(made))


main()

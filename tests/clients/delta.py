#!/usr/bin/env python3
"""Another engine's reader of Delta tables (delta-rs over Arrow's C++ Parquet) on the folder of a lake: the same rows as Henna's,
after loads, corrections, an erasure, compaction, a checkpoint and vacuum, and of each stored type.

  delta.py HENNA [FOLDER]    HENNA is the program; the lake is made in FOLDER, else in a temporary one

What Henna says is asked of `henna sql`; the other side reads files alone. The last line is `N passed, N failed, N skipped`."""
import csv, datetime, decimal, io, os, random, subprocess, sys, tempfile

import pyarrow as pa
from deltalake import DeltaTable

HENNA = sys.argv[1]
passed = failed = 0


def equal(claim, got, wanted):
    global passed, failed
    if got == wanted:
        passed += 1
        print(f"ok   {claim}")
    else:
        failed += 1
        difference = [(a, b) for a, b in zip(got, wanted) if a != b][:3] if isinstance(got, list) else ""
        print(f"FAIL {claim}: got {str(got)[:200]}, expected {str(wanted)[:200]} {difference}")


class Lake:
    def __init__(self, folder):
        self.folder, self.files = f"{folder}/lake", folder
        self.verb("init")

    def verb(self, *arguments):
        command = [HENNA, "--lake", self.folder, *arguments]
        environment = {k: v for k, v in os.environ.items() if not k.startswith("HENNA_")}
        environment |= {"HENNA_ADMIN_PASSWORD": "x", "HENNA_LOG": "warn"}
        done = subprocess.run(command, capture_output=True, text=True, env=environment)
        if done.returncode:
            sys.exit(f"{arguments}: {done.stdout}{done.stderr}")
        return done.stdout

    def load(self, table, name, header, rows):
        path = f"{self.files}/{name}.csv"
        with open(path, "w", newline="") as file:
            csv.writer(file).writerows([header, *rows])
        self.verb("load", table, path)

    def rows(self, columns, table):
        """Columns as the text that PostgreSQL writes, sorted; an empty one is None."""
        sql = f"SELECT {', '.join(f'({column})::text' for column in columns)} FROM {table}"
        told = self.verb("sql", "--format", "csv", "-c", f"SET TIME ZONE 'UTC'; {sql}")
        return sorted((tuple(value or None for value in row) for row in list(csv.reader(io.StringIO(told)))[1:]), key=str)

    def delta(self, table):
        """The folder of a table; that of one that a user made ends in its id."""
        folder = f"{self.folder}/tables/public"
        found = [name for name in os.listdir(folder) if name == table or name.startswith(f"{table}-")]
        return DeltaTable(f"{folder}/{found[0]}")


def text(value):
    """As PostgreSQL writes it, in UTC."""
    match value:
        case None | "":
            return None
        case bool():
            return str(value).lower()
        case datetime.datetime():
            shown = value.strftime("%Y-%m-%d %H:%M:%S") + (f".{value.microsecond:06}".rstrip("0") if value.microsecond else "")
            return shown + ("+00" if value.tzinfo else "")
        case bytes():
            return "\\x" + value.hex()
        case list():
            return "{" + ",".join("NULL" if item is None else text(item) for item in value) + "}"
        case _:
            return str(value)


def read(table, columns):
    found = table.to_pyarrow_table(columns=columns)
    return sorted((tuple(text(value) for value in row.values()) for row in found.to_pylist()), key=str)


# The type of a row of identities that says who survives whom.
MERGED = "_merged"
TABLES = {
    "orders": ["channel", "order_id", "status", "paid_amount", "order_time", "updated_at", "team", "store_id"],
    "order_items": ["channel", "order_id", "line_no", "sku_id", "quantity", "unit_price"],
    "interactions": ["channel", "event_id", "event_type", "event_time", "value"],
    "customers": ["nickname", "member_level", "birth_date", "consent_marketing", "tags", "updated_at"],
    "identities": ["id_type", "id_value", "source"],
}
KEYS = {"orders": ["channel", "order_id"], "order_items": ["channel", "order_id", "line_no"], "interactions": ["channel", "event_id"]}


def persons(lake, table, key):
    """one_id of each row: what was merged away reads as its survivor."""
    identities = lake.delta("identities").to_pyarrow_table(columns=["id_type", "id_value", "one_id"]).to_pylist()
    merged = {int(row["id_value"]): row["one_id"] for row in identities if row["id_type"] == MERGED}
    rows = lake.delta(table).to_pyarrow_table(columns=[*key, "one_id"]).to_pylist()
    return sorted(((*(str(row[name]) for name in key), text(merged.get(row["one_id"], row["one_id"]))) for row in rows), key=str)


def compare(lake, after):
    for table, columns in TABLES.items():
        wanted = lake.rows(columns, table)
        equal(f"{table} after {after}: {len(wanted)} rows", read(lake.delta(table), columns), wanted)
    for table, key in KEYS.items():
        wanted = lake.rows([*key, "one_id"], table)
        equal(f"persons of {table} after {after}", persons(lake, table, key), wanted)
        whole = lake.delta(table).to_pyarrow_table(columns=key)
        equal(f"{table} after {after}: one row a key", whole.group_by(key).aggregate([]).num_rows, whole.num_rows)
    orders = lake.delta("orders").to_pyarrow_table(columns=["paid_amount", "order_time"])
    told = lake.rows(["count(*)", "sum(paid_amount)", "min(order_time)", "max(order_time)"], "orders")
    bounds = pa.compute.min_max(orders["order_time"]).as_py()
    equal(
        f"sums after {after}",
        [tuple(text(v) for v in (orders.num_rows, pa.compute.sum(orders["paid_amount"]).as_py(), bounds["min"], bounds["max"]))],
        told,
    )


def phone(person):
    return f"138{person:08}"


def fill(lake):
    dice = random.Random(7)
    header = ["channel", "order_id", "order_time", "status", "paid_amount", "store_id", "id_phone", "id_tmall", "updated_at"]
    time = lambda: f"2026-{dice.randint(1, 6):02}-{dice.randint(1, 28):02} {dice.randint(0, 23):02}:30:00"

    def orders(numbers, updated, tmall):
        for number in numbers:
            person = number % 97
            paid = f"{dice.randint(0, 10**6) / 100:.2f}"
            yield ["tmall" if number % 2 else "store", f"O{number}", time(), dice.choice(["paid", "shipped"]), paid,
                   dice.choice(["", "S1", "门店二"]), phone(person) if number % 3 else "", f"t{person % 50}" if tmall else "", updated]

    lake.load("orders", "orders1", header, orders(range(0, 3000), "2026-06-01 00:00:00.123456", False))
    lake.load("orders", "orders2", header, orders(range(2500, 4000), "2026-06-02 00:00:00", False))
    items = ([("tmall" if n % 2 else "store"), f"O{n}", line, time(), f"SKU{n % 40}", dice.randint(1, 5), f"{dice.random() * 99:.4f}", phone(n % 97)]
             for n in range(1500) for line in (1, 2))
    lake.load("order_items", "items", ["channel", "order_id", "line_no", "order_time", "sku_id", "quantity", "unit_price", "id_phone"], items)
    events = (["wecom", f"E{n}", time(), "page_view", "" if n % 5 else f"{n / 7:.4f}", phone(n % 97)] for n in range(2000))
    lake.load("interactions", "events", ["channel", "event_id", "event_time", "event_type", "value", "id_phone"], events)
    people = ([phone(n), f"名字{n}", "gold", "1990-02-28" if n % 2 else "", "true" if n % 3 else "", "{a,b}" if n % 4 else "", "2026-06-01 00:00:00"] for n in range(60))
    lake.load("customers", "people", ["id_phone", "nickname", "member_level", "birth_date", "consent_marketing", "tags", "updated_at"], people)
    compare(lake, "loads")
    # Older, newer and equal versions; and identifiers that join persons.
    lake.load("orders", "corrections", header, [*orders(range(1000, 1400), "2026-05-01 00:00:00", True), *orders(range(200, 900), "2026-06-09 00:00:00", True)])
    compare(lake, "corrections and merged persons")


TYPES = """CREATE TABLE kinds (n integer PRIMARY KEY, b boolean, s smallint, l bigint, r real, d double precision, m numeric(18, 2),
    t text, v varchar(10), y date, z timestamp, i timestamptz, u uuid, x bytea, j jsonb, a text[], k integer[])"""
ROWS = """INSERT INTO kinds VALUES
    (1, true, -32768, 9223372036854775807, 1.5, 0.1, 1234567890123456.78, 'a,"b" é 中', 'vv', '2024-02-29', '2024-02-29 23:59:59.999999',
     '1969-12-31 23:59:59.5+00', '00112233-4455-6677-8899-aabbccddeeff', '\\x00ff', '{"a": 1}', ARRAY['p', NULL], ARRAY[1, 2]),
    (2, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)"""


def kinds(lake):
    """A column of each type, then commits enough for a checkpoint."""
    lake.verb("sql", "-c", TYPES)
    lake.verb("sql", "-c", ROWS)
    columns = "n b s l r d m t v y z i u x j a k".split()
    wanted = lake.rows([{"x": "'\\x' || encode(x, 'hex')"}.get(column, column) for column in columns], "kinds")
    equal("each stored type", read(lake.delta("kinds"), columns), wanted)
    inserts = "; ".join(f"INSERT INTO kinds (n, m) VALUES ({n}, {n}.25)" for n in range(10, 70))
    path = f"{lake.files}/inserts.sql"
    with open(path, "w") as file:
        file.write(inserts)
    lake.verb("sql", "-f", path)
    log = os.path.join(lake.delta("kinds").table_uri.removeprefix("file://"), "_delta_log")
    equal("a checkpoint was written", any("checkpoint" in name for name in os.listdir(log)), True)
    wanted = lake.rows(["n", "m"], "kinds")
    equal(f"after a checkpoint: {len(wanted)} rows", read(lake.delta("kinds"), ["n", "m"]), wanted)


def main():
    folder = sys.argv[2] if len(sys.argv) > 2 else tempfile.mkdtemp(prefix="henna-delta.")
    lake = Lake(folder)
    fill(lake)
    lake.verb("forget", "phone", phone(7))
    compare(lake, "an erasure")
    before = len(lake.delta("orders").file_uris())
    lake.verb("compact")
    after = len(lake.delta("orders").file_uris())
    equal(f"files were gathered ({before} became {after})", after < before, True)
    compare(lake, "compaction")
    lake.verb("vacuum", "--retain", "0s")
    compare(lake, "vacuum")
    kinds(lake)
    lake.verb("check")
    print(f"\n{passed} passed, {failed} failed, 0 skipped")
    sys.exit(1 if failed else 0)


main()

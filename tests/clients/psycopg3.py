#!/usr/bin/env python3
"""psycopg 3 against the demo: both protocols, types there and back, streaming, prepared statements, cancel, time-out.

Environment: PGHOST PGPORT PGDATABASE PGPASSWORD of a demo server. The last line is `N passed, N failed, N skipped`.
"""

import asyncio
import datetime as dt
import threading
import time
import traceback
import uuid
from decimal import Decimal

import psycopg
from psycopg.rows import dict_row

passed = failed = 0


def equal(claim, got, wanted):
    global passed, failed
    if got == wanted:
        passed += 1
        print(f"ok   {claim}")
    else:
        failed += 1
        print(f"FAIL {claim}: got {got!r}, expected {wanted!r}")


def true(claim, condition, told=""):
    equal(f"{claim} {told}".strip(), bool(condition), True)


def fails(claim, sqlstate, run):
    try:
        run()
    except psycopg.Error as error:
        equal(claim, error.sqlstate, sqlstate)
    else:
        equal(claim, "no error", sqlstate)


def connect(user="hq", **options):
    return psycopg.connect(user=user, **options)


SLOW = (
    "SELECT sum(sin(a.value + b.value * 0.5) * cos(a.value * 0.25 - c.value)) FROM generate_series(1, 4000) AS a (value)"
    " CROSS JOIN generate_series(1, 4000) AS b (value) CROSS JOIN generate_series(1, 4000) AS c (value)"
)


def login():
    for user in ("hq", "wecom", "tmall", "douyin"):
        with connect(user) as connection:
            equal(f"{user} logs in", connection.execute("SELECT current_user").fetchone(), (user,))
    with connect(sslmode="require") as connection:
        true("TLS is in use", connection.pgconn.ssl_in_use)
        true("the server says that it is version 16", 160000 <= connection.info.server_version < 170000)
        equal("the time zone is reported", connection.info.parameter_status("TimeZone"), "Asia/Shanghai")
    fails("a wrong password is 28P01", None, lambda: connect(password="wrong"))


def values(binary):
    """Each value as text and as a parameter, and back."""
    name = "binary" if binary else "text"
    zone = dt.timezone(dt.timedelta(hours=8))
    round_trips = {
        "boolean": True,
        "bigint": 2**62,
        "integer": -5,
        "smallint": 7,
        "double precision": 0.1,
        "numeric(18,2)": Decimal("1234567890123456.78"),
        "text": "丝绸 'quoted' \\ back",
        "date": dt.date(2024, 2, 29),
        "time": dt.time(23, 59, 58, 123456),
        "timestamp": dt.datetime(2024, 2, 29, 12, 0, 0, 1),
        "timestamptz": dt.datetime(2024, 2, 29, 12, 0, tzinfo=zone),
        "bytea": b"\x00\xff\\x",
        "uuid": uuid.UUID("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"),
        "text[]": ["a", "b c", None],
        "bigint[]": [1, None, 3],
    }
    with connect(autocommit=True) as connection:
        cursor = connection.cursor(binary=binary)
        for kind, value in round_trips.items():
            mark = "%b" if binary else "%t"
            try:
                got = cursor.execute(f"SELECT CAST({mark} AS {kind})", (value,)).fetchone()[0]
            except psycopg.Error as error:
                got = error
            equal(f"{name}: {kind} there and back", got, value)
            got = cursor.execute(f"SELECT CAST(NULL AS {kind})").fetchone()[0]
            equal(f"{name}: {kind} as null", got, None)
        row = cursor.execute(
            "SELECT channel, order_id, order_time, one_id, paid_amount, item_count FROM orders"
            " WHERE one_id IS NOT NULL ORDER BY channel, order_id LIMIT 1"
        ).fetchone()
        equal(f"{name}: a row of orders has its types", [type(value) for value in row], [str, str, dt.datetime, int, Decimal, int])
        by_both = "SELECT count(*), sum(paid_amount) FROM orders WHERE channel = %s AND order_time < %s AND paid_amount > %s"
        parameters = ("tmall", dt.datetime(2100, 1, 1, tzinfo=zone), Decimal("10.5"))
        text = connection.execute(
            "SELECT count(*), sum(paid_amount) FROM orders WHERE channel = 'tmall' AND paid_amount > 10.5"
        ).fetchone()
        equal(f"{name}: parameters of three types", cursor.execute(by_both, parameters).fetchone(), text)
        any_of = cursor.execute("SELECT count(*) FROM orders WHERE channel = ANY(%s)", (["tmall", "jd"],)).fetchone()
        either = cursor.execute("SELECT count(*) FROM orders WHERE channel IN ('tmall', 'jd')").fetchone()
        equal(f"{name}: = ANY(array)", any_of, either)


def prepared():
    with connect(autocommit=True, prepare_threshold=2) as connection:
        wanted = dict(connection.execute("SELECT channel, count(*) FROM orders GROUP BY channel").fetchall())
        for channel in [*wanted, *wanted]:
            got = connection.execute("SELECT count(*) FROM orders WHERE channel = %s", (channel,)).fetchone()
            equal(f"prepared, channel {channel}", got, (wanted[channel],))
        with connection.cursor(row_factory=dict_row) as cursor:
            equal("dict_row", cursor.execute('SELECT 1 AS "One Thing"').fetchone(), {"One Thing": 1})
        first = connection.cursor()
        first.execute("SELECT 1; SELECT 2")
        equal("the first of two answers", first.fetchall(), [(1,)])
        equal("the second of two answers", (first.nextset(), first.fetchall()), (True, [(2,)]))
        with connection.pipeline():
            one = connection.execute("SELECT %s::int", (1,))
            two = connection.execute("SELECT count(*) FROM orders")
            equal("a pipeline", (one.fetchone()[0], two.fetchone()[0]), (1, sum(wanted.values())))


def streams():
    rows = 200_000
    with connect() as connection:
        cursor = connection.cursor(binary=True)
        equal("stream() gives every row", sum(1 for _ in cursor.stream(f"SELECT value FROM generate_series(1, {rows}) AS s (value)")), rows)
    for binary in (False, True):
        with connect() as connection, connection.cursor("helpings", binary=binary) as cursor:
            cursor.execute("SELECT channel, paid_amount FROM orders WHERE paid_amount > %s", (10,))
            equal("a server-side cursor has columns", [column.name for column in cursor.description], ["channel", "paid_amount"])
            first, rest = cursor.fetchmany(10), cursor.fetchall()
            count = connection.execute("SELECT count(*) FROM orders WHERE paid_amount > 10").fetchone()[0]
            equal("a server-side cursor gives every row", (len(first), len(first) + len(rest)), (10, count))


def transactions():
    with connect() as connection:
        fails("an unknown table is 42P01", "42P01", lambda: connection.execute("SELECT * FROM nope"))
        equal("the transaction is failed", connection.info.transaction_status.name, "INERROR")
        fails("a failed transaction answers 25P02", "25P02", lambda: connection.execute("SELECT 1"))
        connection.rollback()
        equal("rollback heals", connection.execute("SELECT 4").fetchone(), (4,))
        equal("the transaction is open", connection.info.transaction_status.name, "INTRANS")


def errors():
    with connect(autocommit=True) as connection:
        for sqlstate, sql in (
            ("42601", "SELEC 1"),
            ("42703", "SELECT nope FROM orders"),
            ("42883", "SELECT no_such_function(1)"),
            ("22012", "SELECT 1 / (one_id - one_id) FROM orders WHERE one_id IS NOT NULL"),
            ("22P02", "SELECT CAST(status AS integer) FROM orders"),
        ):
            fails(f"{sqlstate}: {sql}", sqlstate, lambda: connection.execute(sql))
        fails("a parameter that is no number is 22P02", "22P02", lambda: connection.execute("SELECT CAST(%t AS bigint)", ("abc",)))
        equal("the connection goes on", connection.execute("SELECT 1").fetchone(), (1,))


def cancel():
    with connect(autocommit=True) as connection:
        pids = connection.execute("SELECT pg_backend_pid(), pid FROM henna.activity WHERE query LIKE '%pg_backend_pid%'").fetchone()
        equal("one number names the session", {connection.info.backend_pid, *pids}, {connection.info.backend_pid})
    # In plain text, as every libpq can; by an encrypted connection, as libpq 17 can.
    cancel_by("cancel")
    if psycopg.capabilities.has_cancel_safe():
        cancel_by("cancel_safe")


def cancel_by(way):
    with connect(autocommit=True) as connection:
        ended = []
        # Should nothing cancel it, the statement still ends.
        connection.execute("SET statement_timeout = '60s'")

        def run():
            try:
                connection.execute(SLOW)
                ended.append("done")
            except psycopg.Error as error:
                ended.append(error.sqlstate)

        thread = threading.Thread(target=run)
        thread.start()
        with connect(autocommit=True) as watcher:
            running = "SELECT count(*) FROM henna.activity WHERE state = 'active' AND query LIKE 'SELECT sum(sin%'"
            deadline = time.monotonic() + 10
            while watcher.execute(running).fetchone()[0] == 0 and time.monotonic() < deadline:
                pass
        began = time.monotonic()
        getattr(connection, way)()
        thread.join()
        true(f"{way} stops within a second", time.monotonic() - began < 1, f"({time.monotonic() - began:.2f} s)")
        equal(f"{way} is 57014", ended, ["57014"])
        connection.execute("SET statement_timeout = '200ms'")
        began = time.monotonic()
        fails("statement_timeout is 57014", "57014", lambda: connection.execute(SLOW))
        true("the time-out is kept", 0.15 < time.monotonic() - began < 2)
        connection.execute("RESET statement_timeout")
        equal("the connection goes on", connection.execute("SELECT 3").fetchone(), (3,))


def asynchronous():
    async def run():
        async with await psycopg.AsyncConnection.connect(user="tmall") as connection:
            cursor = await connection.execute("SELECT DISTINCT team FROM orders")
            return await cursor.fetchall()

    equal("the asynchronous connection answers", asyncio.run(run()), [("tmall",)])


for flow in (login, lambda: values(False), lambda: values(True), prepared, streams, transactions, errors, cancel, asynchronous):
    try:
        flow()
    except Exception:
        failed += 1
        print(f"FAIL {getattr(flow, '__name__', 'flow')}: {traceback.format_exc()}")

print(f"\n{passed} passed, {failed} failed, 0 skipped")
raise SystemExit(1 if failed else 0)

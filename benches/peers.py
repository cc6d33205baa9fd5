#!/usr/bin/env python3
"""The same three questions to Henna and to DuckDB, one after the other, on the same machine and the same rows.

Henna runs as a user meets it: a release binary, its own load path, the Postgres wire, a user under row security. DuckDB
runs in this process. The files are exported from Henna once, so both read the same rows. Each number is the median of five.

  make bench            or: python benches/peers.py [--scale 0.2] [--henna target/release/henna]
"""

import argparse
import os
import pathlib
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
RUNS = 5
SALES = "status IN ('paid', 'shipped', 'completed') AND one_id IS NOT NULL"
SCAN = "SELECT channel, count(*), sum(paid_amount) FROM orders GROUP BY channel ORDER BY channel"
RFM = f"""
WITH measures AS (
  SELECT one_id, DATE '2100-01-01' - CAST(max(order_time) AS DATE) AS recency_days, count(*) AS frequency, sum(paid_amount) AS monetary
  FROM orders WHERE {SALES} GROUP BY one_id
),
scores AS (
  SELECT
    ntile(5) OVER (ORDER BY recency_days DESC, one_id) AS r,
    ntile(5) OVER (ORDER BY frequency, one_id) AS f,
    ntile(5) OVER (ORDER BY monetary, one_id) AS m,
    monetary
  FROM measures
)
SELECT r, f, m, count(*), sum(monetary) FROM scores GROUP BY r, f, m ORDER BY r, f, m
"""


def median_ms(run):
    times = []
    for _ in range(RUNS):
        began = time.perf_counter()
        run()
        times.append((time.perf_counter() - began) * 1000)
    return statistics.median(times)


def start(henna, lake, scale):
    """A demo server on a free port, and its port."""
    command = [henna, "demo", "--lake", lake, "--scale", str(scale), "--listen", "127.0.0.1:0", "--web", "off"]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, "HENNA_LOG": "error"})
    for line in server.stdout:
        if found := re.search(r"-p (\d+)", line):
            return server, int(found[1])
    sys.exit("the demo ended early")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--scale", type=float, default=0.2)
    parser.add_argument("--henna", default=str(pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "release" / "henna"))
    options = parser.parse_args()
    try:
        import duckdb
        import psycopg
    except ImportError as missing:
        sys.exit(f"{missing}: tests/clients/tools.sh core; tests/clients/tools.sh duckdb")

    work = pathlib.Path(tempfile.mkdtemp(prefix="henna-peers."))
    server, port = start(options.henna, str(work / "lake"), options.scale)
    results = []
    try:
        address = dict(host="127.0.0.1", port=port, dbname="henna", password="henna-demo", autocommit=True)
        with psycopg.connect(user="hq", **address) as hq, psycopg.connect(user="tmall", **address) as tmall:
            columns = "channel, order_id, order_time, one_id, team, status, paid_amount"
            file = work / "orders.csv"
            with file.open("wb") as out, hq.cursor().copy(f"COPY (SELECT {columns} FROM orders) TO STDOUT (FORMAT csv, HEADER)") as copy:
                for block in copy:
                    out.write(block)

            peer = duckdb.connect()
            rows = peer.execute(f"CREATE TABLE orders AS SELECT * FROM read_csv('{file}')").fetchone()[0]
            parquet = work / "orders.parquet"
            peer.execute(f"COPY orders TO '{parquet}' (FORMAT parquet, COMPRESSION zstd)")
            peer.execute("DROP TABLE orders")
            peer.execute(f"CREATE VIEW orders AS SELECT * FROM '{parquet}'")
            peer.execute("SET TimeZone = 'Asia/Shanghai'")
            tables = "CREATE VIEW tmall_orders AS SELECT * FROM orders WHERE team = 'tmall'"
            peer.execute(tables)

            def answers(connection, sql):
                return connection.execute(sql).fetchall()

            for name, sql in (("scan", SCAN), ("rfm", RFM)):
                ours, theirs = answers(hq, sql), answers(peer, sql)
                if [tuple(map(str, row[:2])) for row in ours] != [tuple(map(str, row[:2])) for row in theirs]:
                    sys.exit(f"{name}: the answers differ:\n{ours[:3]}\n{theirs[:3]}")
                results.append((f"{name}, every row", median_ms(lambda: answers(hq, sql)), median_ms(lambda: answers(peer, sql))))
                scoped = sql.replace("FROM orders", "FROM tmall_orders")
                results.append((f"{name}, one team", median_ms(lambda: answers(tmall, sql)), median_ms(lambda: answers(peer, scoped))))

            def load_ours():
                lake = work / "load"
                shutil.rmtree(lake, ignore_errors=True)
                run = dict(check=True, stdout=subprocess.DEVNULL, env={**os.environ, "HENNA_LOG": "error"})
                subprocess.run([options.henna, "init", "--lake", str(lake)], **run)
                began = time.perf_counter()
                subprocess.run([options.henna, "load", "--lake", str(lake), "orders", str(file)], **run)
                return (time.perf_counter() - began) * 1000

            def load_theirs():
                peer.execute(f"COPY (SELECT * FROM read_csv('{file}')) TO '{work / 'copy.parquet'}' (FORMAT parquet, COMPRESSION zstd)")

            results.append(("load CSV", statistics.median(load_ours() for _ in range(RUNS)), median_ms(load_theirs)))
    finally:
        server.send_signal(2)
        server.wait()
        shutil.rmtree(work)

    print(f"\n{rows} orders, median of {RUNS}, milliseconds; DuckDB {duckdb.__version__}")
    print("| question | Henna | DuckDB | ratio |")
    print("| --- | ---: | ---: | ---: |")
    for name, ours, theirs in results:
        print(f"| {name} | {ours:.1f} | {theirs:.1f} | {ours / theirs:.1f} |")


main()

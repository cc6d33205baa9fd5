#!/usr/bin/env python3
"""A CSV of orders into a lake, beside a plain conversion of the same file to Parquet by DuckDB and ClickHouse, in one run.

    python3 benches/loading.py [--henna target/release/henna] [--rows 10000000] [--runs 3] [--folder DIR]

Henna starts a process, checks every row, finds its person, leaves out what stands twice, sorts, and ends with a durable
commit in a new lake. The peers convert what they read, each in a process of its own: no checks, no order, no log. Runs take
turns. Times are medians of the whole process; memory is the greatest resident set of any run. What Henna stored is counted
and summed by SQL, and must be what DuckDB finds in the file. The file is made once, in --folder if given.
"""

import argparse
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

PASSWORD = "bench"
MAKE = """
COPY (
  SELECT
    ['tmall', 'douyin', 'jd', 'mini_program', 'store'][CAST(1 + hash(i) % 5 AS INT)] AS channel,
    'E' || CAST(20240000000000 + i * 7 AS VARCHAR) AS order_id,
    strftime(TIMESTAMP '2024-01-01' + INTERVAL 1 SECOND * CAST(i * 63072000.0 / {rows} AS BIGINT), '%Y-%m-%d %H:%M:%S') AS order_time,
    ['paid', 'shipped', 'completed', 'completed', 'completed', 'refunded', 'created', 'cancelled'][CAST(1 + hash(i, 1) % 8 AS INT)] AS status,
    CASE WHEN hash(i) % 5 = 4 THEN 'S' || lpad(CAST(hash(i, 2) % 500 AS VARCHAR), 3, '0') END AS store_id,
    CASE WHEN hash(i) % 5 = 4 THEN 'G' || lpad(CAST(hash(i, 3) % 4000 AS VARCHAR), 4, '0') END AS guide_id,
    CASE WHEN hash(i, 4) % 3 = 0 THEN 'C' || CAST(hash(i, 5) % 200 AS VARCHAR) END AS campaign_id,
    CAST(hash(i, 6) % 90000 / 100.0 + 100 AS DECIMAL(18, 2)) AS gross_amount,
    CAST(hash(i, 7) % 10000 / 100.0 AS DECIMAL(18, 2)) AS discount_amount,
    CAST(hash(i, 6) % 90000 / 100.0 + 100 - hash(i, 7) % 10000 / 100.0 AS DECIMAL(18, 2)) AS paid_amount,
    1 + hash(i, 8) % 6 AS item_count,
    strftime(TIMESTAMP '2024-01-01' + INTERVAL 1 SECOND * (CAST(i * 63072000.0 / {rows} AS BIGINT) + 60), '%Y-%m-%d %H:%M:%S') AS pay_time,
    ['上海市', '浙江省', '江苏省', '广东省', '四川省', '北京市'][CAST(1 + hash(i, 9) % 6 AS INT)] AS province,
    ['上海', '杭州', '南京', '广州', '成都', '北京'][CAST(1 + hash(i, 9) % 6 AS INT)] AS city,
    strftime(TIMESTAMP '2024-01-01' + INTERVAL 1 SECOND * (CAST(i * 63072000.0 / {rows} AS BIGINT) + hash(i, 10) % 864000), '%Y-%m-%d %H:%M:%S') AS updated_at,
    '1' || CAST(3000000000 + hash(i, 11) % ({rows} // 4) AS VARCHAR) AS id_phone,
    CASE WHEN hash(i, 12) % 2 = 0 THEN 'M' || CAST(hash(i, 11) % ({rows} // 4) AS VARCHAR) END AS id_member
  FROM range({rows}) r(i)
) TO '{file}' (HEADER)
"""
DUCKDB = "import duckdb; c = duckdb.connect(); c.execute(\"COPY (SELECT * FROM read_csv('{file}')) TO '{out}' (FORMAT parquet{options})\")"
CLICKHOUSE = (
    "import chdb; chdb.query(\"INSERT INTO FUNCTION file('{out}', 'Parquet') SELECT * FROM file('{file}', 'CSVWithNames') "
    "SETTINGS engine_file_truncate_on_insert = 1\")"
)


def run(command, env=None):
    """Seconds by the clock, seconds of CPU, and the greatest resident set in MB, of a process that must succeed."""
    begun = time.monotonic()
    process = subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        sys.exit(f"{command[:4]} ended with {process.returncode}")
    return time.monotonic() - begun, usage.ru_utime + usage.ru_stime, usage.ru_maxrss >> 10


def main():
    root = pathlib.Path(__file__).resolve().parent.parent
    target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", root / "target"))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--henna", default=str(target / "release" / "henna"))
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--folder", help="where the file and the lakes are made; the file stays")
    options = parser.parse_args()
    import duckdb

    work = pathlib.Path(options.folder or tempfile.mkdtemp(prefix="henna-loading."))
    file, lake = work / f"orders-{options.rows}.csv", work / "lake"
    env = {**os.environ, "HENNA_ADMIN_PASSWORD": PASSWORD, "HENNA_LOG": "error"}
    try:
        if not file.exists():
            duckdb.execute(MAKE.format(rows=options.rows, file=f"{file}.part"))
            os.rename(f"{file}.part", file)

        def henna():
            shutil.rmtree(lake, ignore_errors=True)
            subprocess.run([options.henna, "--lake", lake, "init"], env=env, check=True, stdout=subprocess.DEVNULL)
            return run([options.henna, "--lake", lake, "load", "orders", file], env)

        def peer(text, **more):
            out = work / "peer.parquet"
            return lambda: run([sys.executable, "-c", text.format(file=file, out=out, **more)])

        sides = {
            "henna": henna,
            "duckdb": peer(DUCKDB, options=""),
            "duckdb, zstd": peer(DUCKDB, options=", COMPRESSION zstd"),
            "clickhouse": peer(CLICKHOUSE),
        }
        figures = {name: [] for name in sides}
        for _ in range(options.runs):
            for name, side in sides.items():
                figures[name].append(side())
        sums = "count(*), sum(paid_amount::numeric(18, 2)), count(DISTINCT status), min(order_time)::date, count(*) FILTER (WHERE id IS NULL)"
        asked = f"SELECT {sums.replace('id IS', 'one_id IS')} FROM orders"
        done = subprocess.run([options.henna, "--lake", lake, "sql", "--format", "csv", "-c", asked], env=env, capture_output=True, text=True)
        ours = done.stdout.split("\n")[1]
        theirs = duckdb.execute(f"SELECT {sums.replace('id IS', 'id_phone IS')} FROM read_csv('{file}')").fetchone()
        theirs = ",".join(str(value) for value in theirs)
        if ours != theirs:
            sys.exit(f"the answers differ: {ours} {done.stderr}, {theirs}")
        base = statistics.median(seconds for seconds, _, _ in figures["duckdb"])
        print(f"{options.rows} rows, {file.stat().st_size >> 20} MB of CSV, answers agree: {ours}")
        for name, runs in figures.items():
            seconds = statistics.median(seconds for seconds, _, _ in runs)
            cpu = statistics.median(cpu for _, cpu, _ in runs)
            peak = max(peak for _, _, peak in runs)
            row = {"side": name, "seconds": round(seconds, 1), "cpu_seconds": round(cpu, 1), "peak_mb": peak, "of_duckdb": round(seconds / base, 2)}
            print(json.dumps(row))
    finally:
        shutil.rmtree(lake, ignore_errors=True)
        (work / "peer.parquet").unlink(missing_ok=True)
        if not options.folder:
            shutil.rmtree(work)


if __name__ == "__main__":
    main()

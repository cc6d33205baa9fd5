#!/usr/bin/env python3
"""The functions of henna-udfs beside what else answers the same questions, on generated data, one program at a time.

Henna's side is the functions in plain DataFusion (`udfs/examples/bench.rs`); beside it ClickHouse (chdb), DuckDB, Polars, lifetimes and
ChannelAttribution, each in a process of its own that asks three times. Every side reads the same Parquet files. The answers are compared before any
time is believed; a time is the median of the three, memory is the peak of the process. `pip install numpy pandas pyarrow duckdb polars chdb lifetimes
ChannelAttribution` brings the peers; one that is missing is left out.

  cargo build --release --workspace --example bench
  python benches/functions.py [--orders 10000000] [--interactions 30000000] [--only funnel,rfm] [--peers duckdb] [--bench target/release/examples/bench]
"""

import argparse
import csv
import io
import json
import math
import os
import pathlib
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
RUNS = 3
STEPS = ["view", "click", "cart", "buy"]

# A question: SQL by dialect, or the name of a Python function for programs that are no databases. Answers are rows of numbers and texts.
CONDITIONS = ", ".join(f"event = '{step}'" for step in STEPS)
QUESTIONS = {
    "window_funnel": {
        "henna": f"""SELECT level, count(*) FROM (SELECT one_id, window_funnel(86400, 'default', event_time, {CONDITIONS}) AS level
            FROM interactions GROUP BY one_id) GROUP BY level ORDER BY level""",
        "clickhouse": f"""SELECT level, count() FROM (SELECT one_id, windowFunnel(86400000000)(toUInt64(toUnixTimestamp64Micro(event_time)), {CONDITIONS}) AS level
            FROM interactions GROUP BY one_id) GROUP BY level ORDER BY level""",
        # The beginning of the newest chain that has reached each step, carried along: what both of the above reckon.
        "duckdb": """WITH a AS (SELECT one_id, event_time AS t, CASE event WHEN 'view' THEN 1 WHEN 'click' THEN 2 WHEN 'cart' THEN 3 WHEN 'buy' THEN 4 END AS step FROM interactions),
            b AS (SELECT *, last_value(CASE WHEN step = 1 THEN t END IGNORE NULLS) OVER w AS f1 FROM a WINDOW w AS (PARTITION BY one_id ORDER BY t, step ROWS UNBOUNDED PRECEDING)),
            c AS (SELECT *, last_value(CASE WHEN step = 2 AND t <= f1 + INTERVAL 1 DAY THEN f1 END IGNORE NULLS) OVER w AS f2 FROM b WINDOW w AS (PARTITION BY one_id ORDER BY t, step ROWS UNBOUNDED PRECEDING)),
            d AS (SELECT *, last_value(CASE WHEN step = 3 AND t <= f2 + INTERVAL 1 DAY THEN f2 END IGNORE NULLS) OVER w AS f3 FROM c WINDOW w AS (PARTITION BY one_id ORDER BY t, step ROWS UNBOUNDED PRECEDING)),
            l AS (SELECT one_id, max(CASE WHEN step = 4 AND t <= f3 + INTERVAL 1 DAY THEN 4 WHEN f3 IS NOT NULL THEN 3 WHEN f2 IS NOT NULL THEN 2 WHEN f1 IS NOT NULL THEN 1 ELSE 0 END) AS level
                FROM d GROUP BY one_id)
            SELECT level, count(*) FROM l GROUP BY level ORDER BY level""",
    },
    "retention": {
        "henna": """SELECT sum(r[1]), sum(r[2]), sum(r[3]), sum(r[4]) FROM (SELECT one_id, retention(event_time < TIMESTAMP '2026-01-08', event_time >= TIMESTAMP '2026-01-08' AND event_time < TIMESTAMP '2026-01-15',
            event_time >= TIMESTAMP '2026-01-15' AND event_time < TIMESTAMP '2026-01-22', event = 'buy' AND event_time >= TIMESTAMP '2026-01-22') AS r FROM interactions GROUP BY one_id)""",
        "clickhouse": """SELECT sum(r[1]), sum(r[2]), sum(r[3]), sum(r[4]) FROM (SELECT one_id, retention(event_time < toDateTime64('2026-01-08', 6), event_time >= toDateTime64('2026-01-08', 6) AND event_time < toDateTime64('2026-01-15', 6),
            event_time >= toDateTime64('2026-01-15', 6) AND event_time < toDateTime64('2026-01-22', 6), event = 'buy' AND event_time >= toDateTime64('2026-01-22', 6)) AS r FROM interactions GROUP BY one_id)""",
        "duckdb": """SELECT sum(c1::INT), sum((c1 AND c2)::INT), sum((c1 AND c3)::INT), sum((c1 AND c4)::INT) FROM (SELECT one_id, bool_or(event_time < TIMESTAMP '2026-01-08') AS c1,
            bool_or(event_time >= TIMESTAMP '2026-01-08' AND event_time < TIMESTAMP '2026-01-15') AS c2, bool_or(event_time >= TIMESTAMP '2026-01-15' AND event_time < TIMESTAMP '2026-01-22') AS c3,
            bool_or(event = 'buy' AND event_time >= TIMESTAMP '2026-01-22') AS c4 FROM interactions GROUP BY one_id)""",
    },
    "sequence_match": {
        "henna": f"""SELECT count(*) FROM (SELECT one_id, sequence_match('(?1).*(?3).*(?4)', event_time, {CONDITIONS}) AS found FROM interactions GROUP BY one_id) WHERE found""",
        "clickhouse": f"""SELECT count() FROM (SELECT one_id, sequenceMatch('(?1).*(?3).*(?4)')(toUInt64(toUnixTimestamp64Micro(event_time)), {CONDITIONS}) AS found FROM interactions GROUP BY one_id) WHERE found""",
        "duckdb": """SELECT count(*) FROM (SELECT one_id, string_agg(CASE event WHEN 'view' THEN '1' WHEN 'click' THEN '2' WHEN 'cart' THEN '3' WHEN 'buy' THEN '4' END, '' ORDER BY event_time) AS path
            FROM interactions GROUP BY one_id) WHERE path LIKE '%1%3%4%'""",
    },
    "rfm": {
        "henna": """WITH v AS (SELECT one_id, rfm(order_time, amount, DATE '2026-07-01') AS v FROM orders GROUP BY one_id),
            s AS (SELECT rfm_score(v['recency_days'], 5, false, 'ntile') OVER (ORDER BY one_id) AS r, rfm_score(v['frequency'], 5, true, 'ntile') OVER (ORDER BY one_id) AS f,
                rfm_score(v['monetary'], 5, true, 'ntile') OVER (ORDER BY one_id) AS m, v['monetary'] AS monetary FROM v)
            SELECT r, f, m, count(*), sum(monetary) FROM s GROUP BY r, f, m ORDER BY r, f, m""",
        "duckdb": """WITH v AS (SELECT one_id, DATE '2026-07-01' - CAST(max(order_time) AS DATE) AS recency_days, count(*) AS frequency, sum(amount) AS monetary FROM orders GROUP BY one_id),
            s AS (SELECT ntile(5) OVER (ORDER BY recency_days DESC, one_id) AS r, ntile(5) OVER (ORDER BY frequency, one_id) AS f, ntile(5) OVER (ORDER BY monetary, one_id) AS m, monetary FROM v)
            SELECT r, f, m, count(*), sum(monetary) FROM s GROUP BY r, f, m ORDER BY r, f, m""",
        "clickhouse": """WITH v AS (SELECT one_id, dateDiff('day', toDate(max(order_time)), toDate('2026-07-01')) AS recency_days, count() AS frequency, sum(amount) AS monetary FROM orders GROUP BY one_id),
            s AS (SELECT ntile(5) OVER (ORDER BY recency_days DESC, one_id) AS r, ntile(5) OVER (ORDER BY frequency, one_id) AS f, ntile(5) OVER (ORDER BY monetary, one_id) AS m, monetary FROM v)
            SELECT r, f, m, count(), sum(monetary) FROM s GROUP BY r, f, m ORDER BY r, f, m""",
        "polars": "polars_rfm",
    },
    "repurchase_cycle": {
        "henna": """SELECT count(*), sum(c['n_gaps']), round(sum(c['mean_days']), 3), round(sum(c['sd_days']), 3) FROM (SELECT one_id, repurchase_cycle(order_time) AS c FROM orders GROUP BY one_id)""",
        "duckdb": """WITH d AS (SELECT DISTINCT one_id, CAST(order_time AS DATE) AS day FROM orders),
            g AS (SELECT one_id, day - lag(day) OVER (PARTITION BY one_id ORDER BY day) AS gap FROM d),
            c AS (SELECT one_id, count(gap) AS n, avg(gap) AS mean_days, stddev_samp(gap) AS sd_days FROM g GROUP BY one_id)
            SELECT count(*), sum(n), round(sum(mean_days), 3), round(sum(sd_days), 3) FROM c""",
        "clickhouse": """WITH c AS (SELECT one_id, arrayPopFront(arrayDifference(arraySort(groupUniqArray(toInt32(toDate(order_time)))))) AS gaps FROM orders GROUP BY one_id)
            SELECT count(), sum(length(gaps)), round(sumIf(arrayAvg(gaps), length(gaps) > 0), 3),
            round(sumIf(arrayReduce('stddevSamp', gaps), length(gaps) > 1), 3) FROM c""",
        "polars": "polars_repurchase_cycle",
    },
    "km_survival": {
        "henna": """SELECT k['t'], k['at_risk'], k['events'], round(k['s'], 9) FROM (SELECT unnest(km_survival(days, is_lost)) AS k FROM
            (SELECT CAST(CAST(max(order_time) AS DATE) AS INT) - CAST(CAST(min(order_time) AS DATE) AS INT) AS days, max(order_time) < TIMESTAMP '2026-04-01' AS is_lost FROM orders GROUP BY one_id)) ORDER BY 1""",
        "duckdb": """WITH p AS (SELECT CAST(max(order_time) AS DATE) - CAST(min(order_time) AS DATE) AS t, max(order_time) < TIMESTAMP '2026-04-01' AS is_lost FROM orders GROUP BY one_id),
            c AS (SELECT t, count(*) AS n, count(*) FILTER (WHERE is_lost) AS events FROM p GROUP BY t),
            r AS (SELECT t, events, sum(n) OVER (ORDER BY t DESC) AS at_risk FROM c)
            SELECT t, at_risk, events, round(product(1 - events / at_risk) OVER (ORDER BY t), 9) FROM r ORDER BY t""",
        "clickhouse": """WITH p AS (SELECT dateDiff('day', toDate(min(order_time)), toDate(max(order_time))) AS t, max(order_time) < toDateTime64('2026-04-01', 6) AS is_lost FROM orders GROUP BY one_id),
            c AS (SELECT t, count() AS n, countIf(is_lost) AS events FROM p GROUP BY t),
            r AS (SELECT t, events, sum(n) OVER (ORDER BY t DESC) AS at_risk FROM c)
            SELECT t, at_risk, events, round(exp(sum(log(1 - events / at_risk)) OVER (ORDER BY t)), 9) FROM r ORDER BY t""",
        "polars": "polars_km_survival",
    },
    "bitmap sets": {
        "henna": """WITH s AS (SELECT bitmap_build(one_id) FILTER (WHERE channel = 'tmall') AS a, bitmap_build(one_id) FILTER (WHERE channel = 'douyin') AS b, bitmap_build(one_id) FILTER (WHERE channel = 'store') AS c FROM orders)
            SELECT bitmap_count(a), bitmap_count(bitmap_and(a, b)), bitmap_count(bitmap_andnot(a, b)), bitmap_count(bitmap_or(bitmap_or(a, b), c)), bitmap_count(bitmap_andnot(bitmap_and(a, b), c)) FROM s""",
        "clickhouse": """WITH s AS (SELECT groupBitmapStateIf(toUInt64(one_id), channel = 'tmall') AS a, groupBitmapStateIf(toUInt64(one_id), channel = 'douyin') AS b, groupBitmapStateIf(toUInt64(one_id), channel = 'store') AS c FROM orders)
            SELECT bitmapCardinality(a), bitmapAndCardinality(a, b), bitmapAndnotCardinality(a, b), bitmapCardinality(bitmapOr(bitmapOr(a, b), c)), bitmapAndnotCardinality(bitmapAnd(a, b), c) FROM s""",
        "duckdb": """WITH p AS (SELECT one_id, bool_or(channel = 'tmall') AS a, bool_or(channel = 'douyin') AS b, bool_or(channel = 'store') AS c FROM orders GROUP BY one_id)
            SELECT count(*) FILTER (WHERE a), count(*) FILTER (WHERE a AND b), count(*) FILTER (WHERE a AND NOT b), count(*) FILTER (WHERE a OR b OR c), count(*) FILTER (WHERE a AND b AND NOT c) FROM p""",
        "polars": "polars_sets",
    },
    "bgnbd_fit": {
        "henna": "SELECT round(p['r'], 3), round(p['alpha'], 2), round(p['a'], 2), round(p['b'], 1) FROM (SELECT bgnbd_fit(x, t_x, t) AS p FROM summary)",
        "lifetimes": "lifetimes_fit",
    },
    "markov_attribution": {
        "henna": "SELECT c['channel'], c['conversions'] FROM (SELECT unnest(markov_attribution(path, conversions, value, nulls, 1)) AS c FROM paths) ORDER BY 1",
        "channelattribution": "channel_markov",
        "tolerance": 0.02,
    },
    "shapley_attribution": {
        "henna": "SELECT c['channel'], round(c['conversions'], 3) FROM (SELECT unnest(shapley_attribution(path, conversions, value)) AS c FROM paths) ORDER BY 1",
        "duckdb": """WITH p AS (SELECT list_distinct(string_split(path, ' > ')) AS channels, conversions FROM paths),
            c AS (SELECT unnest(channels) AS channel, conversions / len(channels) AS share FROM p) SELECT channel, round(sum(share), 3) FROM c GROUP BY 1 ORDER BY 1""",
        "clickhouse": """SELECT channel, round(sum(conversions / length(channels)), 3) FROM (SELECT arrayDistinct(splitByString(' > ', path)) AS channels, conversions FROM paths) ARRAY JOIN channels AS channel GROUP BY channel ORDER BY channel""",
    },
    "paths of touches": {
        "henna": """SELECT path[1], path[CAST(array_length(path) AS BIGINT)], count(*) FROM (SELECT one_id, touch_path(event_time, channel) AS path FROM interactions WHERE event IN ('click', 'buy') GROUP BY one_id) GROUP BY 1, 2 ORDER BY 1, 2""",
        "duckdb": """SELECT path[1], path[len(path)], count(*) FROM (SELECT one_id, list(channel ORDER BY event_time, channel) AS path FROM interactions WHERE event IN ('click', 'buy') GROUP BY one_id) GROUP BY 1, 2 ORDER BY 1, 2""",
        "clickhouse": """SELECT path[1].2, path[-1].2, count() FROM (SELECT one_id, arraySort(groupArray((event_time, channel))) AS path FROM interactions WHERE event IN ('click', 'buy') GROUP BY one_id) GROUP BY 1, 2 ORDER BY 1, 2""",
    },
}


# The sides. Each takes the folder and the question and gives a function that answers it.


def duckdb_side(folder, sql):
    import duckdb

    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    for file in pathlib.Path(folder).glob("*.parquet"):
        connection.execute(f"CREATE VIEW {file.stem} AS SELECT * FROM '{file}'")
    return lambda: connection.execute(sql).fetchall()


def clickhouse_side(folder, sql):
    import chdb

    for file in pathlib.Path(folder).glob("*.parquet"):
        sql = sql.replace(f"FROM {file.stem}", f"FROM file('{file}', Parquet)")
    sql += " SETTINGS session_timezone = 'UTC'"
    return lambda: list(csv.reader(io.StringIO(str(chdb.query(sql, "CSV")))))


def polars_side(folder, name):
    return globals()[name](pathlib.Path(folder))


def lifetimes_side(folder, name):
    return globals()[name](pathlib.Path(folder))


channelattribution_side = lifetimes_side


def polars_rfm(folder):
    import datetime

    import polars as pl

    def fifths(column, descending=False):
        place = pl.struct(-pl.col(column) if descending else pl.col(column), pl.col("one_id")).rank("ordinal") - 1
        size, rest = pl.len() // 5, pl.len() % 5
        # SQL's NTILE: the first parts get one more.
        return pl.when(place < rest * (size + 1)).then(place // (size + 1)).otherwise(rest + (place - rest * (size + 1)) // size).cast(pl.Int64) + 1

    def answer():
        orders = pl.scan_parquet(folder / "orders.parquet")
        days = (pl.lit(datetime.date(2026, 7, 1)) - pl.col("order_time").max().dt.date()).dt.total_days()
        values = orders.group_by("one_id").agg(days.alias("recency"), pl.len().cast(pl.Int64).alias("frequency"), pl.col("amount").sum().alias("monetary"))
        scores = values.with_columns(fifths("recency", True).alias("r"), fifths("frequency").alias("f"), fifths("monetary").alias("m"))
        return scores.group_by("r", "f", "m").agg(pl.len(), pl.col("monetary").sum()).sort("r", "f", "m").collect(engine="streaming").rows()

    return answer


def polars_repurchase_cycle(folder):
    import polars as pl

    def answer():
        days = pl.scan_parquet(folder / "orders.parquet").select("one_id", pl.col("order_time").dt.date().cast(pl.Int32).alias("day")).unique().sort("one_id", "day")
        gaps = days.group_by("one_id").agg(pl.col("day").diff().drop_nulls().alias("gap"))
        each = gaps.select(pl.col("gap").list.len().cast(pl.Int64).alias("n"), pl.col("gap").list.mean().alias("mean"), pl.col("gap").list.std().alias("sd"))
        return each.select(pl.len(), pl.col("n").sum(), pl.col("mean").sum().round(3), pl.col("sd").drop_nans().sum().round(3)).collect(engine="streaming").rows()

    return answer


def polars_km_survival(folder):
    import datetime

    import polars as pl

    def answer():
        time_of = pl.col("order_time")
        people = pl.scan_parquet(folder / "orders.parquet").group_by("one_id").agg(
            (time_of.max().dt.date() - time_of.min().dt.date()).dt.total_days().alias("t"), (time_of.max() < datetime.datetime(2026, 4, 1)).alias("lost")
        )
        counts = people.group_by("t").agg(pl.len().cast(pl.Int64).alias("n"), pl.col("lost").sum().cast(pl.Int64).alias("events")).sort("t")
        at_risk = counts.with_columns(pl.col("n").cum_sum(reverse=True).alias("at_risk"))
        return at_risk.select("t", "at_risk", "events", (1 - pl.col("events") / pl.col("at_risk")).cum_prod().round(9)).collect(engine="streaming").rows()

    return answer


def polars_sets(folder):
    import polars as pl

    def answer():
        has = {name: (pl.col("channel") == channel).any().alias(name) for name, channel in (("a", "tmall"), ("b", "douyin"), ("c", "store"))}
        people = pl.scan_parquet(folder / "orders.parquet").group_by("one_id").agg(*has.values())
        a, b, c = pl.col("a"), pl.col("b"), pl.col("c")
        sums = [a.sum().alias("1"), (a & b).sum().alias("2"), (a & ~b).sum().alias("3"), (a | b | c).sum().alias("4"), (a & b & ~c).sum().alias("5")]
        return people.select(*sums).collect(engine="streaming").rows()

    return answer


def lifetimes_fit(folder):
    import pandas
    from lifetimes import BetaGeoFitter

    def answer():
        # Customers alike are counted once: lifetimes takes weights, too.
        alike = pandas.read_parquet(folder / "summary.parquet").groupby(["x", "t_x", "t"]).size().reset_index(name="n")
        params = BetaGeoFitter().fit(alike["x"], alike["t_x"], alike["t"], weights=alike["n"]).params_
        return [(round(params["r"], 3), round(params["alpha"], 2), round(params["a"], 2), round(params["b"], 1))]

    return answer


def channel_markov(folder):
    import pandas
    import ChannelAttribution

    def answer():
        paths = pandas.read_parquet(folder / "paths.parquet")
        model = ChannelAttribution.markov_model(paths, "path", "conversions", var_value="value", var_null="nulls", order=1, verbose=False)
        frame = model if isinstance(model, pandas.DataFrame) else model["result"]
        return sorted(zip(frame.iloc[:, 0], frame.iloc[:, 1]))

    return answer


def henna_side(folder, sql, bench):
    run = subprocess.run([bench, folder], input=sql, text=True, capture_output=True)
    if run.returncode:
        sys.exit(run.stderr)
    first, rest = run.stdout.split("\n", 1)
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    return {"ms": float(first), "peak_mb": peak / 1024, "answer": list(csv.reader(io.StringIO(rest)))}


def one_side(options):
    question = QUESTIONS[options.question][options.side]
    if options.side == "henna":
        print(json.dumps(henna_side(options.data, question, options.bench)))
        return
    answer = globals()[f"{options.side}_side"](options.data, question)
    times = []
    for _ in range(RUNS):
        began = time.perf_counter()
        rows = answer()
        times.append((time.perf_counter() - began) * 1000)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"ms": statistics.median(times), "peak_mb": peak, "answer": [[str(cell) for cell in row] for row in rows]}))


def generate(folder, orders, interactions):
    """The same rows at each run, in order of time, as loads bring them."""
    import duckdb

    people = max(orders // 10, 1)
    connection = duckdb.connect()
    connection.execute("SET memory_limit = '6GB'")
    connection.execute(f"SET temp_directory = '{folder}/spill'")
    out = "(FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE 500000)"
    dice = lambda key, salt: f"(hash({key} * 1000003 + {salt}) % 1000000007) / 1000000007.0"  # noqa: E731
    channels = "['tmall', 'douyin', 'jd', 'mini_program', 'store', 'wecom', 'wechat_shop']"
    # Some buy often, most seldom: the square of a fair dice favours small ids.
    connection.execute(f"""COPY (SELECT i AS order_id, CAST(floor({people} * pow({dice('i', 1)}, 2)) AS BIGINT) AS one_id,
        TIMESTAMP '2024-07-01' + to_microseconds(CAST(i * (730 * 86400000000 // {orders}) AS BIGINT)) AS order_time,
        CAST(10 + 990 * {dice('i', 2)} AS DECIMAL(18, 2)) AS amount, {channels}[1 + CAST(floor(7 * {dice('i', 3)}) AS INT)] AS channel
        FROM range({orders}) AS r(i)) TO '{folder}/orders.parquet' {out}""")
    connection.execute(f"""COPY (SELECT CAST(floor({people} * {dice('i', 4)}) AS BIGINT) AS one_id,
        TIMESTAMP '2026-01-01' + to_microseconds(CAST(i * (60 * 86400000000 // {interactions}) AS BIGINT)) AS event_time,
        CASE WHEN d < 0.55 THEN 'view' WHEN d < 0.8 THEN 'click' WHEN d < 0.93 THEN 'cart' ELSE 'buy' END AS event,
        {channels}[1 + CAST(floor(7 * {dice('i', 6)}) AS INT)] AS channel
        FROM (SELECT i, {dice('i', 5)} AS d FROM range({interactions}) AS r(i))) TO '{folder}/interactions.parquet' {out}""")
    connection.execute(f"""COPY (WITH d AS (SELECT DISTINCT one_id, CAST(order_time AS DATE) AS day FROM '{folder}/orders.parquet' WHERE one_id % 4 = 0 AND hash(order_id) % 8 = 0)
        SELECT count(*) - 1 AS x, floor((max(day) - min(day)) / 7) * 1.0 AS t_x, floor((DATE '2026-07-01' - min(day)) / 7) * 1.0 AS t FROM d GROUP BY one_id) TO '{folder}/summary.parquet' {out}""")
    connection.execute(f"""COPY (SELECT path, sum(converted) AS conversions, sum(converted) * 99.5 AS value, sum(1 - converted) AS nulls FROM
        (SELECT one_id, string_agg(channel, ' > ' ORDER BY event_time) AS path, max(CASE WHEN event = 'buy' THEN 1 ELSE 0 END) AS converted
        FROM '{folder}/interactions.parquet' WHERE event IN ('click', 'cart', 'buy') AND hash(one_id) % 3 = 0 GROUP BY one_id) GROUP BY path) TO '{folder}/paths.parquet' {out}""")
    shutil.rmtree(f"{folder}/spill", ignore_errors=True)


def same(ours, theirs, tolerance):
    def equal(one, two):
        try:
            return math.isclose(float(one), float(two), rel_tol=tolerance, abs_tol=1e-9)
        except ValueError:
            return one == two

    return len(ours) == len(theirs) and all(len(one) == len(two) and all(map(equal, one, two)) for one, two in zip(ours, theirs))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--orders", type=int, default=10_000_000)
    parser.add_argument("--interactions", type=int, default=30_000_000)
    parser.add_argument("--only", default="")
    parser.add_argument("--peers", default="")
    parser.add_argument("--data", help="a folder with the files of an earlier run, or one to keep them in")
    parser.add_argument("--bench", default=str(pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "release" / "examples" / "bench"))
    parser.add_argument("--side", help=argparse.SUPPRESS)
    parser.add_argument("--question", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.side:
        return one_side(options)

    folder = options.data or tempfile.mkdtemp(prefix="henna-functions.")
    os.makedirs(folder, exist_ok=True)
    try:
        if not (pathlib.Path(folder) / "paths.parquet").exists():
            generate(folder, options.orders, options.interactions)
        print(f"{options.orders} orders, {options.interactions} interactions; median of {RUNS} in milliseconds (peak in MB)\n")
        print("| question | Henna | peers | fastest peer / Henna |")
        print("| --- | ---: | --- | ---: |", flush=True)
        for question, sides in QUESTIONS.items():
            if options.only and question not in options.only.split(","):
                continue
            ask(options, folder, question, sides)
    finally:
        if not options.data:
            shutil.rmtree(folder)


def ask(options, folder, question, sides):
    results = {}
    for side in (side for side in sides if side != "tolerance"):
        if side != "henna" and options.peers and side not in options.peers.split(","):
            continue
        command = [sys.executable, __file__, "--side", side, "--question", question, "--data", folder, "--bench", options.bench]
        run = subprocess.run(command, text=True, capture_output=True)
        if run.returncode:
            print(f"{question}: {side} left out: {(run.stderr.strip().splitlines() or ['?'])[-1]}", file=sys.stderr)
            continue
        results[side] = json.loads(run.stdout.strip().splitlines()[-1])
    ours = results.pop("henna", None)
    if ours is None:
        sys.exit(f"{question}: no answer of Henna")
    for side, theirs in results.items():
        if not same(ours["answer"], theirs["answer"], sides.get("tolerance", 1e-6)):
            sys.exit(f"{question}: the answers differ:\nhenna {ours['answer'][:5]}\n{side} {theirs['answer'][:5]}")
    shown = ", ".join(f"{side} {theirs['ms']:.0f} ({theirs['peak_mb']:.0f})" for side, theirs in results.items())
    fastest = min((theirs["ms"] for theirs in results.values()), default=math.nan)
    print(f"| {question} | {ours['ms']:.0f} ({ours['peak_mb']:.0f}) | {shown} | {fastest / ours['ms']:.2f} |", flush=True)


main()

"""Durable rows a second over POST /v1/load, from several HTTP clients at once, and the memory that the server takes meanwhile.

    python3 benches/streaming.py [--henna target/release/henna] [--clients 8] [--batch 5000] [--seconds 30]
                                 [--table interactions|orders] [--format csv|ndjson] [--updates 0.0] [--keyed]

Makes a lake of its own in a temporary folder, serves it on free ports of the loopback, and lets each client send one batch
after the other: a row counts when its load was answered. A 429 is waited for and sent again. In the end every acknowledged
row is counted by SQL, `henna check` looks at the lake, and one line of JSON tells the figures.
"""

import argparse
import base64
import http.client
import json
import os
import random
import subprocess
import tempfile
import threading
import time

PASSWORD = "bench"
CHANNELS = ["tmall", "douyin", "jd", "mini_program", "store"]


def orders(client, batch, start, updates, sent):
    """Rows of orders: new ones, and of `updates` a share of those that this client has sent."""
    rows = []
    for number in range(batch):
        again = sent > 0 and random.random() < updates
        key = random.randrange(sent) if again else start + number
        phone = 13000000000 + random.randrange(2_000_000)
        day, second = key % 28 + 1, key % 86400
        when = f"2026-11-{day:02} {second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}"
        rows.append(
            {
                "channel": CHANNELS[key % len(CHANNELS)],
                "order_id": f"c{client}-{key:09}",
                "order_time": when,
                "status": "shipped" if again else "paid",
                "paid_amount": f"{key % 900 + 1}.50",
                "updated_at": f"2026-11-30 {second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}" if again else when,
                "id_phone": str(phone),
            }
        )
    return rows


def interactions(client, batch, start, _updates, _sent):
    rows = []
    for number in range(batch):
        key = start + number
        second = key % 86400
        rows.append(
            {
                "channel": CHANNELS[key % len(CHANNELS)],
                "event_id": f"c{client}-{key:09}",
                "event_time": f"2026-11-{key % 28 + 1:02} {second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}",
                "event_type": "page_view",
                "touchpoint": "mini_program",
                "session_id": f"s{key // 20}",
                "id_openid": f"o{random.randrange(2_000_000):09}",
            }
        )
    return rows


MAKERS = {"orders": orders, "interactions": interactions}


def body(rows, form):
    if form == "ndjson":
        return "".join(json.dumps(row, separators=(",", ":")) + "\n" for row in rows).encode()
    names = list(rows[0])
    lines = [",".join(names)] + [",".join(row[name] for name in names) for row in rows]
    return ("\n".join(lines) + "\n").encode()


class Server:
    def __init__(self, henna, lake):
        self.henna, self.lake = henna, lake
        self.env = {**os.environ, "HENNA_ADMIN_PASSWORD": PASSWORD, "HENNA_LOG": "warn"}
        self.run("init")
        command = [henna, "--lake", lake, "serve", "--listen", "127.0.0.1:0", "--web", "127.0.0.1:0"]
        self.process = subprocess.Popen(command, env=self.env, stdout=subprocess.PIPE, text=True)
        for line in self.process.stdout:
            if "http://" in line:
                self.port = int(line.strip().rsplit(":", 1)[1])
                break

    def run(self, *arguments):
        done = subprocess.run([self.henna, "--lake", self.lake, *arguments], env=self.env, capture_output=True, text=True)
        if done.returncode != 0:
            raise SystemExit(f"henna {' '.join(arguments)}: {done.stdout}{done.stderr}")
        return done.stdout

    def resident_bytes(self):
        with open(f"/proc/{self.process.pid}/status") as status:
            found = [line for line in status if line.startswith("VmRSS:")]
        return int(found[0].split()[1]) * 1024 if found else 0

    def stop(self):
        self.process.terminate()
        self.process.wait(60)


class Tally:
    def __init__(self):
        self.lock = threading.Lock()
        self.rows = self.added = self.busy = 0
        self.waits = []


def client(nth, server, options, until, tally):
    token = base64.b64encode(f"admin:{PASSWORD}".encode()).decode()
    kind = "text/csv" if options.format == "csv" else "application/x-ndjson"
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=120)
    sent = number = 0
    while time.monotonic() < until:
        rows = MAKERS[options.table](nth, options.batch, sent, options.updates, sent)
        content = body(rows, options.format)
        headers = {"Authorization": f"Basic {token}", "Content-Type": kind}
        if options.keyed:
            headers["Idempotency-Key"] = f"{nth}-{number}"
        begun = time.monotonic()
        while True:
            connection.request("POST", f"/v1/load/{options.table}", content, headers)
            answer = connection.getresponse()
            text = answer.read()
            if answer.status != 429:
                break
            with tally.lock:
                tally.busy += 1
            time.sleep(float(answer.headers.get("Retry-After", "1")))
        if answer.status != 200:
            raise SystemExit(f"client {nth}: {answer.status} {text[:500]}")
        report = json.loads(text)
        with tally.lock:
            tally.rows += report["rows_read"]
            tally.added += report["rows_added"]
            tally.waits.append(time.monotonic() - begun)
        sent += options.batch
        number += 1


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--henna", default="target/release/henna")
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--batch", type=int, default=5000)
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--table", choices=sorted(MAKERS), default="interactions")
    parser.add_argument("--format", choices=["csv", "ndjson"], default="csv")
    parser.add_argument("--updates", type=float, default=0.0)
    parser.add_argument("--keyed", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="henna-streaming-") as folder:
        server = Server(options.henna, os.path.join(folder, "lake"))
        try:
            tally, peak, idle = Tally(), 0, server.resident_bytes()
            begun = time.monotonic()
            until = begun + options.seconds
            clients = [
                threading.Thread(target=client, args=(nth, server, options, until, tally), daemon=True)
                for nth in range(options.clients)
            ]
            for thread in clients:
                thread.start()
            while any(thread.is_alive() for thread in clients):
                peak = max(peak, server.resident_bytes())
                time.sleep(0.05)
            seconds = time.monotonic() - begun
        finally:
            server.stop()
        counted = int(server.run("sql", "--format", "csv", "-c", f"SELECT count(*) FROM {options.table}").split()[1])
        if counted != tally.added:
            raise SystemExit(f"{tally.added} rows were acknowledged as added, {counted} are there")
        server.run("check")
        waits = sorted(tally.waits)
        figures = {
            "table": options.table,
            "format": options.format,
            "clients": options.clients,
            "batch": options.batch,
            "rows": tally.rows,
            "seconds": round(seconds, 1),
            "rows_a_second": round(tally.rows / seconds),
            "median_ms": round(1000 * waits[len(waits) // 2]),
            "slowest_ms": round(1000 * waits[-1]),
            "busy": tally.busy,
            "idle_mb": idle >> 20,
            "peak_mb": peak >> 20,
        }
        print(json.dumps(figures))


if __name__ == "__main__":
    main()

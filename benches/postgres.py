#!/usr/bin/env python3
"""Henna and PostgreSQL 15 on the wire: a million rows, and the latency of small statements, on the same machine and rows.

Rows are taken off the socket and not looked at, so that the client costs both sides the same and little: rows per second
are the server's. Its CPU is read from /proc. Latencies are pgbench's. PostgreSQL runs in a temporary folder with its defaults
(fsync off: nothing is written); Henna as a user meets it, a release binary over its own loaded lake.

  python benches/postgres.py [--rows 1000000] [--seconds 5] [--henna target/release/henna]
"""

import argparse
import os
import pathlib
import pwd
import re
import shutil
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import time

import psycopg

ROOT = pathlib.Path(__file__).resolve().parent.parent
PROGRAMS = pathlib.Path(os.environ.get("PG15_BIN", "/usr/lib/postgresql/15/bin"))
RUNS = 5
TABLE = """CREATE TABLE sales (
  id bigint PRIMARY KEY,
  sold_at timestamptz NOT NULL,
  channel text NOT NULL,
  product text NOT NULL,
  quantity integer NOT NULL,
  price numeric(12, 2) NOT NULL,
  rating double precision,
  note text
)"""
CHANNELS = ("tmall", "douyin", "jd", "wecom", "store")
CLIENTS = (1, 8, 32)
END = b"Z\0\0\0\x05I"


def rows(count):
    for n in range(count):
        minute, note = n % 525_600, "" if n % 7 else f"note {n * 31 % 9973} of the buyer"
        day, rest = divmod(minute, 1440)
        sold = time.strftime("%Y-%m-%d", time.gmtime(1_735_689_600 + day * 86_400))
        yield (
            f"{n},{sold} {rest // 60:02}:{rest % 60:02}:00+00,{CHANNELS[n * 7 % 5]},product-{n * 13 % 4000:05},"
            f"{n % 9 + 1},{n * 37 % 100_000 / 100:.2f},{n % 50 / 10},{note}\n"
        )


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Postgres:
    name = "PostgreSQL 15"

    def __init__(self, folder, file):
        # PostgreSQL refuses to run as root.
        self.user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
        if self.user:
            account = pwd.getpwnam("postgres")
            os.chown(folder, account.pw_uid, account.pw_gid)
        self.data, port = str(folder / "data"), free_port()
        self.run("initdb", "-D", self.data, "-U", "bench", "--auth=trust", "-E", "UTF8", "--locale=C.UTF-8")
        options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={folder} -c fsync=off"
        self.run("pg_ctl", "-D", self.data, "-o", options, "-l", str(folder / "log"), "-w", "start")
        self.address = dict(host="127.0.0.1", port=port, user="bench", dbname="postgres", sslmode="disable")
        with psycopg.connect(**self.address, autocommit=True) as connection:
            connection.execute(TABLE)
            with connection.cursor().copy("COPY sales FROM STDIN (FORMAT csv, HEADER)") as copy, file.open("rb") as source:
                while block := source.read(1 << 20):
                    copy.write(block)
            connection.execute("VACUUM ANALYZE sales")

    def run(self, program, *arguments):
        subprocess.run([*self.user, str(PROGRAMS / program), *arguments], check=True, stdout=subprocess.DEVNULL, cwd="/")

    def pid(self, connection):
        return connection.info.backend_pid

    def close(self):
        self.run("pg_ctl", "-D", self.data, "-m", "immediate", "-w", "stop")


class Henna:
    name = "Henna"

    def __init__(self, folder, file, program):
        dataset, lake = folder / "dataset", str(folder / "lake")
        (dataset / "tables").mkdir(parents=True)
        (dataset / "dataset.toml").write_text('name = "bench"\ntime_zone = "UTC"\n[tables.sales]\nsort = ["id"]\n')
        (dataset / "tables" / "sales.sql").write_text(TABLE)
        environment = {**os.environ, "HENNA_ADMIN_PASSWORD": "bench", "HENNA_LOG": "error"}
        quiet = dict(check=True, stdout=subprocess.DEVNULL, env=environment)
        subprocess.run([program, "init", "--lake", lake, "--dataset", str(dataset)], **quiet)
        subprocess.run([program, "load", "--lake", lake, "sales", str(file)], **quiet)
        command = [program, "serve", "--lake", lake, "--listen", "127.0.0.1:0", "--web", "off"]
        self.server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
        for line in self.server.stdout:
            if found := re.search(r"(?:-p |127\.0\.0\.1:)(\d+)", line):
                break
        else:
            sys.exit("the server ended early")
        self.address = dict(host="127.0.0.1", port=int(found[1]), user="admin", dbname="henna", password="bench", sslmode="disable")

    def pid(self, _):
        return self.server.pid

    def close(self):
        self.server.send_signal(2)
        self.server.wait()


def cpu_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def message(kind, body):
    return kind + struct.pack("!i", len(body) + 4) + body


def text_query(sql):
    return message(b"Q", sql.encode() + b"\0")


def binary_query(sql):
    parse = message(b"P", b"\0" + sql.encode() + b"\0" + struct.pack("!h", 0))
    bind = message(b"B", b"\0\0" + struct.pack("!hhhh", 0, 0, 1, 1))
    return parse + bind + message(b"E", b"\0" + struct.pack("!i", 0)) + message(b"S", b"")


def drain(wire, request, buffer):
    """Sends a request; the bytes that came back until the server is ready again."""
    wire.sendall(request)
    received, tail = 0, b""
    while not tail.endswith(END):
        count = wire.recv_into(buffer)
        if count == 0:
            sys.exit("the server went away")
        received += count
        tail = (tail + bytes(buffer[max(0, count - 64) : count]))[-64:]
    if b"SELECT " not in tail:
        sys.exit(f"not an answer: {tail}")
    return received


def stream(server, request):
    """Medians of seconds and of CPU seconds, and the bytes of one answer."""
    buffer = bytearray(1 << 20)
    with psycopg.connect(**server.address, autocommit=True) as connection:
        wire = socket.socket(fileno=os.dup(connection.fileno()))
        wire.setblocking(True)
        pid, taken = server.pid(connection), []
        for _ in range(RUNS + 1):
            began, before = time.perf_counter(), cpu_seconds(pid)
            size = drain(wire, request, buffer)
            taken.append((time.perf_counter() - began, cpu_seconds(pid) - before))
        wire.close()
    return *(statistics.median(column) for column in zip(*taken[1:])), size


def latency_ms(server, script, mode, clients, seconds):
    address = server.address
    environment = {**os.environ, "PGPASSWORD": address.get("password", ""), "PGSSLMODE": "disable"}
    command = ["pgbench", "-n", "-f", str(script), "-M", mode, "-c", str(clients), "-j", "1", "-T", str(seconds)]
    command += ["-h", "127.0.0.1", "-p", str(address["port"]), "-U", address["user"], address["dbname"]]
    program = PROGRAMS / "pgbench"
    done = subprocess.run([str(program), *command[1:]], check=True, capture_output=True, text=True, env=environment)
    if re.search(r"number of failed transactions: [1-9]", done.stdout):
        sys.exit(done.stdout)
    return float(re.search(r"latency average = ([0-9.]+) ms", done.stdout)[1])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--seconds", type=int, default=7)
    parser.add_argument("--henna", default=str(pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "release" / "henna"))
    options = parser.parse_args()
    work = pathlib.Path(tempfile.mkdtemp(prefix="henna-postgres."))
    work.chmod(0o755)
    servers = []
    try:
        file = work / "sales.csv"
        with file.open("w") as out:
            out.write("id,sold_at,channel,product,quantity,price,rating,note\n")
            out.writelines(rows(options.rows))
        for folder in ("postgres", "henna"):
            (work / folder).mkdir()
        servers.append(Postgres(work / "postgres", file))
        servers.append(Henna(work / "henna", file, options.henna))
        peer, ours = servers

        print(f"\n{options.rows} rows of 8 columns, median of {RUNS}")
        print("| format | Henna rows/s | PostgreSQL rows/s | ratio | Henna CPU s | PostgreSQL CPU s | MB |")
        print("| --- | ---: | ---: | ---: | ---: | ---: | ---: |")
        for name, request in (("text", text_query), ("binary", binary_query)):
            sql = "SELECT * FROM sales"
            (mine, my_cpu, size), (theirs, their_cpu, _) = (stream(server, request(sql)) for server in (ours, peer))
            mine, theirs = options.rows / mine, options.rows / theirs
            print(f"| {name} | {mine:,.0f} | {theirs:,.0f} | {mine / theirs:.2f} | {my_cpu:.2f} | {their_cpu:.2f} | {size / 1e6:.0f} |")

        print(f"\npgbench, average latency in milliseconds, median of {options.seconds} runs of 1 s, in turns")
        print("| statement | protocol | clients | Henna | PostgreSQL | ratio |")
        print("| --- | --- | ---: | ---: | ---: | ---: |")
        for name, sql in (
            ("SELECT 1", "SELECT 1;"),
            ("one row by key", f"\\set id random(0, {options.rows - 1})\nSELECT * FROM sales WHERE id = :id;"),
        ):
            script = work / "script.sql"
            script.write_text(sql + "\n")
            for mode in ("simple", "extended", "prepared"):
                for clients in CLIENTS:
                    # In turns: where threads of client and server happen to sit decides more than either server does.
                    turns = [[latency_ms(server, script, mode, clients, 1) for server in (ours, peer)] for _ in range(options.seconds)]
                    mine, theirs = (statistics.median(times) for times in zip(*turns))
                    print(f"| {name} | {mode} | {clients} | {mine:.3f} | {theirs:.3f} | {mine / theirs:.1f} |")
    finally:
        for server in servers:
            server.close()
        shutil.rmtree(work, ignore_errors=True)


main()

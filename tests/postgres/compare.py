#!/usr/bin/env python3
"""Replays the .slt files of tests/slt/row_security, privileges and transactions against PostgreSQL 15, and against henna.

    compare.py [--henna PROGRAM] [FILE...]

PostgreSQL runs in a temporary folder on a free port, as an unprivileged user; --henna names a henna binary that gets the
same statements through the same driver. Every file starts from the tables and rows of tests/postgres/dataset. What an
answer must be stands in the file itself, so both servers agree with each other where both agree with the file.
Where they are meant to differ, the file has the two outcomes side by side (`onlyif postgres`, `onlyif henna`) under a
comment `# decision: NAME`; tests/postgres/README.md says why. The last line is `N passed, N failed, N skipped`.
"""

import argparse
import os
import pwd
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

HERE = Path(__file__).resolve().parent
SLT = HERE.parent / "slt"
DATASET = HERE / "dataset"
PROGRAMS = Path(os.environ.get("PG15_BIN", "/usr/lib/postgresql/15/bin"))
START_SECONDS_MAX = 120


@dataclass
class Record:
    """One statement of a file and what must come of it."""

    line: int
    sql: str
    kind: str
    error: str | None = None
    rows: list[str] = field(default_factory=list)
    rowsort: bool = False
    only: str | None = None
    decision: str | None = None


def records(path):
    """The records of a file. Of its grammar only what these files use is known; another line is an error."""
    found, only, decision = [], None, None
    lines = path.read_text().split("\n")
    at = 0
    while at < len(lines):
        line = lines[at].strip()
        at += 1
        if line.startswith("# decision:"):
            decision = line.removeprefix("# decision:").strip()
        if not line or line.startswith("#"):
            continue
        words = line.split()
        if words[0] == "onlyif":
            only = words[1]
            continue
        if words[0] not in ("statement", "query"):
            raise SystemExit(f"{path}:{at}: {line}: neither statement nor query")
        record = Record(at, "", words[0], only=only, decision=decision)
        if words[1] == "error":
            record.error = line.split(maxsplit=2)[2]
        record.rowsort = words[-1] == "rowsort"
        body = []
        while at < len(lines) and lines[at].strip() and lines[at] != "----":
            body.append(lines[at])
            at += 1
        if at < len(lines) and lines[at] == "----":
            at += 1
            while at < len(lines) and lines[at].strip():
                record.rows.append(" ".join(lines[at].split()))
                at += 1
        record.sql = "\n".join(body)
        found.append(record)
        if only is None:
            decision = None
        only = None
    return found


def shown(value):
    if value is None:
        return "NULL"
    text = value.decode()
    return " ".join(text.split()) if text else "(empty)"


def ask(connection, sql):
    """Rows as lines of text, or `SQLSTATE: message`: by libpq's simple protocol, without a driver's own types."""
    result = connection.pgconn.exec_(sql.encode())
    if result.status in (psycopg.pq.ExecStatus.FATAL_ERROR, psycopg.pq.ExecStatus.BAD_RESPONSE):
        state = result.error_field(psycopg.pq.DiagnosticField.SQLSTATE) or b"-----"
        message = result.error_field(psycopg.pq.DiagnosticField.MESSAGE_PRIMARY) or b""
        return None, f"{state.decode()}: {message.decode()}"
    rows = range(result.ntuples), range(result.nfields)
    return [" ".join(shown(result.get_value(row, column)) for column in rows[1]) for row in rows[0]], None


def fault(record, rows, error):
    """What is wrong with an answer; None where it is as the file has it."""
    if record.error is not None:
        if error is None:
            return f"expected error {record.error}, got {len(rows)} rows"
        return None if re.search(record.error, error) else f"expected error {record.error}, got {error}"
    if error is not None:
        return f"got error {error}"
    if record.kind == "statement":
        return None
    wanted = record.rows
    if record.rowsort:
        rows, wanted = sorted(rows), sorted(wanted)
    return None if rows == wanted else f"expected {wanted}, got {rows}"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Postgres:
    """A cluster of its own, gone at the end."""

    label = "postgres"

    def __init__(self, folder):
        self.folder, self.port = folder / "postgres", free_port()
        # PostgreSQL refuses to run as root.
        self.user = [] if os.getuid() else ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
        self.folder.mkdir()
        if self.user:
            postgres = pwd.getpwnam("postgres")
            os.chown(self.folder, postgres.pw_uid, postgres.pw_gid)
        folder.chmod(0o755)
        data = str(self.folder / "data")
        self.run("initdb", "-D", data, "-U", "admin", "--auth=trust", "-E", "UTF8", "--locale=C.UTF-8")
        options = f"-p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={self.folder} -c fsync=off"
        self.run("pg_ctl", "-D", data, "-o", options, "-l", str(self.folder / "log"), "-w", "start")

    def run(self, program, *arguments):
        subprocess.run([*self.user, str(PROGRAMS / program), *arguments], check=True, stdout=subprocess.DEVNULL, cwd="/")

    def connect(self, database):
        return psycopg.connect(host="127.0.0.1", port=self.port, user="admin", dbname=database, autocommit=True)

    def open(self):
        """A new database with the tables and rows, and no roles but the superuser."""
        with self.connect("postgres") as house:
            house.execute("DROP DATABASE IF EXISTS henna")
            for (role,) in house.execute("SELECT quote_ident(rolname) FROM pg_roles WHERE rolname !~ '^(pg_|admin$)'"):
                house.execute(f"DROP OWNED BY {role}")
                house.execute(f"DROP ROLE {role}")
            house.execute("CREATE DATABASE henna")
        connection = self.connect("henna")
        for table in sorted((DATASET / "tables").glob("*.sql")):
            connection.execute(table.read_text())
            with connection.cursor().copy(f"COPY {table.stem} FROM STDIN (FORMAT csv, HEADER)") as copy:
                copy.write((DATASET / "rows" / f"{table.stem}.csv").read_text())
        return connection

    def close(self):
        self.run("pg_ctl", "-D", str(self.folder / "data"), "-m", "immediate", "-w", "stop")


class Henna:
    """A lake of the dataset; each file gets a copy of it and a server of its own."""

    label = "henna"

    def __init__(self, folder, program):
        self.program, self.folder, self.server, self.count = program, folder, None, 0
        self.environment = {**os.environ, "HENNA_ADMIN_PASSWORD": "admin", "HENNA_LOG": "error"}
        self.run("init", "--dataset", str(DATASET))
        for rows in sorted((DATASET / "rows").glob("*.csv")):
            self.run("load", rows.stem, str(rows))

    def run(self, verb, *arguments):
        command = [self.program, verb, "--lake", str(self.folder / "lake"), *arguments]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=self.environment)

    def open(self):
        self.close()
        self.count += 1
        lake, port = self.folder / f"lake-{self.count}", free_port()
        shutil.copytree(self.folder / "lake", lake)
        command = [self.program, "serve", "--lake", str(lake), "--listen", f"127.0.0.1:{port}", "--web", "off"]
        self.server = subprocess.Popen(command, stdout=subprocess.DEVNULL, env=self.environment)
        deadline = time.monotonic() + START_SECONDS_MAX
        while True:
            try:
                return psycopg.connect(
                    host="127.0.0.1", port=port, user="admin", password="admin", dbname="henna", autocommit=True
                )
            except psycopg.OperationalError:
                if self.server.poll() is not None or time.monotonic() > deadline:
                    raise
                time.sleep(0.1)

    def close(self):
        if self.server:
            self.server.terminate()
            self.server.wait()
            self.server = None


def replay(server, path, told):
    """Runs a file; the number of records that ran and those that went wrong."""
    connection = server.open()
    ran = failed = 0
    for record in records(path):
        if record.only not in (None, server.label):
            continue
        if record.only and not record.decision:
            raise SystemExit(f"{path}:{record.line}: a difference without a decision")
        ran += 1
        wrong = fault(record, *ask(connection, record.sql))
        if wrong:
            failed += 1
            told.append(f"FAIL {server.label} {path.relative_to(SLT)}:{record.line}: {record.sql}\n     {wrong}")
    connection.close()
    return ran, failed


def decisions(paths):
    found = {}
    for path in paths:
        for record in records(path):
            if record.only == "henna" or (record.only and record.decision not in found):
                found[record.decision] = found.get(record.decision, 0) + 1
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--henna", metavar="PROGRAM")
    parser.add_argument("files", nargs="*", type=Path)
    arguments = parser.parse_args()
    paths = arguments.files or sorted(path for room in ("row_security", "privileges", "transactions") for path in SLT.glob(f"{room}/*.slt"))
    paths = [path.resolve() for path in paths]
    known = set(re.findall(r"^- \*\*([a-z-]+)\*\*", (HERE / "README.md").read_text(), re.MULTILINE))
    used = decisions(paths)
    told = [f"FAIL decision {name} is not told in README.md" for name in sorted(set(used) - known)]
    passed, failed, skipped = 0, len(told), 0
    folder = Path(tempfile.mkdtemp(prefix="henna-postgres."))
    servers = []
    try:
        if (PROGRAMS / "initdb").exists():
            servers.append(Postgres(folder))
        else:
            print(f"skip PostgreSQL 15: no initdb in {PROGRAMS} (Debian package postgresql-15)")
            skipped += 1
        if arguments.henna:
            servers.append(Henna(folder, arguments.henna))
        for server in servers:
            for path in paths:
                ran, wrong = replay(server, path, told)
                passed, failed = passed + ran - wrong, failed + wrong
                print(f"{server.label:<9} {path.relative_to(SLT)}: {ran} statements, {wrong} differ")
    finally:
        for server in servers:
            server.close()
        shutil.rmtree(folder, ignore_errors=True)
    print(*told, sep="\n")
    print(f"{len(used)} decisions: {', '.join(sorted(used))}")
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Replays what real clients send against the server in PG*, and compares with what PostgreSQL answered.

  corpus.py FOLDER [client ...]    FOLDER holds corpus/*.sql, corpus/baseline.json and tools/replay.py

A statement must succeed where it did on PostgreSQL, with columns of the same names and types. What is to differ stands in
exceptions.toml beside this file, with its reason: a difference that is not there fails, and so does an entry that no statement
needs any more. Statements that name the reference's database are asked of the server's own."""
import json, os, re, subprocess, sys, tempfile, tomllib

import psycopg

HERE = os.path.dirname(os.path.abspath(__file__))
REFERENCE_DATABASE = '"shop"'


def outcomes(folder, clients):
    with tempfile.NamedTemporaryFile('r', suffix='.jsonl') as dump:
        replay = [sys.executable, f'{folder}/tools/replay.py', '--shape', '--dump', dump.name, *clients]
        done = subprocess.run(replay, capture_output=True, text=True)
        if done.returncode == 2:
            sys.exit(done.stdout + done.stderr)
        return [json.loads(line) for line in dump]


def again(statement):
    """A statement that names the reference's database, asked of this one."""
    with psycopg.connect(autocommit=True) as connection:
        sql = statement['sql'].replace(REFERENCE_DATABASE, f'"{connection.info.dbname}"')
        try:
            cursor = connection.execute(sql.encode())
        except psycopg.Error as error:
            return dict(statement, ok=False, state=error.sqlstate, msg=str(error).splitlines()[0])
        columns = [[column.name, column.type_code] for column in cursor.description or []]
        return dict(statement, ok=True, cols=columns)


def difference(got, expected):
    if not got['ok']:
        return f"{got['state']} {got['msg']}"
    told, wanted = got['cols'] or [], expected['cols'] or []
    if len(told) != len(wanted):
        return f'columns {[name for name, _ in told]}, expected {[name for name, _ in wanted]}'
    pairs = [f'{a[0]}:{a[1]}, expected {b[0]}:{b[1]}' for a, b in zip(told, wanted) if a != b]
    return '; '.join(pairs) or None


def is_excused(exception, statement, found):
    """An exception excuses the parts of a difference that it describes; all of them must be excused by some."""
    clients = exception.get('clients')
    sql = exception.get('statement')
    return (not clients or statement['client'] in clients) and (not sql or re.search(sql, statement['sql'], re.S)) \
        and re.search(exception['difference'], found)


def main():
    folder, clients = sys.argv[1], sys.argv[2:]
    expected = json.load(open(f'{folder}/corpus/baseline.json'))
    exceptions = tomllib.load(open(f'{HERE}/exceptions.toml', 'rb'))['exception']
    used = [0] * len(exceptions)
    passed = failed = skipped = 0
    for got in outcomes(folder, clients):
        known = expected.get(f"{got['client']}|{got['sql']}")
        if known is None or not known['ok']:
            skipped += 1
            continue
        if REFERENCE_DATABASE in got['sql']:
            got = again(got)
        found = difference(got, known)
        parts = found.split('; ') if found and got['ok'] else [found] if found else []
        excuses = [[n for n, e in enumerate(exceptions) if is_excused(e, got, part)] for part in parts]
        for n in {n for excuse in excuses for n in excuse}:
            used[n] += 1
        if all(excuses):
            passed += 1
        else:
            failed += 1
            print(f"FAIL {got['client']}/{got['flow']}: {found}\n     {' '.join(got['sql'].split())[:400]}")
    if not clients:
        for exception, count in zip(exceptions, used):
            print(f"{count:5} statements: {exception['reason']}")
            if count == 0:
                failed += 1
                print(f"FAIL no statement needs the exception {exception['difference']!r} any more")
    print(f'\n{passed} passed, {failed} failed, {skipped} skipped')
    sys.exit(1 if failed else 0)


main()

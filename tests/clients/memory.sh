#!/usr/bin/env bash
# Five million rows to psql, psycopg and JDBC: all arrive, and the server's memory stays flat.
# Environment: PGHOST PGPORT PGDATABASE PGPASSWORD of a demo server, SERVER_PID its process, PYTHON a Python with psycopg,
# JAVA_CLASSPATH pgjdbc and what it needs.
set -uo pipefail
export LC_ALL=C.UTF-8
here=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
ROWS=5000000
GROWTH_KB_MAX=50000
passed=0 failed=0

pass() { passed=$((passed + 1)); echo "ok   $1"; }
fail() { failed=$((failed + 1)); echo "FAIL $1: $2"; }

sql="SELECT one_id, channel, order_time, paid_amount, s.value FROM (SELECT * FROM orders LIMIT 1000) AS o CROSS JOIN generate_series(1, $((ROWS / 1000))) AS s (value)"

# The most memory that the server has held; cleared by writing 5 to clear_refs where the kernel allows.
peak_kb() { awk '/^VmHWM/ { print $2 }' "/proc/$SERVER_PID/status"; }
clear_peak() { echo 5 >"/proc/$SERVER_PID/clear_refs" 2>/dev/null || true; }

# streamed NAME COMMAND...: the command prints the number of rows that it got.
streamed() {
  local name=$1 before rows after
  shift
  clear_peak
  before=$(peak_kb)
  rows=$("$@" 2>&1)
  after=$(peak_kb)
  if [ "$rows" = $ROWS ]; then pass "$name gets every row"; else fail "$name gets every row" "$rows"; fi
  if [ $((after - before)) -lt $GROWTH_KB_MAX ]; then
    pass "$name: memory stays flat ($((before / 1024)) MB, at most $((after / 1024)) MB)"
  else
    fail "$name: memory stays flat" "from $before kB to $after kB"
  fi
}

with_psql() { psql -X -U hq -qAt -v FETCH_COUNT=10000 -c "$sql" | wc -l; }
with_psycopg() {
  "${PYTHON:-python3}" - "$sql" <<'P'
import sys
import psycopg

with psycopg.connect(user="hq") as connection, connection.cursor("rows", binary=True) as cursor:
    cursor.itersize = 20_000
    cursor.execute(sys.argv[1])
    print(sum(1 for _ in cursor))
P
}
with_psycopg_stream() {
  "${PYTHON:-python3}" - "$sql" <<'P'
import sys
import psycopg

with psycopg.connect(user="hq", autocommit=True) as connection:
    print(sum(1 for _ in connection.cursor(binary=True).stream(sys.argv[1])))
P
}
with_copy() { psql -X -U hq -qAt -c "\\copy ($sql) TO STDOUT" | wc -l; }
with_jdbc() { java -Xmx256m -cp "$JAVA_CLASSPATH" "$here/jdbc/JdbcRows.java" "$sql"; }

psql -X -U hq -qAt -c "$sql LIMIT 1" >/dev/null
streamed 'psql by cursor' with_psql
streamed 'psycopg by cursor' with_psycopg
streamed 'psycopg row by row' with_psycopg_stream
streamed 'psql by COPY' with_copy
streamed 'JDBC by fetch size' with_jdbc

echo
echo "$passed passed, $failed failed, 0 skipped"
[ $failed = 0 ]

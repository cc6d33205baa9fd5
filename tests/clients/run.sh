#!/usr/bin/env bash
# Runs real clients against a demo of their own: a small lake in a temporary folder, on a free port, stopped by its own pid.
#   run.sh core   psql, psycopg 3, JDBC, a reader of Delta tables; and where HENNA_CLIENTS_DIR names a folder of client programs, what its corpus says
#                 that clients send, compared with PostgreSQL's answers
#   run.sh all    and every client program of that folder, over its own dataset; one that is not installed is skipped, and why
# Each client ends with `N passed, N failed, N skipped`; so does this script, with the sum. Exit 1 if anything failed.
set -uo pipefail
here=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
root=$(readlink -f "$here/../..")
what=${1:-core}
target=${CARGO_TARGET_DIR:-$root/target}
henna=${HENNA:-$target/debug/henna}
python=$("$here/tools.sh" python)
export HENNA_LOG=${HENNA_LOG:-warn} LC_ALL=C.UTF-8 PGCONNECT_TIMEOUT=10
START_SECONDS_MAX=600

[ -x "$henna" ] || { echo "no binary at $henna: cargo build" >&2; exit 2; }
work=$(mktemp -d "${TMPDIR:-/tmp}/henna-clients.XXXXXX")
server=

stop() {
  if [ -n "$server" ]; then
    kill -INT "$server" 2>/dev/null
    wait "$server"
    server_code=$?
    server=
  fi
}
postgres=
trap 'stop; stop_postgres; rm -rf "$work"' EXIT
trap 'exit 130' INT TERM

# start NAME ARGUMENT...: starts a server and waits for the line that tells its port, which is then in PGPORT.
start() {
  local log=$work/$1.log
  shift
  "$henna" "$@" --listen 127.0.0.1:0 --web off >"$log" 2>&1 &
  server=$!
  local deadline=$((SECONDS + START_SECONDS_MAX))
  until PGPORT=$(sed -nE 's/.*(-p |127\.0\.0\.1:)([0-9]+).*/\2/p' "$log" | head -1) && [ -n "$PGPORT" ]; do
    if ! kill -0 "$server" 2>/dev/null; then
      echo "the server ended early:" >&2
      cat "$log" >&2
      exit 1
    fi
    [ $SECONDS -lt $deadline ] || { echo "the server told no port within $START_SECONDS_MAX s" >&2; exit 1; }
    sleep 0.2
  done
  export PGPORT PGHOST=127.0.0.1 PGDATABASE=henna
}

stop_postgres() {
  if [ -n "$postgres" ]; then
    su postgres -c "'$bin/pg_ctl' -D '$postgres/data' -m immediate stop >/dev/null"
    postgres=
  fi
}

passed=0 failed=0 skipped=0

# client NAME COMMAND...: runs one client, shows what went wrong, adds its closing line to the sum.
client() {
  local name=$1 log=$work/client-$1.log code=0
  shift
  echo "== $name"
  "$@" >"$log" 2>&1 || code=$?
  grep -E '^(FAIL|skip)' "$log"
  local last
  last=$(tail -1 "$log")
  if [[ $last =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed,\ ([0-9]+)\ skipped$ ]]; then
    passed=$((passed + BASH_REMATCH[1])) failed=$((failed + BASH_REMATCH[2])) skipped=$((skipped + BASH_REMATCH[3]))
    [ "$code" = 0 ] || [ "${BASH_REMATCH[2]}" != 0 ] || failed=$((failed + 1))
    echo "$name: $last"
  else
    failed=$((failed + 1))
    echo "FAIL $name gave no closing line (exit $code):"
    tail -20 "$log"
  fi
}

shelf=/usr/share/java
export JAVA_CLASSPATH=${JDBC_JAR:-$shelf/postgresql.jar}:$shelf/scram-client.jar:$shelf/scram-common.jar:$shelf/stringprep.jar:$shelf/saslprep.jar
jdbc() { java -Xmx512m -cp "$JAVA_CLASSPATH" "$here/jdbc/$1.java"; }

echo "starting the demo at scale 0.02 ($henna)"
start demo demo --scale 0.02 --lake "$work/lake"
export PGPASSWORD=henna-demo
client psql bash "$here/psql.sh"
client psycopg3 "$python" "$here/psycopg3.py"
client jdbc jdbc JdbcSmoke
mkdir "$work/delta"
client delta "$python" "$here/delta.py" "$henna" "$work/delta"
# Five million rows take minutes from a debug binary.
if [ "$what" = all ]; then
  SERVER_PID=$server PYTHON=$python client memory bash "$here/memory.sh"
  client postgres "$python" "$here/../postgres/compare.py" --henna "$henna"
  home=$("$here/tools.sh" home)
  if [ -x "$home/venv-superset/bin/superset" ]; then
    export SUPERSET_BIN=$home/venv-superset/bin/superset SUPERSET_DIR=$home/superset
    mkdir -p "$SUPERSET_DIR" && cp "$here/superset/superset_config.py" "$SUPERSET_DIR/"
    client superset-teams "$home/venv-superset/bin/python" "$here/superset/two_teams.py"
  fi
fi
stop
if [ "$server_code" = 0 ]; then
  passed=$((passed + 1))
else
  failed=$((failed + 1))
  echo "FAIL the demo ended with $server_code on SIGINT"
fi

# skip NAME WHY
skip() {
  skipped=$((skipped + 1))
  echo "== $1"
  echo "skip $1: $2"
}

# A PostgreSQL of its own, for the foreign data wrapper; its port is then in FDW_LOCAL_PORT.
start_postgres() {
  bin=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -1)
  [ -x "$bin/initdb" ] && id postgres >/dev/null 2>&1 && [ "$(id -u)" = 0 ] || return 1
  postgres=$work/postgres
  mkdir "$postgres" && chown postgres "$postgres" && chmod 755 "$work" || return 1
  FDW_LOCAL_PORT=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
  export FDW_LOCAL_PORT
  su postgres -c "'$bin/initdb' -D '$postgres/data' -A trust -U postgres >/dev/null && '$bin/pg_ctl' -w -D '$postgres/data' \
    -o '-p $FDW_LOCAL_PORT -k $postgres -c listen_addresses=127.0.0.1' -l '$postgres/log' start >/dev/null" || return 1
}

home=$("$here/tools.sh" home)

# with PROGRAM NAME COMMAND...: runs a client if its program is there.
with() {
  local needed=$1 name=$2
  shift 2
  if command -v "$needed" >/dev/null 2>&1; then client "$name" "$@"; else skip "$name" "$needed is not installed (tests/clients/tools.sh all)"; fi
}

clients=${HENNA_CLIENTS_DIR:-$root/../shared/clients}
if [ -d "$clients/run" ]; then
  export HENNA_ADMIN_PASSWORD=clients
  "$henna" init --lake "$work/shop" --dataset "$clients/dataset" >/dev/null || exit 1
  for file in "$clients"/data/*.csv; do
    "$henna" load --lake "$work/shop" "$(basename "$file" .csv)" "$file" >/dev/null || exit 1
  done
  start shop serve --lake "$work/shop"
  export PGUSER=admin PGPASSWORD=clients SMOKE_SCHEMA=public
  run=$clients/run
  client corpus "$python" "$here/corpus.py" "$clients"
  client jdbc-copy jdbc JdbcCopy
  if [ "$what" = all ]; then
    export PATH=$PATH:$home/venv-drivers/bin
    with psql psql bash "$run/psql.sh"
    for name in psycopg2 psycopg3 asyncpg pg8000 sqlalchemy pandas polars adbc pgcli pyodbc; do
      with "$home/venv-drivers/bin/python" "$name" "$home/venv-drivers/bin/python" "$run/$name.py"
    done
    with "$home/venv-ibis/bin/python" ibis "$home/venv-ibis/bin/python" "$run/ibis.py"
    if [ -d "$home/js/node_modules/pg" ]; then
      NODE_MODULES=$home/js with node node-pg node "$run/node-pg.js"
    else
      skip node-pg "no npm package pg in $home/js (tests/clients/tools.sh all)"
    fi
    if [ -d "$home/js-prisma/node_modules/.prisma/client" ]; then
      NODE_MODULES=$home/js-prisma with node prisma node "$run/prisma.js"
    else
      skip prisma "no generated client in $home/js-prisma (tests/clients/tools.sh all)"
    fi
    with java jdbc-shop sh "$run/jdbc.sh"
    with isql isql bash "$run/isql.sh"
    with pgbench pgbench bash "$run/pgbench.sh"
    with go go-pgx sh "$run/go-pgx.sh"
    DBT=$home/venv-dbt/bin/dbt with "$home/venv-dbt/bin/dbt" dbt bash "$run/dbt.sh"
    DBT=$home/venv-dbt/bin/dbt with "$home/venv-dbt/bin/dbt" dbt-models bash "$here/dbt.sh" "$run/dbt_project"
    if start_postgres; then
      client postgres_fdw bash "$run/postgres_fdw.sh"
      stop_postgres
    else
      skip postgres_fdw "no PostgreSQL to read from (Debian package postgresql), or not root"
    fi
    if [ -x "$home/venv-superset/bin/superset" ]; then
      client superset "$home/venv-superset/bin/python" "$run/superset.py"
    else
      skip superset "no $home/venv-superset (tests/clients/tools.sh all)"
    fi
  fi
  stop
else
  skip "further clients" "HENNA_CLIENTS_DIR names no folder with client programs"
fi

echo
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ]

#!/usr/bin/env bash
# Runs real clients against a demo of their own: a small lake in a temporary folder, on a free port, stopped by its own pid.
#   run.sh core   psql, psycopg 3, JDBC
#   run.sh all    and, where HENNA_CLIENTS_DIR names a folder of client programs, all of those over its own dataset
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
trap 'stop; rm -rf "$work"' EXIT
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
jdbc() { java -Xmx512m -cp "$JAVA_CLASSPATH" "$here/jdbc/JdbcSmoke.java"; }

echo "starting the demo at scale 0.02 ($henna)"
start demo demo --scale 0.02 --lake "$work/lake"
export PGPASSWORD=henna-demo
client psql bash "$here/psql.sh"
client psycopg3 "$python" "$here/psycopg3.py"
client jdbc jdbc
# Five million rows take minutes from a debug binary.
if [ "$what" = all ]; then
  SERVER_PID=$server PYTHON=$python client memory bash "$here/memory.sh"
  client postgres "$python" "$here/../postgres/compare.py" --henna "$henna"
fi
stop
if [ "$server_code" = 0 ]; then
  passed=$((passed + 1))
else
  failed=$((failed + 1))
  echo "FAIL the demo ended with $server_code on SIGINT"
fi

if [ "$what" = all ]; then
  clients=${HENNA_CLIENTS_DIR:-$root/../shared/clients}
  if [ -d "$clients/run" ]; then
    export HENNA_ADMIN_PASSWORD=clients
    "$henna" init --lake "$work/shop" --dataset "$clients/dataset" >/dev/null || exit 1
    for file in "$clients"/data/*.csv; do
      "$henna" load --lake "$work/shop" "$(basename "$file" .csv)" "$file" >/dev/null || exit 1
    done
    start shop serve --lake "$work/shop"
    export PGUSER=admin PGPASSWORD=clients SMOKE_SCHEMA=public
    for program in "$clients"/run/*.{sh,py,js}; do
      name=$(basename "$program")
      case $name in
      _* | run_all.sh) ;;
      *.sh) client "$name" bash "$program" ;;
      *.py) client "$name" "$python" "$program" ;;
      *.js) client "$name" node "$program" ;;
      esac
    done
    stop
  else
    echo "skip further clients: HENNA_CLIENTS_DIR names no folder with client programs"
    skipped=$((skipped + 1))
  fi
fi

echo
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ]

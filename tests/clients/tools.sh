#!/bin/sh
# Finds the real clients' programs, and installs what is missing where this machine lets it (apt-get as root; pip and npm in
# folders of their own). Otherwise it says what to install.
#   tools.sh core      psql, java, pgjdbc, psycopg, a reader of Delta tables
#   tools.sh all       and every driver and BI tool, in $CLIENTS_HOME; what cannot be had is told, and run.sh skips it
#   tools.sh duckdb    the peer of the benchmarks
#   tools.sh python    prints the Python that has psycopg
#   tools.sh home      prints the folder of `all`
set -eu
here=$(dirname "$(readlink -f "$0")")
cache=${XDG_CACHE_HOME:-$HOME/.cache}/henna
venv=$cache/python
home=${CLIENTS_HOME:-$cache/clients}

has() { command -v "$1" >/dev/null 2>&1; }

python() {
  if [ -x "$venv/bin/python" ]; then echo "$venv/bin/python"; else echo python3; fi
}

# package FILE_OR_PROGRAM PACKAGE: the Debian package that brings it, if it is not there.
package() {
  if has "$1" || [ -e "$1" ]; then return 0; fi
  if has apt-get && [ "$(id -u)" = 0 ]; then
    echo "installing $2"
    apt_update
    DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=600 install -y -qq --no-install-recommends "$2" >/dev/null && return 0
  fi
  echo "missing: $1 (Debian package $2): sudo apt-get install $2" >&2
  missing=1
}

updated=
apt_update() {
  [ -n "$updated" ] || apt-get -o DPkg::Lock::Timeout=600 update -qq
  updated=1
}

# module NAME REQUIREMENT: a Python module, in an environment of its own so that the system's is left alone.
module() {
  if "$(python)" -c "import $1" >/dev/null 2>&1; then return 0; fi
  if [ ! -x "$venv/bin/python" ]; then
    echo "making a Python environment in $venv"
    if ! python3 -m venv "$venv" >/dev/null 2>&1; then
      rm -rf "$venv"
      package /usr/share/doc/python3-venv python3-venv
      python3 -m venv "$venv" || { echo "missing: python3 with venv" >&2; missing=1; return 0; }
    fi
  fi
  echo "installing $2"
  "$venv/bin/python" -m pip install --quiet --disable-pip-version-check "$2" || {
    echo "missing: Python module $1: pip install '$2'" >&2
    missing=1
  }
}

# environment NAME PROBE REQUIREMENT...: a Python environment of the clients, whole where the command PROBE runs in it.
environment() {
  name=$1 probe=$2
  shift 2
  if [ -x "$home/$name/bin/python" ] && (cd "$home/$name/bin" && sh -c "./$probe") >/dev/null 2>&1; then return 0; fi
  echo "installing $name: $*"
  { [ -x "$home/$name/bin/python" ] || python3 -m venv "$home/$name"; } &&
    "$home/$name/bin/python" -m pip install --quiet --disable-pip-version-check "$@" ||
    { echo "missing: $name: pip install $*" >&2; missing=1; }
}

# node_modules NAME PACKAGE...: a folder with packages of npm.
node_modules() {
  name=$1
  shift
  if [ -d "$home/$name/node_modules/${1%@[0-9]*}" ]; then return 0; fi
  echo "installing $name: $*"
  mkdir -p "$home/$name"
  (cd "$home/$name" && npm install --silent --no-audit --no-fund "$@" >/dev/null) ||
    { echo "missing: $name: npm install $*" >&2; missing=1; }
}

# The client is made from the schema alone; the engine that would read a database's is not needed.
prisma_client() {
  if [ -d "$home/js-prisma/node_modules/.prisma/client" ] && cmp -s "$here/prisma/schema.prisma" "$home/js-prisma/schema.prisma"; then
    return 0
  fi
  cp "$here/prisma/schema.prisma" "$home/js-prisma/" &&
    (cd "$home/js-prisma" && PRISMA_SCHEMA_ENGINE_BINARY=/bin/true npx prisma generate --schema schema.prisma >/dev/null 2>&1) ||
    { echo "missing: the generated Prisma client" >&2; missing=1; }
}

core() {
  package psql postgresql-client
  package java default-jdk-headless
  package "${JDBC_JAR:-/usr/share/java/postgresql.jar}" libpostgresql-jdbc-java
  package python3 python3
  module psycopg 'psycopg[binary]'
  module pyarrow pyarrow==26.0.1
  module deltalake deltalake==1.6.6
}

missing=0
case ${1:-core} in
python) python ;;
home) echo "$home" ;;
duckdb) module duckdb duckdb ;;
core) core ;;
all)
  core
  mkdir -p "$home"
  package /usr/share/doc/python3-venv python3-venv
  package isql unixodbc
  package /usr/share/doc/odbc-postgresql odbc-postgresql
  package /usr/include/sql.h unixodbc-dev
  package go golang-go
  package /usr/share/gocode/src/github.com/jackc/pgx/v4 golang-github-jackc-pgx-v4-dev
  package /usr/share/gocode/src/github.com/lib/pq golang-github-lib-pq-dev
  package pgbench postgresql-contrib
  package npm npm
  environment venv-drivers 'python -c "import psycopg2, psycopg, asyncpg, pg8000, sqlalchemy, pandas, polars, connectorx, pyodbc, pexpect, adbc_driver_postgresql, pgcli"' \
    psycopg2-binary 'psycopg[binary,pool]' asyncpg pg8000 'sqlalchemy[asyncio]' pandas polars connectorx \
    adbc-driver-postgresql adbc-driver-manager pyarrow pyodbc pexpect pgcli
  environment venv-ibis 'python -c "import ibis.backends.postgres"' 'ibis-framework[postgres]' 'sqlglot<28' packaging
  environment venv-dbt 'dbt --version' 'dbt-core<1.12' dbt-postgres
  environment venv-s3 'moto_server --help' 'moto[server]'
  environment venv-superset 'superset --version' apache-superset psycopg2-binary rich cachetools 'Flask-Caching<2.4'
  node_modules js pg pg-cursor pg-query-stream
  node_modules js-prisma prisma@7 @prisma/client@7 @prisma/adapter-pg@7
  prisma_client
  ;;
*) echo "usage: tools.sh core|all|duckdb|python|home" >&2; exit 2 ;;
esac
exit $missing

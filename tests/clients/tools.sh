#!/bin/sh
# Finds the real clients' programs, and installs what is missing where this machine lets it (apt-get as root; pip in an
# environment of its own). Otherwise it says what to install.
#   tools.sh core      psql, java, pgjdbc, psycopg
#   tools.sh duckdb    the peer of the benchmarks
#   tools.sh python    prints the Python that has them
set -eu
cache=${XDG_CACHE_HOME:-$HOME/.cache}/henna
venv=$cache/python

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

missing=0
case ${1:-core} in
python) python ;;
duckdb) module duckdb duckdb ;;
core)
  package psql postgresql-client
  package java default-jdk-headless
  package "${JDBC_JAR:-/usr/share/java/postgresql.jar}" libpostgresql-jdbc-java
  package python3 python3
  module psycopg 'psycopg[binary]'
  ;;
*) echo "usage: tools.sh core|duckdb|python" >&2; exit 2 ;;
esac
exit $missing

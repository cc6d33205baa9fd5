#!/usr/bin/env bash
# dbt builds a model as a view, as a table, and each of them over the other, in a schema of its own.
#   dbt.sh PROJECT   PROJECT is a folder with a dbt project of the profile `smoke`; DBT names the program
# The last line is `N passed, N failed, N skipped`.
set -uo pipefail
project=$1
dbt=${DBT:-dbt}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp -r "$project/." "$work" && cd "$work" || exit 1
# An incremental model deletes rows, which no statement does here.
rm -f models/*_inc.sql
export DBT_PROFILES_DIR=$work DBT_SEND_ANONYMOUS_USAGE_STATS=false SMOKE_DBT_SCHEMA=dbt_models
passed=0 failed=0

# check NAME EXPECTED ACTUAL
check() {
  if [[ $3 == *$2* ]]; then
    passed=$((passed + 1))
  else
    failed=$((failed + 1))
    echo "FAIL $1: expected '$2', got:"
    echo "$3" | tail -20
  fi
}

ask() { psql -XAtc "$1" 2>&1; }

rows=$(ask "SELECT count(*) FROM (SELECT DISTINCT channel, date_trunc('month', ordered_at) FROM orders) AS months")
for kind in view table table view; do
  log=$(SMOKE_DBT_MATERIALIZED=$kind "$dbt" --no-use-colors --log-path "$work/logs" run 2>&1)
  check "run as a $kind" 'PASS=1 WARN=0 ERROR=0' "$log"
  check "rows of the $kind" "$rows" "$(ask 'SELECT count(*) FROM dbt_models.revenue')"
  word=$([ "$kind" = view ] && echo VIEW || echo 'BASE TABLE')
  check "kind of the $kind" "$word" "$(ask "SELECT table_type FROM information_schema.tables WHERE table_schema = 'dbt_models'")"
done
check 'nothing is left beside the model' revenue "$(ask "SELECT string_agg(table_name, ',') FROM information_schema.tables WHERE table_schema = 'dbt_models'")"

echo "$passed passed, $failed failed, 0 skipped"
[ "$failed" = 0 ]

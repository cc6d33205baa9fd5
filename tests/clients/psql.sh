#!/usr/bin/env bash
# psql against the demo: login of each team, the \d family, the marts, errors, cancel.
# Environment: PGHOST PGPORT PGDATABASE PGPASSWORD of a demo server.
set -uo pipefail
export LC_ALL=C.UTF-8 PSQLRC=/dev/null PAGER=cat
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
passed=0 failed=0

pass() { passed=$((passed + 1)); echo "ok   $1"; }
fail() { failed=$((failed + 1)); echo "FAIL $1: $2"; }
# equal CLAIM GOT WANTED
equal() { if [ "$2" = "$3" ]; then pass "$1"; else fail "$1" "got '${2:0:400}', expected '${3:0:400}'"; fi; }
# has CLAIM TEXT REGEX
has() { if grep -qE -- "$3" <<<"$2"; then pass "$1"; else fail "$1" "no match for /$3/ in: ${2:0:600}"; fi; }
hasnt() { if grep -qE -- "$3" <<<"$2"; then fail "$1" "matches /$3/: ${2:0:600}"; else pass "$1"; fi; }
# as USER ARGUMENT...: psql as that user, errors included
as() { local user=$1; shift; psql -X -U "$user" "$@" 2>&1; }
value() { as "$1" -qAt -c "$2"; }

# --- login
for user in hq wecom tmall douyin; do
  equal "$user logs in" "$(value $user 'SELECT current_user')" "$user"
done
has 'TLS is used where the client prefers it' "$(as hq -c '\conninfo')" 'SSL connection|TLS'
has 'a wrong password is refused' "$(PGPASSWORD=wrong as hq -c 'SELECT 1')" 'password authentication failed for user "hq"'
PGPASSWORD=wrong psql -X -U hq -c 'SELECT 1' >/dev/null 2>&1
equal 'psql exits with 2 when it cannot connect' $? 2
has 'an unknown user gets the same refusal' "$(PGPASSWORD=wrong as nobody_here -c 'SELECT 1')" 'password authentication failed for user "nobody_here"'
has 'an unknown database is refused' "$(psql -X -U hq -d no_such_database -c 'SELECT 1' 2>&1)" 'database "no_such_database" does not exist'
equal 'database postgres is accepted too' "$(psql -X -U hq -d postgres -qAt -c 'SELECT 1' 2>&1)" 1
has 'the version names PostgreSQL 16 and Henna' "$(value hq 'SELECT version()')" '^PostgreSQL 16\.[0-9]+ \(Henna '
equal 'the dataset sets the time zone' "$(value hq 'SHOW timezone')" 'Asia/Shanghai'

# --- each team its rows
all=$(value hq 'SELECT count(*) FROM orders')
sum=0
for user in wecom tmall douyin; do
  equal "$user sees its own team's orders only" "$(value $user 'SELECT DISTINCT team FROM orders')" "$user"
  sum=$((sum + $(value $user 'SELECT count(*) FROM orders')))
done
rest=$(value hq "SELECT count(*) FROM orders WHERE team NOT IN ('wecom', 'tmall', 'douyin')")
equal "the teams' orders and the others add up to those of headquarters" $((sum + rest)) "$all"

# --- the \d family
for list in '\d' '\dt' '\d+' '\dt+'; do
  got=$(as hq -c "$list")
  for table in orders order_items interactions customers channel_costs; do
    has "$list lists $table" "$got" "public *\| *$table "
  done
done
has '\dt of mart views: none is a table' "$(as hq -c '\dt mart.*')" 'Did not find any'
has '\dv mart.* lists the marts' "$(as hq -c '\dv mart.*')" 'mart *\| *rfm '
got=$(as hq -c '\d+ orders')
has '\d+ orders has the comment of a column' "$got" 'When the customer placed the order'
has '\d+ orders has types' "$got" 'order_time +\| timestamp with time zone'
has '\d+ orders has numeric with its scale' "$got" 'paid_amount +\| numeric\(18,2\)'
has '\d orders has the primary key' "$(as hq -c '\d orders')" 'PRIMARY KEY.*\(channel, order_id\)'
has '\d mart.rfm has the columns of the contract' "$(as hq -c '\d mart.rfm' | tr '\n' ' ')" 'one_id.*recency_days.*frequency.*monetary.*r_score.*f_score.*m_score.*segment'
got=$(as hq -c '\du')
for role in hq headquarters wecom_team; do has "\\du lists $role" "$got" "$role"; done
has '\l lists the database' "$(as hq -c '\l')" 'henna'
has '\dn lists the schemas' "$(as hq -c '\dn' | tr '\n' ' ')" 'henna.*mart.*public'
has '\df lists a function of Henna' "$(as hq -c '\df rfm_segment')" 'rfm_segment'
for meta in '\dg' '\dp' '\z' '\di' '\ds' '\dm' '\dT' '\dx' '\dn+' '\du+' '\l+' '\dv+ mart.rfm' '\df+ rfm' '\d mart.channel_roi' '\dRp' '\ddp' '\dd' '\det' '\dP' '\db' '\dC' '\do' '\da' '\dconfig'; do
  hasnt "$meta works" "$(as hq -c "$meta")" 'ERROR|FATAL|server closed'
done
hasnt 'wecom sees no name of a table that it was not granted' "$(as wecom -c '\dt')" 'identities'
equal 'a hidden table answers like a missing one' \
  "$(as wecom -c 'SELECT * FROM identities' | head -1 | sed 's/identities/X/')" "$(as wecom -c 'SELECT * FROM nothing_here' | head -1 | sed 's/nothing_here/X/')"

# --- marts
for mart in rfm churn_risk channel_roi customer_360; do
  for user in hq wecom; do
    has "$user reads mart.$mart" "$(value $user "SELECT count(*) FROM mart.$mart")" '^[1-9][0-9]*$'
  done
done
equal 'segments cover every customer' "$(value hq 'SELECT (SELECT count(*) FROM mart.rfm) = sum(n) FROM (SELECT count(*) AS n FROM mart.rfm GROUP BY segment) AS s')" t
equal 'a mart follows henna.as_of' "$(as hq -qAt -c "SET henna.as_of = '1999-01-01'" -c 'SELECT count(*) FROM mart.rfm')" 0
has 'henna.tables tells rows and versions' "$(value hq "SELECT rows, version FROM henna.tables WHERE table_name = 'orders'")" "^$all\|[0-9]+$"

# --- forms of psql
equal 'a script goes on after an error' "$(printf 'SELECT * FROM nope;\nSELECT 5;\n' | psql -X -U hq -qAt 2>/dev/null)" 5
psql -X -U hq -q -v ON_ERROR_STOP=1 -c 'SELECT * FROM nope' >/dev/null 2>&1
equal 'psql -c exits with 1 on an error' $? 1
equal '\gset takes a value' "$(printf 'SELECT 41 + 1 AS n \\gset\n\\echo :n\n' | psql -X -U hq -qAt 2>&1)" 42
has '\gdesc describes' "$(printf 'SELECT one_id, paid_amount, order_time FROM orders \\gdesc\n' | psql -X -U hq -qAt 2>&1 | tr '\n' ';')" 'one_id\|bigint;paid_amount\|numeric\(18,2\);order_time\|timestamp with time zone;'
equal 'csv output' "$(as hq --csv -c "SELECT 1 AS a, 'x,y' AS b" | tr '\n' '~')" 'a,b~1,"x,y"~'
equal 'variables' "$(printf "\\\\set s paid\nSELECT :'s' = 'paid';\n" | psql -X -U hq -qAt 2>&1)" t
equal 'two statements in one message' "$(as hq -qAt -c 'SELECT 1; SELECT 2' | tail -1)" 2
has 'EXPLAIN answers' "$(as hq -c 'EXPLAIN SELECT count(*) FROM orders')" 'QUERY PLAN|[Aa]ggregate|Scan|Exec'
equal 'an aborted transaction says so' "$(printf 'BEGIN;\nSELECT * FROM nope;\nSELECT 1;\nROLLBACK;\nSELECT 6;\n' | psql -X -U hq -qAt 2>&1 | grep -cE 'current transaction is aborted|^6$')" 2

# --- errors, each with its SQLSTATE
for case in '42601:SELEC 1' '42P01:SELECT * FROM no_such_table' '42703:SELECT nope FROM orders' '42883:SELECT no_such_function(1)' \
  '22012:SELECT 1 / (one_id - one_id) FROM orders WHERE one_id IS NOT NULL' '22P02:SELECT CAST(status AS integer) FROM orders' '42803:SELECT status, channel, count(*) FROM orders GROUP BY status' \
  "22P02:SELECT CAST('abc' AS integer)" '42704:SET no_such_setting = 1' "22023:SET timezone = 'Mars/Olympus'"; do
  has "SQLSTATE ${case%%:*}: ${case#*:}" "$(as hq -q -v VERBOSITY=verbose -c "${case#*:}")" "ERROR: +${case%%:*}:"
done
for case in "COPY (SELECT 1) TO '/tmp/henna-probe.csv'" "CREATE EXTERNAL TABLE x STORED AS CSV LOCATION '/etc/passwd'" 'SET datafusion.optimizer.max_passes = 0' "SELECT * FROM '/etc/passwd'"; do
  has "refused: $case" "$(as wecom -c "$case")" '^ERROR:'
done

# --- cancel
slow='SELECT sum(sin(a.value + b.value * 0.5) * cos(a.value * 0.25 - c.value)) FROM generate_series(1, 4000) AS a (value) CROSS JOIN generate_series(1, 4000) AS b (value) CROSS JOIN generate_series(1, 4000) AS c (value)'
# Should nothing cancel it, the statement still ends.
PGOPTIONS='-c statement_timeout=60s' psql -X -U hq -q -c "$slow" >"$work/cancel" 2>&1 &
pid=$!
# Not before the statement runs: another session sees it in the activity.
for _ in $(seq 200); do
  [ "$(value hq "SELECT count(*) FROM henna.activity WHERE state = 'active' AND query LIKE '%sin(%' AND query NOT LIKE '%activity%'")" = 0 ] || break
  sleep 0.05
done
began=$(date +%s%N)
kill -INT $pid
wait $pid
took_ms=$((($(date +%s%N) - began) / 1000000))
has 'Ctrl-C cancels' "$(cat "$work/cancel")" 'canceling statement due to user request'
if [ $took_ms -lt 1000 ]; then pass "within a second ($took_ms ms)"; else fail 'within a second' "$took_ms ms"; fi
has 'statement_timeout stops a statement' "$(as hq -q -v VERBOSITY=verbose -c "SET statement_timeout = 300" -c "$slow")" '57014:.*statement timeout'
rows=300000
equal 'a long result arrives whole' "$(value hq "SELECT value FROM generate_series(1, $rows) AS s (value)" | wc -l)" $rows

echo
echo "$passed passed, $failed failed, 0 skipped"
[ $failed = 0 ]

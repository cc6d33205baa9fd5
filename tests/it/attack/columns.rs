//! Columns that were not granted, and columns under masks, wherever a column can stand.

use super::super::support::{Refusal, Wire, run};
use super::twins::{MOLE, TRAPS, Twins, asked};

/// Names `{column}`, which was not granted.
const NAMED: &[&str] = &[
    "SELECT {column} FROM t",
    "SELECT t.{column} FROM t",
    "SELECT o.{column} FROM t AS o",
    "SELECT walled.t.{column} FROM t",
    "SELECT * FROM t",
    "SELECT t.* FROM t",
    "TABLE t",
    "SELECT id FROM t WHERE {column} IS NULL",
    "SELECT id FROM t WHERE false AND {column} IS NULL",
    "SELECT CASE WHEN false THEN {column} END FROM t",
    "SELECT id FROM t ORDER BY {column}",
    "SELECT count(*) FROM (SELECT id FROM t ORDER BY {column}) AS o",
    "SELECT count(*) FROM t GROUP BY {column}",
    "SELECT id FROM t GROUP BY ROLLUP (id, {column})",
    "SELECT id FROM t GROUP BY id HAVING count({column}) > 0",
    "SELECT DISTINCT ON ({column}) id FROM t",
    "SELECT count(*) FROM (SELECT DISTINCT {column} FROM t) AS o",
    "SELECT count(DISTINCT {column}) FROM t",
    "SELECT count(*) FILTER (WHERE {column} IS NULL) FROM t",
    "SELECT string_agg(tag, ',' ORDER BY {column}) FROM t",
    "SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY {column}) FROM t",
    "SELECT row_number() OVER (ORDER BY {column}) FROM t",
    "SELECT count(*) OVER (PARTITION BY {column}) FROM t",
    "SELECT count(*) OVER w FROM t WINDOW w AS (ORDER BY {column})",
    "SELECT id FROM t QUALIFY row_number() OVER (ORDER BY {column}) = 1",
    "SELECT lag({column}) OVER (ORDER BY id) FROM t",
    "SELECT count(*) FROM t AS a JOIN t AS b USING (id, {column})",
    "SELECT count(*) FROM t JOIN (SELECT id AS {column} FROM t) AS b USING ({column})",
    "SELECT count(*) FROM t AS a JOIN t AS b ON a.{column} = b.{column}",
    "SELECT count(*) FROM t AS a NATURAL JOIN t AS b",
    "SELECT count(*) FROM t NATURAL JOIN (SELECT id AS {column} FROM t) AS b",
    "SELECT count(*) FROM (SELECT id AS {column} FROM t) AS b NATURAL JOIN t",
    "SELECT count(*) FROM t AS o WHERE EXISTS (SELECT 1 WHERE o.{column} IS NULL)",
    "SELECT count(*) FROM u WHERE EXISTS (SELECT {column} FROM t)",
    "SELECT count(*) FROM u WHERE EXISTS (SELECT 1 FROM t ORDER BY {column})",
    "SELECT id FROM t WHERE id IN (SELECT {column} FROM t)",
    "SELECT id FROM t WHERE id = ANY (SELECT {column} FROM t)",
    "SELECT (SELECT max({column}) FROM t)",
    "SELECT (SELECT o.{column}) FROM t AS o",
    "SELECT l.q FROM t AS o CROSS JOIN LATERAL (SELECT o.{column} AS q) AS l",
    "SELECT count(*) FROM t AS o, LATERAL (SELECT o.{column}) AS l",
    "WITH o AS (SELECT * FROM t) SELECT id FROM o",
    "WITH RECURSIVE r AS (SELECT id FROM t UNION ALL SELECT {column} FROM t WHERE false) SELECT id FROM r",
    "SELECT id FROM (SELECT * FROM t) AS o",
    "SELECT id FROM t UNION SELECT {column} FROM t",
    "SELECT id FROM t EXCEPT SELECT {column} FROM t",
    "VALUES ((SELECT max({column}) FROM t))",
    "SELECT id FROM t LIMIT (SELECT count({column}) FROM t)",
    "SELECT id FROM t OFFSET (SELECT count({column}) FROM t)",
    "SELECT unnest(ARRAY[{column}]) FROM t",
    "SELECT grouping({column}) FROM t GROUP BY id",
    "SELECT o FROM t AS o",
    "SELECT t FROM t",
    "SELECT count(o) FROM t AS o",
    "SELECT (o).{column} FROM t AS o",
    "SELECT row_to_json(o) FROM t AS o",
    "SELECT to_json(o), to_jsonb(o) FROM t AS o",
    "SELECT json_agg(o) FROM t AS o",
    "SELECT array_agg(o) FROM t AS o",
    "SELECT o IS NOT NULL FROM t AS o",
    "SELECT CAST(o AS text) FROM t AS o",
    "SELECT named_struct('a', {column}) FROM t",
    "EXPLAIN SELECT {column} FROM t",
    "EXPLAIN ANALYZE SELECT count({column}) FROM t",
    "DECLARE c CURSOR WITH HOLD FOR SELECT {column} FROM t",
    "PREPARE p AS SELECT {column} FROM t",
    "PREPARE p AS SELECT id FROM t WHERE {column} IS NULL",
    "CREATE TABLE own.c AS SELECT {column} FROM t",
    "INSERT INTO own.kept SELECT {column} FROM t",
    "INSERT INTO own.kept SELECT 1 FROM t WHERE {column} IS NULL",
    "INSERT INTO own.kept VALUES ((SELECT max({column}) FROM t))",
    "INSERT INTO own.kept VALUES ((SELECT count(*) FROM (SELECT {column} FROM t) AS o))",
];

/// Names granted columns alone: the answer is that of a table which never had others.
const PLAIN: &[&str] = &[
    "SELECT count(*) FROM t",
    "SELECT count(t.*) FROM t",
    "SELECT id, tag FROM t ORDER BY id",
    "SELECT tag, count(*), max(id) FROM t GROUP BY tag ORDER BY tag",
    "SELECT count(*) FROM u WHERE EXISTS (SELECT 1 FROM t)",
    "SELECT count(*) FROM t AS a JOIN t AS b USING (id)",
    "SELECT count(*) FROM t NATURAL JOIN (SELECT 3 AS id) AS b",
    "SELECT id, lead(tag) OVER (ORDER BY id) FROM t ORDER BY id LIMIT 3",
    "SELECT nothing FROM t",
];

#[test]
fn a_column_without_a_grant_is_refused_wherever_it_stands() {
    run(async {
        let rule = "CREATE POLICY p ON {t} USING (rank < 50)";
        let twins = Twins::new(50, &[rule]).await;
        let admin = twins.house.wire("admin").await;
        for table in ["walled.t", "bare.t"] {
            admin.run(&format!("REVOKE SELECT ON {table} FROM mole; GRANT SELECT (id, tag) ON {table} TO mole")).await;
        }
        admin.run("CREATE SCHEMA own AUTHORIZATION mole; CREATE TABLE own.kept (a text); ALTER TABLE own.kept OWNER TO mole").await;
        for mut door in twins.house.doors(MOLE).await {
            for sql in PLAIN {
                assert_eq!(asked(&mut door, "walled", sql).await, asked(&mut door, "bare", sql).await, "{sql}");
            }
            for column in ["team", "amount", "rank", "at"] {
                for sql in NAMED {
                    let sql = sql.replace("{column}", column);
                    let refusal = asked(&mut door, "walled", &sql).await.expect_err(&sql);
                    assert_refused(&refusal, &format!("{}: {sql}", door.name()));
                }
            }
            // As in PostgreSQL, a view may be made of what cannot be read, and cannot be read.
            for rights in ["on", "off"] {
                door.run(&format!("SET search_path = walled; CREATE OR REPLACE VIEW own.v WITH (security_invoker = {rights}) AS SELECT team FROM t")).await;
                assert_refused(&door.ask("SELECT * FROM own.v").await.unwrap_err(), rights);
            }
            assert_eq!(door.value("SELECT count(*) FROM own.kept").await, "0");
        }
        // COPY, with and without its columns named.
        let client = twins.house.wire(MOLE).await;
        client.run("SET search_path = walled").await;
        for sql in [
            "COPY t TO STDOUT",
            "COPY t (team) TO STDOUT",
            "COPY t (id, team) TO STDOUT",
            "COPY (SELECT team FROM t) TO STDOUT",
            "COPY (SELECT id FROM t WHERE team = 'b0') TO STDOUT",
        ] {
            assert_refused(&copied(&client, sql).await.unwrap_err(), sql);
        }
        let ids = copied(&client, "COPY t (id) TO STDOUT").await.unwrap();
        client.run("SET search_path = bare").await;
        assert_eq!(ids, copied(&client, "COPY t (id) TO STDOUT").await.unwrap());
    });
}

/// For want of the right, or because there is no such way of writing it.
#[track_caller]
fn assert_refused(refusal: &Refusal, sql: &str) {
    let known = ["42501", "42703", "42883", "42601", "0A000", "42P01"];
    assert!(known.contains(&refusal.sqlstate.as_str()), "{sql}: {refusal}");
    let told = format!("{} {:?}", refusal.message, refusal.detail);
    assert!(!told.contains("SECRET") && !told.contains("a0"), "{sql}: {refusal}");
}

/// The lines of a COPY TO STDOUT, sorted.
async fn copied(client: &Wire, sql: &str) -> Result<Vec<String>, Refusal> {
    use futures::TryStreamExt;

    let stream = client.client.copy_out(sql).await.map_err(Refusal::of)?;
    let parts: Vec<bytes::Bytes> = stream.try_collect().await.map_err(Refusal::of)?;
    let mut lines: Vec<String> = String::from_utf8(parts.concat()).unwrap().lines().map(str::to_owned).collect();
    lines.sort();
    Ok(lines)
}

/// A mask, and what a table would hold that never had the values beneath.
const MASKS: &[(&str, &str)] = &[
    ("s", "CASE WHEN id % 2 = 0 THEN s ELSE ''hidden'' END"),
    ("amount", "CASE WHEN tag = ''tag 1'' THEN amount END"),
    ("at", "date_trunc(''year'', at)"),
    ("team", "left(team, 1)"),
    ("f", "NULL"),
];

/// Every masked column in every place; what the mask leaves is read, what it covers is not.
const MASKED: &[&str] = &[
    "SELECT * FROM t ORDER BY id",
    "SELECT id, {column} FROM t ORDER BY id",
    "SELECT id FROM t ORDER BY {column}, id",
    "SELECT id FROM t ORDER BY {column} DESC NULLS LAST, id LIMIT 9",
    "SELECT count({column}), count(DISTINCT {column}), min({column}), max({column}) FROM t",
    "SELECT {column}, count(*) FROM t GROUP BY {column} ORDER BY {column}",
    "SELECT count(*) FROM t WHERE {column} IS NULL",
    "SELECT count(*) FROM t WHERE {column} IS NOT NULL AND id > 9",
    "SELECT DISTINCT {column} FROM t ORDER BY 1",
    "SELECT id, rank() OVER (ORDER BY {column}), lag({column}) OVER (ORDER BY id) FROM t ORDER BY id",
    "SELECT count(*) FROM t AS a JOIN t AS b USING ({column})",
    "SELECT count(*) FROM t AS a JOIN t AS b ON a.{column} = b.{column} AND a.id < b.id",
    "SELECT count(*) FROM t AS a NATURAL JOIN t AS b",
    "SELECT count(*) FROM t NATURAL JOIN (SELECT max({column}) AS {column} FROM t) AS b",
    "SELECT {column} FROM t UNION SELECT {column} FROM t WHERE id < 50 ORDER BY 1",
    "SELECT count(*) FROM t WHERE {column} IN (SELECT {column} FROM t WHERE id % 3 = 0)",
    "SELECT count(*) FROM t WHERE {column} = (SELECT max({column}) FROM t)",
    "SELECT count(*) FROM t AS o WHERE EXISTS (SELECT 1 FROM t AS i WHERE i.{column} = o.{column} AND i.id <> o.id)",
    "WITH c AS (SELECT {column} AS m FROM t) SELECT count(m), max(m) FROM c",
    "SELECT count(*) FILTER (WHERE {column} IS NOT NULL) FROM t",
    "SELECT string_agg(CAST({column} AS text), ',' ORDER BY id) FROM t",
    "SELECT count(*) FROM t CROSS JOIN LATERAL (SELECT t.{column} AS m) AS l WHERE m IS NOT NULL",
    "SELECT coalesce(CAST({column} AS text), 'none') AS m, count(*) FROM t GROUP BY 1 ORDER BY 1",
];

/// Questions at one column: conditions that would tell of the value beneath, and errors that would quote it.
const PROBED: &[&str] = &[
    "SELECT count(*) FROM t WHERE s = 'SECRET-1' OR s LIKE '%3%'",
    "SELECT count(*) FROM t WHERE s ~ '^[0-9]+$'",
    "SELECT sum(CAST(s AS integer)) FROM t",
    "SELECT sum(CAST(s AS integer)) FROM t WHERE id % 2 = 0",
    "SELECT sum(1 / (length(s) - 6)) FROM t",
    "SELECT count(*) FROM t WHERE amount > 40",
    "SELECT count(*) FROM t WHERE amount BETWEEN 1 AND 10",
    "SELECT sum(1 / (amount - 3.25)) FROM t",
    "SELECT sum(amount), avg(amount) FROM t",
    "SELECT tag, sum(amount) FROM t GROUP BY tag ORDER BY tag",
    "SELECT count(*) FROM t WHERE at < TIMESTAMPTZ '2024-03-01'",
    "SELECT extract(month FROM at) AS m, count(*) FROM t GROUP BY 1 ORDER BY 1",
    "SELECT count(*) FROM t WHERE team = 'a1'",
    "SELECT count(*) FROM t JOIN u ON u.team = t.team",
    "SELECT sum(f), max(f) FROM t",
    "SELECT count(*) FROM t WHERE f > 10 OR f <= 10",
];

#[test]
fn a_masked_column_is_its_mask_at_both_doors() {
    let everywhere = MASKED.iter().flat_map(|place| MASKS.iter().map(|(column, _)| place.replace("{column}", column)));
    let trapped = TRAPS.iter().map(|trap| format!("SELECT id, {trap} FROM t ORDER BY id"));
    let questions: Vec<String> = everywhere.chain(PROBED.iter().map(|sql| (*sql).to_owned())).chain(trapped).collect();
    run(async {
        let twins = Twins::new(50, &["CREATE POLICY p ON {t} USING (rank < 50)"]).await;
        let admin = twins.house.wire("admin").await;
        let mut shown: Vec<String> =
            ["id", "rank", "team", "x", "s", "amount", "f", "at", "tag"].map(str::to_owned).to_vec();
        for (column, mask) in MASKS {
            admin.run(&format!("SECURITY LABEL FOR henna ON COLUMN walled.t.{column} IS '{mask}'")).await;
            let place = shown.iter_mut().find(|name| *name == column).unwrap();
            *place = mask.replace("''", "'");
        }
        // The bare twin holds what the masks show.
        admin.run("CREATE SCHEMA rest; CREATE TABLE rest.t (id integer NOT NULL, rank integer NOT NULL, team text, x integer, s text, amount numeric(18, 2), f double precision, at timestamptz, tag text)").await;
        admin.run(&format!("INSERT INTO rest.t SELECT {} FROM bare.t", shown.join(", "))).await;
        admin.run("DROP TABLE bare.t; CREATE TABLE bare.t (id integer NOT NULL, rank integer NOT NULL, team text, x integer, s text, amount numeric(18, 2), f double precision, at timestamptz, tag text)").await;
        admin.run("INSERT INTO bare.t SELECT * FROM rest.t; GRANT SELECT ON bare.t TO mole").await;
        let (faults, answered) = twins.differences(&questions).await;
        assert!(faults.is_empty(), "{} answers tell:\n{}", faults.len(), faults.join("\n"));
        assert!(answered > questions.len() * 3 / 2, "{answered} of {}", questions.len() * 2);
        let client = twins.house.wire(MOLE).await;
        client.run("SET search_path = walled").await;
        let walled = copied(&client, "COPY t TO STDOUT").await.unwrap();
        client.run("SET search_path = bare").await;
        assert_eq!(walled, copied(&client, "COPY t TO STDOUT").await.unwrap());
    });
}

//! Pseudonyms: tokens that masks show in the place of personal values, and who may not ask for them.

use super::super::support::{House, folder, henna, ran, run, sales_files};

/// Computed with Python: hmac.new(bytes(range(32)), b'clerk\0' + name, 'sha256').hexdigest()[:32].
const TOKENS: [(&str, &str); 4] = [
    ("anna", "de4f269fa5859e272fb8be5965aeebe2"),
    ("bert", "64e9d49626ba03b2c8e679a6d1607138"),
    ("carl", "1325a31e97eca3270db3deb9137bab72"),
    ("dora", "e88cd6b2666ca7feb1beb39c3884430a"),
];

const REFUSAL: (&str, &str) = ("42501", "permission denied for function pseudonym");

/// The small lake with a known key. `ana` reads sales and wages with the clerks' names masked, and has a schema of her own.
async fn house() -> House {
    let folder = folder();
    let lake = folder.path().join("lake");
    sales_files(&lake).await;
    std::fs::write(lake.join("secrets/pseudonym.key"), (0..32).collect::<Vec<u8>>()).unwrap();
    let house = House::serve(&lake, Some(folder)).await;
    let admin = house.wire("admin").await;
    admin.run("CREATE ROLE boss; CREATE USER ana PASSWORD 'henna-demo'; CREATE USER bob PASSWORD 'henna-demo' IN ROLE boss").await;
    admin.run("GRANT USAGE ON SCHEMA public TO ana, bob; GRANT SELECT ON sales, wages TO ana, bob").await;
    for (column, mask) in [
        ("sales.clerk", "pseudonym(clerk, ''clerk'')"),
        ("sales.note", "PSEUDONYM(note, ''note'')"),
        ("wages.clerk", "CASE WHEN pg_has_role(''boss'', ''member'') THEN clerk ELSE pseudonym(clerk, ''clerk'') END"),
    ] {
        admin.run(&format!("SECURITY LABEL FOR henna ON COLUMN {column} IS '{mask}'")).await;
    }
    admin.run("CREATE SCHEMA own AUTHORIZATION ana; CREATE TABLE own.t (a text, b text)").await;
    admin.run("ALTER TABLE own.t OWNER TO ana; INSERT INTO own.t VALUES ('anna', 'x')").await;
    house
}

#[test]
fn a_masked_value_is_shown_as_the_same_token_wherever_it_stands() {
    run(async {
        let house = house().await;
        let admin = house.wire("admin").await;
        for mut door in house.doors("ana").await {
            for (name, token) in TOKENS {
                let counted = admin.value(&format!("SELECT count(*) FROM sales WHERE clerk = '{name}'")).await;
                assert_ne!(counted, "0");
                assert_eq!(
                    door.value(&format!("SELECT count(*) FROM sales WHERE clerk = '{token}'")).await,
                    counted,
                    "{name}"
                );
                assert_eq!(door.value(&format!("SELECT count(*) FROM sales WHERE clerk = '{name}'")).await, "0");
            }
            for sql in [
                "SELECT count(DISTINCT clerk), count(note), count(DISTINCT note) FROM sales",
                "SELECT count(*), sum(w.wage) FROM sales AS s JOIN wages AS w ON w.clerk = s.clerk",
                "SELECT count(*) FROM sales AS a JOIN sales AS b USING (clerk)",
                "SELECT count(*), sum(amount) FROM sales GROUP BY clerk ORDER BY 1, 2",
                "SELECT count(*) FROM sales WHERE note IS NULL",
            ] {
                assert_eq!(door.ask(sql).await, admin.ask(sql).await, "{}: {sql}", door.name());
            }
            // Equal values of two domains are not known by their tokens.
            assert_eq!(door.value("SELECT count(*) FROM sales AS a JOIN sales AS b ON a.clerk = b.note").await, "0");
            assert_eq!(door.value("SELECT count(*) FROM sales WHERE clerk ~ '^[0-9a-f]{32}$'").await, "10");
        }
        // Who is in the role sees the names, where the mask says so.
        let bob = house.wire("bob").await;
        assert_eq!(bob.value("SELECT min(clerk) FROM wages").await, "anna");
        assert_eq!(bob.value("SELECT count(*) FROM sales JOIN wages USING (clerk)").await, "0");
    });
}

/// Whoever could ask for the token of a value of his own would find it among those that a mask shows him.
#[test]
fn nobody_asks_for_the_token_of_a_value_of_his_own() {
    run(async {
        let house = house().await;
        for user in ["ana", "bob", "admin"] {
            for mut door in house.doors(user).await {
                for sql in [
                    "SELECT pseudonym('anna', 'clerk')",
                    "SELECT PSEUDONYM('anna', 'clerk')",
                    "SELECT \"pseudonym\"('anna', 'clerk')",
                    "SELECT count(*) FROM sales WHERE clerk = pseudonym('anna', 'clerk')",
                    "SELECT pseudonym(note, 'clerk') FROM sales WHERE false",
                    "SELECT (SELECT max(pseudonym(a, 'clerk')) FROM (VALUES ('anna')) AS v (a))",
                    "SELECT 1 FROM sales ORDER BY pseudonym(note, 'clerk')",
                    "VALUES (pseudonym('anna', 'clerk'))",
                    "WITH v AS (SELECT pseudonym('anna', 'clerk') AS t) SELECT t FROM v",
                    "EXPLAIN SELECT pseudonym('anna', 'clerk')",
                    "DECLARE c CURSOR WITH HOLD FOR SELECT pseudonym('anna', 'clerk')",
                    "PREPARE p AS SELECT pseudonym('anna', 'clerk')",
                    "PREPARE p (text) AS SELECT pseudonym($1, 'clerk')",
                ] {
                    let refusal = door.ask(sql).await.unwrap_err();
                    let told = (refusal.sqlstate.as_str(), refusal.message.as_str());
                    assert_eq!(told, REFUSAL, "{user}, {}: {sql}", door.name());
                }
            }
        }
        let (ana, admin) = (house.wire("ana").await, house.wire("admin").await);
        // Not through what she owns either: a mask of hers, a policy, a view, a column's own value.
        for sql in [
            "SECURITY LABEL FOR henna ON COLUMN own.t.a IS 'pseudonym(a, ''clerk'')'",
            "SECURITY LABEL FOR henna ON COLUMN own.t.a IS '(SELECT max(pseudonym(b, ''clerk'')) FROM own.t)'",
            "CREATE POLICY p ON own.t USING (b = pseudonym(a, 'clerk'))",
            "CREATE POLICY p ON own.t FOR INSERT WITH CHECK (b = pseudonym(a, 'clerk'))",
            "CREATE VIEW own.v AS SELECT pseudonym(a, 'clerk') AS token FROM own.t",
            "CREATE VIEW own.v WITH (security_invoker = off) AS SELECT pseudonym(a, 'clerk') AS token FROM own.t",
            "CREATE TABLE own.c AS SELECT pseudonym(a, 'clerk') AS token FROM own.t",
            "INSERT INTO own.t SELECT a, pseudonym(a, 'clerk') FROM own.t",
        ] {
            let refusal = ana.ask(sql).await.unwrap_err();
            assert_eq!((refusal.sqlstate.as_str(), refusal.message.as_str()), REFUSAL, "{sql}");
        }
        for sql in [
            "INSERT INTO own.t VALUES ('x', pseudonym('anna', 'clerk'))",
            "CREATE TABLE own.d (a text, b text DEFAULT pseudonym('anna', 'clerk')); INSERT INTO own.d (a) VALUES ('x')",
            "CREATE TABLE own.e (a text, b text CHECK (b = pseudonym(a, 'clerk'))); INSERT INTO own.e VALUES ('anna', 'x')",
        ] {
            assert!(ana.ask(sql).await.is_err(), "{sql}");
        }
        assert_eq!(admin.value("SELECT count(*) FROM own.t").await, "1");
        // A superuser's policy would be an oracle to whoever may add rows.
        let refusal = admin.ask("CREATE POLICY p ON sales USING (note = pseudonym(clerk, 'clerk'))").await.unwrap_err();
        assert_eq!(refusal.sqlstate, "42501", "{refusal}");
    });
}

#[test]
fn a_domain_is_chosen_by_the_mask_and_not_by_the_row() {
    run(async {
        let house = house().await;
        let admin = house.wire("admin").await;
        let domain = "pseudonym: the domain must be a constant text";
        let arguments = "pseudonym: takes a text and a constant domain; cast other values to text";
        for (mask, told) in [
            ("pseudonym(clerk, team)", domain),
            ("pseudonym(clerk, '''')", domain),
            ("pseudonym(clerk, NULL)", domain),
            ("pseudonym(id, ''clerk'')", arguments),
            ("pseudonym(clerk)", arguments),
        ] {
            let label = format!("SECURITY LABEL FOR henna ON COLUMN sales.clerk IS '{mask}'");
            let refusal = admin.ask(&label).await.unwrap_err();
            assert!(refusal.message.contains(told), "{mask}: {refusal}");
        }
        admin.run("SECURITY LABEL FOR henna ON COLUMN sales.store IS 'pseudonym(CAST(id AS text), ''sale'')'").await;
        assert_eq!(house.wire("ana").await.value("SELECT count(DISTINCT store) FROM sales").await, "10");
    });
}

#[test]
fn a_lake_whose_masks_need_a_key_that_is_gone_does_not_open() {
    let folder = folder();
    let lake = folder.path().join("lake");
    let key = lake.join("secrets/pseudonym.key");
    run(sales_files(&lake));
    let made = std::fs::read(&key).unwrap();
    assert_eq!(made.len(), 32);
    // Nothing needs it yet: another is made.
    std::fs::remove_file(&key).unwrap();
    let label = "SECURITY LABEL FOR henna ON COLUMN sales.clerk IS 'pseudonym(clerk, ''clerk'')'";
    ran(henna(&lake).args(["sql", "-c", label])).ok();
    let another = std::fs::read(&key).unwrap();
    assert_ne!(made, another);
    let hint = "hint: restore secrets/pseudonym.key of the lake from a backup";
    std::fs::remove_file(&key).unwrap();
    ran(henna(&lake).args(["sql", "-c", "SELECT 1"])).refused(1, &["the key of pseudonyms is missing", hint]);
    std::fs::write(&key, &another[..31]).unwrap();
    ran(henna(&lake).args(["sql", "-c", "SELECT 1"])).refused(1, &["the key of pseudonyms is damaged", hint]);
    std::fs::write(&key, &another).unwrap();
    ran(henna(&lake).args(["sql", "-c", "SELECT count(*) FROM sales"])).ok();
}

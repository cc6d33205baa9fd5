//! Earlier versions of tables: what a team sees of one is what headquarters sees of it under the team's policies of today.

use super::super::support::{House, run};

/// The tables, and the policy of the team `wecom` on each, written out for headquarters; `{}` is the table.
const RULES: &[(&str, &str)] = &[
    ("orders", "{}.team = 'wecom'"),
    ("order_items", "{}.team = 'wecom'"),
    ("interactions", "{}.team = 'wecom'"),
    ("channel_costs", "{}.team = 'wecom'"),
    (
        "customers",
        "{}.one_id IN (SELECT one_id FROM orders WHERE team = 'wecom') \
         OR {}.one_id IN (SELECT one_id FROM interactions WHERE team = 'wecom')",
    ),
];

#[test]
fn no_version_shows_more_than_todays_policies_allow() {
    run(async {
        let house = House::copy().await;
        let (hq, admin) = (house.wire("hq").await, house.wire("admin").await);
        let mut seen = 0;
        for mut door in house.doors("wecom").await {
            for (table, rule) in RULES {
                let newest =
                    admin.value(&format!("SELECT version FROM henna.tables WHERE table_name = '{table}'")).await;
                for version in 0..=newest.parse::<u64>().unwrap() {
                    for clause in
                        [format!("FOR VERSION AS OF {version}"), format!("VERSION AS OF {version} AS {table}")]
                    {
                        let count = format!("SELECT count(*), count(DISTINCT team) FROM {table} {clause}");
                        let rule = rule.replace("{}", table);
                        let allowed = hq.ask(&format!("{count} WHERE {rule}")).await.unwrap();
                        assert_eq!(door.ask(&count).await.unwrap(), allowed, "{}: {count}", door.name());
                        seen += allowed[0][0].as_deref().unwrap().parse::<u64>().unwrap();
                    }
                    // Two versions in one statement, each under the same rules.
                    let both = format!(
                        "SELECT count(*) FROM {table} WHERE NOT EXISTS (SELECT 1 FROM {table} FOR VERSION AS OF {version} AS was \
                         WHERE was.one_id = {table}.one_id)"
                    );
                    if !rule.contains("SELECT") && *table != "channel_costs" {
                        let rule = rule.replace("{}", table);
                        let own = rule.replace(&format!("{table}."), "was.");
                        let allowed = both.replace(
                            &format!("was.one_id = {table}.one_id)"),
                            &format!("was.one_id = {table}.one_id AND ({own})) AND ({rule})"),
                        );
                        assert_eq!(door.ask(&both).await.unwrap(), hq.ask(&allowed).await.unwrap(), "{both}");
                    }
                }
            }
            let masked =
                "SELECT count(nickname), count(birth_date), count(phone_masked) FROM customers FOR VERSION AS OF 1";
            let cells = door.ask(masked).await.unwrap();
            assert_eq!(
                cells,
                door.ask(&masked.replace(" FOR VERSION AS OF 1", "")).await.unwrap(),
                "masks are today's"
            );
            // A table that is hidden has no versions either: it is as missing as one that never was.
            let hidden = door.ask("SELECT count(*) FROM identities FOR VERSION AS OF 1").await.unwrap_err();
            let missing = door.ask("SELECT count(*) FROM nothing FOR VERSION AS OF 1").await.unwrap_err();
            assert_eq!(hidden.sqlstate, missing.sqlstate);
            assert_eq!(hidden.message.replace("identities", "nothing"), missing.message);
        }
        assert!(seen > 0, "the team saw nothing at all");
        // A right that is taken away is gone for every version, and so is one of a column.
        admin.run("REVOKE SELECT ON orders FROM wecom_team; GRANT SELECT (order_id) ON orders TO wecom_team").await;
        for mut door in house.doors("wecom").await {
            for sql in [
                "SELECT paid_amount FROM orders FOR VERSION AS OF 1",
                "SELECT o.paid_amount FROM orders FOR VERSION AS OF 1 AS o",
                "SELECT * FROM orders FOR VERSION AS OF 1",
            ] {
                assert_eq!(door.ask(sql).await.unwrap_err().sqlstate, "42501", "{}: {sql}", door.name());
            }
            assert!(door.ask("SELECT order_id FROM orders FOR VERSION AS OF 1").await.is_ok());
        }
    });
}

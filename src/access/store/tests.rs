//! Statements against a store in memory: what they change, what they refuse, what survives damage.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use async_trait::async_trait;
use bytes::Bytes;
use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
use datafusion::sql::sqlparser::parser::Parser;

use super::memory::{Fault, MemoryLog};
use super::objects::Relation;
use super::*;
use crate::access::model::grant::Privilege;
use crate::access::model::object::{ObjectId, RelationKind, TableId};
use crate::access::statement::parse;
use crate::error::Reason;

/// Tables `public.t (a, b)`, `public.u (a)` and view `public.v (a)`.
struct Catalog;

fn relation(name: &str) -> Option<Relation> {
    let (kind, columns): (_, &[&str]) = match name {
        "t" => (RelationKind::Table, &["a", "b"]),
        "u" => (RelationKind::Table, &["a"]),
        "v" => (RelationKind::View, &["a"]),
        _ => return None,
    };
    let columns = columns.iter().map(|column| column.to_string()).collect();
    Some(Relation { id: TableId::new("public", name), kind, columns })
}

#[async_trait]
impl Objects for Catalog {
    async fn relation(&self, schema: Option<&str>, name: &str) -> Result<Option<Relation>> {
        Ok(if schema.is_none_or(|schema| schema == "public") { relation(name) } else { None })
    }

    async fn relations_in(&self, schema: &str) -> Result<Option<Vec<Relation>>> {
        Ok((schema == "public").then(|| ["t", "u", "v"].into_iter().filter_map(relation).collect()))
    }

    async fn validate_policy(&self, _: &TableId, _: &str) -> Result<()> {
        Ok(())
    }

    async fn validate_mask(&self, _: &TableId, _: &str, _: &str) -> Result<()> {
        Ok(())
    }
}

struct World {
    log: Arc<MemoryLog>,
    store: SecurityStore,
}

impl World {
    async fn new() -> Self {
        let log = Arc::new(MemoryLog::default());
        let store = SecurityStore::open(log.clone()).await.unwrap();
        store.bootstrap("admin", "secret").await.unwrap();
        for name in ["t", "u", "v"] {
            let created = ObjectChange::RelationCreated(TableId::new("public", name));
            store.track(&store.bootstrap_principal(), &[created]).await.unwrap();
        }
        Self { log, store }
    }

    async fn run(&self, by: &str, sql: &str) -> Result<Applied> {
        let mut parser = Parser::new(&PostgreSqlDialect {}).try_with_sql(sql).unwrap();
        let statement = parse(&mut parser).unwrap().unwrap();
        self.store.apply(&self.store.principal(by)?, statement, &Catalog).await
    }

    async fn admin(&self, statements: &[&str]) {
        for sql in statements {
            self.run("admin", sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
        }
    }

    async fn reason(&self, by: &str, sql: &str) -> Reason {
        self.run(by, sql).await.expect_err(sql).reason()
    }

    fn selects(&self, role: &str, table: &str) -> bool {
        let snapshot = self.store.snapshot();
        let id = snapshot.require_role(role).unwrap().id;
        snapshot.has_table_privilege(id, &TableId::new("public", table), Privilege::Select)
    }

    async fn reopened(&self) -> SecurityStore {
        SecurityStore::open(self.log.clone()).await.unwrap()
    }
}

#[tokio::test]
async fn a_reopened_log_gives_the_same_snapshot() {
    let world = World::new().await;
    world
        .admin(&[
            "CREATE ROLE team",
            "CREATE USER anna PASSWORD 'x' IN ROLE team",
            "GRANT SELECT ON t TO team",
            "GRANT SELECT (a) ON u TO anna",
            "ALTER TABLE t ENABLE ROW LEVEL SECURITY",
            "CREATE POLICY p ON t TO team USING (a IN (SELECT a FROM u))",
            "SECURITY LABEL FOR henna ON COLUMN t.b IS 'NULL'",
            "ALTER ROLE anna SET henna.store_id = 'S1'",
        ])
        .await;
    assert_eq!(*world.reopened().await.snapshot(), *world.store.snapshot());
    assert_eq!(world.store.check().await.unwrap(), None);
}

#[tokio::test]
async fn names_in_policies_are_full_whatever_the_search_path_is_later() {
    let world = World::new().await;
    world.admin(&["CREATE POLICY p ON t USING (a IN (WITH w AS (SELECT a FROM u) SELECT a FROM w))"]).await;
    let snapshot = world.store.snapshot();
    let using = snapshot.relation(&TableId::new("public", "t")).unwrap().policies["p"].using.clone().unwrap();
    assert_eq!(using, "a IN (WITH w AS (SELECT a FROM \"public\".\"u\") SELECT a FROM w)");
    assert_eq!(
        world.reason("admin", "CREATE POLICY q ON t USING (a IN (SELECT 1 FROM nowhere))").await,
        Reason::UndefinedTable
    );
}

#[tokio::test]
async fn a_log_that_rots_locks_every_table() {
    let world = World::new().await;
    world.admin(&["CREATE USER anna", "GRANT SELECT ON t TO anna"]).await;
    let path = log::path(2);
    let whole = world.log.content(&path).unwrap();
    let mut rotten = whole.to_vec();
    let middle = rotten.len() / 2;
    rotten[middle] ^= 1;
    for content in [Some(Bytes::from(rotten)), Some(Bytes::from_static(b"")), Some(whole.slice(..40)), None] {
        world.log.tamper(&path, content);
        let store = world.reopened().await;
        assert_eq!(store.snapshot().ensure_sound().unwrap_err().to_string(), "security log is damaged at record 2");
        let admin = store.principal("admin").unwrap().current_role();
        let id = TableId::new("public", "t");
        assert!(!store.snapshot().has_table_privilege(admin, &id, Privilege::Select));
        assert_eq!(store.check().await.unwrap(), Some(2));
        let statement = parse(&mut Parser::new(&PostgreSqlDialect {}).try_with_sql("CREATE ROLE x").unwrap());
        let refused = store.apply(&store.principal("admin").unwrap(), statement.unwrap().unwrap(), &Catalog).await;
        assert_eq!(refused.unwrap_err().reason(), Reason::Corrupt);
    }
}

#[tokio::test]
async fn a_log_that_is_cut_off_at_its_end_locks_every_table() {
    let world = World::new().await;
    world.admin(&["CREATE USER anna", "GRANT SELECT ON t TO anna", "REVOKE SELECT ON t FROM anna"]).await;
    let last = world.store.snapshot().epoch();
    let (mark, revoke) = (world.log.content("security/head.json"), world.log.content(&log::path(last)));
    // Without the last record the grant would stand again.
    world.log.tamper(&log::path(last), None);
    let store = world.reopened().await;
    let told = store.snapshot().ensure_sound().unwrap_err().to_string();
    assert_eq!(told, format!("security log is damaged at record {last}"));
    assert_eq!(store.check().await.unwrap(), Some(last));
    // A crash between a record and its mark leaves the mark of the record before.
    world.log.tamper(&log::path(last), revoke);
    assert_eq!(world.store.check().await.unwrap(), None);
    world.admin(&["CREATE ROLE later"]).await;
    world.log.tamper("security/head.json", mark);
    assert_eq!(world.store.check().await.unwrap(), None);
    world.log.tamper("security/head.json", Some(Bytes::from_static(b"{}")));
    assert!(world.reopened().await.snapshot().ensure_sound().is_err());
    // A lake of before there were marks.
    world.log.tamper("security/head.json", None);
    assert_eq!(world.store.check().await.unwrap(), None);
}

#[tokio::test]
async fn a_log_that_is_gone_locks_every_table() {
    let world = World::new().await;
    for number in 0..=world.store.snapshot().epoch() {
        world.log.tamper(&log::path(number), None);
    }
    world.log.tamper("security/head.json", None);
    assert_eq!(world.store.check().await.unwrap(), Some(1));
    let store = SecurityStore::reopen(world.log.clone()).await.unwrap();
    assert_eq!(store.snapshot().ensure_sound().unwrap_err().to_string(), "security log is damaged at record 1");
    assert!(!store.is_new() && store.bootstrap("mole", "secret").await.is_err());
}

#[tokio::test]
async fn records_cannot_change_places() {
    let world = World::new().await;
    world.admin(&["CREATE ROLE a", "CREATE ROLE b"]).await;
    let (five, six) = (world.log.content(&log::path(5)), world.log.content(&log::path(6)));
    world.log.tamper(&log::path(5), six);
    world.log.tamper(&log::path(6), five);
    assert_eq!(world.store.check().await.unwrap(), Some(5));
}

#[tokio::test]
async fn a_refused_write_changes_nothing() {
    let world = World::new().await;
    world.log.fail_next_put(Fault::Before);
    assert_eq!(world.reason("admin", "CREATE ROLE a").await, Reason::Io);
    assert!(world.store.snapshot().role_named("a").is_none());
    world.admin(&["CREATE ROLE a"]).await;
}

#[tokio::test]
async fn a_write_whose_answer_is_lost_counts_at_once() {
    let world = World::new().await;
    world.admin(&["CREATE USER anna", "GRANT SELECT ON t TO anna"]).await;
    world.log.fail_next_put(Fault::After);
    assert_eq!(world.reason("admin", "REVOKE SELECT ON t FROM anna").await, Reason::Io);
    assert!(!world.selects("anna", "t"));
}

#[tokio::test]
async fn two_writers_do_not_lose_each_other_s_changes() {
    let world = World::new().await;
    let other = World { log: world.log.clone(), store: world.reopened().await };
    world.admin(&["CREATE ROLE a"]).await;
    other.admin(&["CREATE ROLE b"]).await;
    assert_eq!(world.reason("admin", "CREATE ROLE b").await, Reason::DuplicateObject);
    let ids = [world.store.principal("a").unwrap(), world.store.principal("b").unwrap()];
    assert_ne!(ids[0], ids[1]);
}

#[tokio::test]
async fn roles_are_made_by_those_who_may() {
    let world = World::new().await;
    world.admin(&["CREATE ROLE plain", "CREATE ROLE maker CREATEROLE"]).await;
    assert_eq!(world.reason("plain", "CREATE ROLE x").await, Reason::Privilege);
    assert_eq!(world.reason("maker", "CREATE ROLE x SUPERUSER").await, Reason::Privilege);
    assert_eq!(world.reason("maker", "CREATE ROLE x BYPASSRLS").await, Reason::Privilege);
    assert_eq!(world.reason("maker", "ALTER ROLE plain LOGIN").await, Reason::Privilege);
    assert_eq!(world.reason("maker", "CREATE ROLE x IN ROLE plain").await, Reason::Privilege);
    world.run("maker", "CREATE ROLE own").await.unwrap();
    world.run("maker", "ALTER ROLE own LOGIN").await.unwrap();
    world.run("maker", "DROP ROLE own").await.unwrap();
    assert_eq!(world.reason("admin", "CREATE ROLE plain").await, Reason::DuplicateObject);
    assert_eq!(world.reason("admin", "CREATE ROLE pg_x").await, Reason::ReservedName);
    assert_eq!(world.reason("admin", "DROP ROLE nobody").await, Reason::UndefinedObject);
    assert_eq!(world.run("admin", "DROP ROLE IF EXISTS nobody").await.unwrap().notices.len(), 1);
}

#[tokio::test]
async fn users_change_their_own_password_and_not_their_attributes() {
    let world = World::new().await;
    world.admin(&["CREATE USER guide PASSWORD 'a'"]).await;
    world.run("guide", "ALTER ROLE guide PASSWORD 'b'").await.unwrap();
    assert!(world.store.verifier("guide").matches("b"));
    world.run("guide", "ALTER ROLE guide SET statement_timeout = 5").await.unwrap();
    assert_eq!(world.reason("guide", "ALTER ROLE guide SET henna.guide_id = 'G2'").await, Reason::Privilege);
    assert_eq!(world.reason("guide", "ALTER ROLE guide RESET ALL").await, Reason::Privilege);
    assert_eq!(world.reason("guide", "ALTER ROLE guide SUPERUSER").await, Reason::Privilege);
    assert_eq!(world.reason("guide", "ALTER ROLE guide PASSWORD 'c' CREATEROLE").await, Reason::Privilege);
}

#[tokio::test]
async fn a_role_in_use_is_not_dropped() {
    let world = World::new().await;
    world.admin(&["CREATE ROLE a", "GRANT SELECT ON t TO a"]).await;
    let error = world.run("admin", "DROP ROLE a").await.unwrap_err();
    assert_eq!(error.reason(), Reason::DependentObjects);
    assert_eq!(error.detail(), Some("privileges for table t"));
    world.admin(&["REVOKE ALL ON t FROM a", "CREATE POLICY p ON t TO a USING (true)"]).await;
    assert_eq!(world.reason("admin", "DROP ROLE a").await, Reason::DependentObjects);
    world.admin(&["DROP POLICY p ON t", "DROP ROLE a"]).await;
    assert_eq!(world.reason("admin", "DROP ROLE admin").await, Reason::ObjectInUse);
}

#[tokio::test]
async fn a_role_that_hangs_on_hidden_objects_does_not_tell_their_names() {
    let world = World::new().await;
    world.admin(&["CREATE ROLE maker CREATEROLE"]).await;
    world.run("maker", "CREATE ROLE own").await.unwrap();
    world.admin(&["GRANT SELECT ON t TO own", "CREATE POLICY secret ON u TO own USING (true)"]).await;
    let error = world.run("maker", "DROP ROLE own").await.unwrap_err();
    assert_eq!((error.reason(), error.detail()), (Reason::DependentObjects, Some("objects that are hidden from you")));
    world.admin(&["GRANT SELECT (a) ON t TO maker"]).await;
    let error = world.run("maker", "DROP ROLE own").await.unwrap_err();
    assert_eq!(error.detail(), Some("privileges for table t\nobjects that are hidden from you"));
}

#[tokio::test]
async fn what_hangs_on_a_role_goes_or_changes_hands() {
    let world = World::new().await;
    world
        .admin(&[
            "CREATE ROLE a",
            "CREATE ROLE b",
            "CREATE ROLE heir",
            "GRANT SELECT ON t TO a WITH GRANT OPTION",
            "GRANT SELECT (a), UPDATE (a) ON u TO a",
            "GRANT USAGE ON SCHEMA public TO a",
            "CREATE POLICY alone ON t TO a USING (true)",
            "CREATE POLICY shared ON t TO a, b USING (true)",
            "ALTER TABLE u OWNER TO a",
        ])
        .await;
    world.run("a", "GRANT SELECT ON t TO b").await.unwrap();
    let error = world.run("admin", "DROP OWNED BY a").await.unwrap_err();
    assert_eq!(
        (error.reason(), error.to_string()),
        (Reason::DependentObjects, "role \"a\" owns relation public.u".into())
    );
    assert_eq!(world.reason("b", "REASSIGN OWNED BY a TO b").await, Reason::Privilege);
    assert_eq!(world.reason("a", "REASSIGN OWNED BY a TO b").await, Reason::Privilege);
    world.admin(&["REASSIGN OWNED BY a TO heir", "DROP OWNED BY a", "DROP ROLE a"]).await;
    let snapshot = world.store.snapshot();
    let owner = snapshot.owner(&crate::access::ObjectId::Relation(TableId::new("public", "u")));
    assert_eq!(owner, snapshot.role_named("heir").map(|role| role.id));
    // What went on through the role went with it; a policy for others stays theirs.
    assert!(!world.selects("b", "t"));
    let policies = &snapshot.relation(&TableId::new("public", "t")).unwrap().policies;
    assert_eq!(policies.keys().collect::<Vec<_>>(), ["shared"]);
    assert_eq!(policies["shared"].roles, [snapshot.role_named("b").unwrap().id]);
    assert_eq!(*world.reopened().await.snapshot(), *snapshot);
}

#[tokio::test]
async fn nobody_sets_himself_free_of_a_restrictive_policy() {
    let world = World::new().await;
    world
        .admin(&[
            "CREATE ROLE tight",
            "CREATE USER anna IN ROLE tight",
            "GRANT SELECT ON t TO tight",
            "CREATE POLICY some ON t TO tight USING (true)",
            "CREATE POLICY few ON t AS RESTRICTIVE TO tight USING (a = 1)",
            "ALTER TABLE u OWNER TO anna",
            "CREATE POLICY own ON u AS RESTRICTIVE TO tight USING (a = 1)",
        ])
        .await;
    let notices = world.run("anna", "DROP OWNED BY tight").await.unwrap().notices;
    let told = "role \"tight\" stays in restrictive policies: only the owner of their table may take it out";
    assert_eq!((notices[0].severity, notices[0].message.as_str()), ("WARNING", told));
    let policies = |table| {
        let snapshot = world.store.snapshot();
        let relation = snapshot.relation(&TableId::new("public", table)).unwrap();
        relation.policies.keys().cloned().collect::<Vec<_>>()
    };
    assert_eq!((policies("t"), policies("u")), (vec!["few".to_owned()], Vec::new()));
    assert_eq!(world.reason("anna", "DROP ROLE tight").await, Reason::Privilege);
    assert!(world.run("admin", "DROP OWNED BY tight").await.unwrap().notices.is_empty());
    assert!(policies("t").is_empty());
}

#[tokio::test]
async fn a_role_of_a_dropped_one_s_name_is_another() {
    let world = World::new().await;
    world.admin(&["CREATE USER anna"]).await;
    let old = world.store.login("anna").unwrap();
    world.admin(&["DROP ROLE anna", "CREATE USER anna", "GRANT SELECT ON t TO anna"]).await;
    let snapshot = world.store.snapshot();
    assert!(!snapshot.has_table_privilege(old.checked_role(), &TableId::new("public", "t"), Privilege::Select));
    assert!(world.selects("anna", "t"));
}

#[tokio::test]
async fn grants_need_ownership_or_a_grant_option() {
    let world = World::new().await;
    world.admin(&["CREATE ROLE a", "CREATE ROLE b", "GRANT SELECT ON t TO a"]).await;
    assert_eq!(world.reason("b", "GRANT SELECT ON t TO b").await, Reason::Privilege);
    // As in PostgreSQL, who holds something of the table is warned, and nothing is granted or taken.
    for sql in ["GRANT SELECT ON t TO b", "REVOKE SELECT ON t FROM a"] {
        let notices = world.run("a", sql).await.unwrap().notices;
        assert!(notices[0].message.starts_with("no privileges "), "{notices:?}");
    }
    assert!(world.selects("a", "t") && !world.selects("b", "t"));
    world.admin(&["GRANT SELECT ON t TO a WITH GRANT OPTION"]).await;
    world.run("a", "GRANT SELECT ON t TO b").await.unwrap();
    assert!(world.selects("b", "t"));
    assert_eq!(world.run("a", "GRANT ALL ON t TO b").await.unwrap().notices.len(), 1);
    assert_eq!(world.reason("admin", "REVOKE SELECT ON t FROM a").await, Reason::DependentObjects);
    world.admin(&["REVOKE SELECT ON t FROM a CASCADE"]).await;
    assert!(!world.selects("a", "t") && !world.selects("b", "t"));
}

#[tokio::test]
async fn a_table_s_revoke_takes_its_columns_too() {
    let world = World::new().await;
    world.admin(&["CREATE ROLE a", "GRANT SELECT (a) ON t TO a", "REVOKE ALL ON t FROM a"]).await;
    let snapshot = world.store.snapshot();
    let role = snapshot.require_role("a").unwrap().id;
    assert!(!snapshot.has_column_privilege(role, &TableId::new("public", "t"), "a", Privilege::Select));
}

#[tokio::test]
async fn grants_name_what_exists_and_fits() {
    let world = World::new().await;
    world.admin(&["CREATE ROLE a", "GRANT SELECT ON ALL TABLES IN SCHEMA public TO a"]).await;
    assert!(world.selects("a", "t") && world.selects("a", "v"));
    assert_eq!(world.reason("admin", "GRANT SELECT ON nowhere TO a").await, Reason::UndefinedTable);
    assert_eq!(world.reason("admin", "GRANT SELECT (c) ON t TO a").await, Reason::UndefinedColumn);
    assert_eq!(world.reason("admin", "GRANT USAGE ON SCHEMA nowhere TO a").await, Reason::UndefinedSchema);
    assert_eq!(world.reason("admin", "GRANT USAGE ON t TO a").await, Reason::InvalidGrant);
    assert_eq!(world.reason("admin", "GRANT SELECT ON t TO nobody").await, Reason::UndefinedObject);
}

#[tokio::test]
async fn memberships_make_no_circles_and_need_an_administrator() {
    let world = World::new().await;
    world.admin(&["CREATE ROLE a", "CREATE ROLE b", "CREATE ROLE c", "GRANT a TO b", "GRANT b TO c"]).await;
    assert_eq!(world.reason("admin", "GRANT c TO a").await, Reason::InvalidGrant);
    assert_eq!(world.reason("admin", "GRANT a TO a").await, Reason::InvalidGrant);
    assert_eq!(world.reason("b", "GRANT a TO c").await, Reason::Privilege);
    world.admin(&["GRANT a TO b WITH ADMIN OPTION"]).await;
    world.run("b", "GRANT a TO c").await.unwrap();
    world.admin(&["CREATE ROLE boss SUPERUSER", "CREATE ROLE maker CREATEROLE"]).await;
    assert_eq!(world.reason("maker", "GRANT boss TO maker").await, Reason::Privilege);
}

#[tokio::test]
async fn policies_and_masks_are_the_owner_s() {
    let world = World::new().await;
    world.admin(&["CREATE ROLE a", "GRANT ALL ON t TO a WITH GRANT OPTION"]).await;
    for sql in [
        "CREATE POLICY p ON t USING (true)",
        "ALTER TABLE t DISABLE ROW LEVEL SECURITY",
        "SECURITY LABEL FOR henna ON COLUMN t.a IS NULL",
        "ALTER TABLE t OWNER TO a",
    ] {
        assert_eq!(world.reason("a", sql).await, Reason::Privilege, "{sql}");
    }
    world.admin(&["ALTER TABLE t OWNER TO a"]).await;
    world.run("a", "CREATE POLICY p ON t USING (true)").await.unwrap();
    assert_eq!(world.reason("a", "CREATE POLICY p ON t USING (true)").await, Reason::DuplicateObject);
    assert_eq!(world.reason("a", "DROP POLICY q ON t").await, Reason::UndefinedObject);
    assert_eq!(world.reason("admin", "CREATE POLICY p ON v USING (true)").await, Reason::InvalidParameter);
}

#[tokio::test]
async fn row_security_that_blinds_a_grantee_is_told() {
    let world = World::new().await;
    world.admin(&["CREATE ROLE a", "GRANT SELECT ON t TO a"]).await;
    let applied = world.run("admin", "ALTER TABLE t ENABLE ROW LEVEL SECURITY").await.unwrap();
    let expected = "no policy of table \"t\" applies to role \"a\": it will see no rows";
    assert_eq!(applied.notices.iter().map(|notice| &notice.message).collect::<Vec<_>>(), [expected]);
}

#[tokio::test]
async fn logins_are_refused_alike_whether_the_user_exists_or_not() {
    let world = World::new().await;
    world.admin(&["CREATE ROLE group_role", "CREATE USER old VALID UNTIL '2001-01-01'"]).await;
    for user in ["nobody", "group_role", "old"] {
        let error = world.store.login(user).unwrap_err();
        assert_eq!(error.to_string(), format!("role \"{user}\" is not permitted to log in"));
    }
    assert_eq!(world.store.verifier("nobody"), world.reopened().await.verifier("nobody"));
    assert!(world.store.login("admin").is_ok());
}

#[tokio::test]
async fn odd_role_names_work_as_they_are() {
    let world = World::new().await;
    for name in ["Anna", "select", "门店", "a b", "x\"y", "a'; DROP ROLE admin; --", "=r*/", "\u{7f}"] {
        let quoted = crate::access::quoted(name);
        world.admin(&[&format!("CREATE ROLE {quoted}"), &format!("GRANT SELECT ON t TO {quoted}")]).await;
        assert!(world.selects(name, "t"), "{name}");
    }
    assert_eq!(world.reason("admin", "GRANT SELECT ON t TO anna").await, Reason::UndefinedObject);
}

#[tokio::test]
async fn a_second_bootstrap_is_refused() {
    let world = World::new().await;
    assert_eq!(world.store.bootstrap("other", "x").await.unwrap_err().reason(), Reason::DuplicateObject);
}

/// The definition that a store keeps of `lena.t`.
fn defined(store: &SecurityStore) -> Option<String> {
    let snapshot = store.snapshot();
    let relation = snapshot.relation(&TableId::new("lena", "t"))?;
    relation.definition.as_deref().map(str::to_owned)
}

/// Makes `lena.t` unless it is there.
async fn author(store: &SecurityStore, definition: &str) -> Result<()> {
    let id = TableId::new("lena", "t");
    let plan = |snapshot: &SecuritySnapshot| {
        if snapshot.relation(&id).is_some() {
            return Err(AccessError::RoleExists("t".into()).into());
        }
        let object = ObjectId::Relation(id.clone());
        let defined = ObjectChange::Defined { object, definition: definition.to_owned() };
        Ok((vec![ObjectChange::RelationCreated(id.clone()), defined], ()))
    };
    store.author(&store.bootstrap_principal(), "CREATE TABLE", plan).await
}

#[tokio::test]
async fn of_two_who_make_one_object_the_second_is_asked_anew() {
    let world = World::new().await;
    let other = world.reopened().await;
    author(&world.store, "first").await.unwrap();
    // It has not seen the other's record, and finds its place taken.
    assert_eq!(author(&other, "second").await.unwrap_err().reason(), Reason::DuplicateObject);
    assert_eq!(defined(&other).as_deref(), Some("first"));
    assert_eq!(*world.reopened().await.snapshot(), *world.store.snapshot());
}

#[tokio::test]
async fn an_object_whose_record_is_lost_is_not_there_and_one_that_was_written_is() {
    let world = World::new().await;
    world.log.fail_next_put(Fault::Before);
    assert_eq!(author(&world.store, "lost").await.unwrap_err().reason(), Reason::Io);
    assert_eq!((defined(&world.store), defined(&world.reopened().await)), (None, None));
    world.log.fail_next_put(Fault::After);
    assert_eq!(author(&world.store, "kept").await.unwrap_err().reason(), Reason::Io);
    assert_eq!(defined(&world.store).as_deref(), Some("kept"));
    assert_eq!(defined(&world.reopened().await).as_deref(), Some("kept"));
}

#[tokio::test]
async fn create_on_the_database_is_granted_revoked_and_holds_its_role() {
    let world = World::new().await;
    world.admin(&["CREATE ROLE anna", "GRANT CREATE, CONNECT ON DATABASE henna TO anna"]).await;
    let may = || {
        let snapshot = world.store.snapshot();
        snapshot.has_database_privilege(snapshot.require_role("anna").unwrap().id, Privilege::Create)
    };
    assert!(may());
    let applied = world.run("anna", "GRANT CREATE ON DATABASE henna TO PUBLIC").await.unwrap();
    assert_eq!(applied.notices[0].message, "no privileges were granted for \"henna\"");
    assert_eq!(world.reason("admin", "GRANT SELECT ON DATABASE henna TO anna").await, Reason::InvalidGrant);
    assert_eq!(world.reason("admin", "DROP ROLE anna").await, Reason::DependentObjects);
    world.admin(&["GRANT CONNECT ON DATABASE henna TO PUBLIC", "REVOKE ALL ON DATABASE henna FROM anna"]).await;
    assert!(!may());
    world.admin(&["DROP ROLE anna"]).await;
}

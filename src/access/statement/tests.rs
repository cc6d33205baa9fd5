//! Every form that users of psql type, and the forms that are not ours.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
use datafusion::sql::sqlparser::tokenizer::Token;

use super::*;
use crate::access::model::grant::Privilege;

fn try_one(sql: &str) -> Option<Result<AccessStatement, ParserError>> {
    let mut parser = Parser::new(&PostgreSqlDialect {}).try_with_sql(sql).unwrap();
    let parsed = parse(&mut parser);
    if let Some(Ok(_)) = parsed {
        assert_eq!(parser.peek_token().token, Token::EOF, "{sql}");
    }
    parsed
}

fn one(sql: &str) -> AccessStatement {
    try_one(sql).unwrap_or_else(|| panic!("not ours: {sql}")).unwrap_or_else(|error| panic!("{sql}: {error}"))
}

fn refused(sql: &str) -> String {
    try_one(sql).unwrap_or_else(|| panic!("not ours: {sql}")).unwrap_err().to_string()
}

fn named(name: &str) -> RoleSpec {
    RoleSpec::Name(name.to_string())
}

fn table(name: &str) -> RelationName {
    RelationName { schema: None, name: name.to_string() }
}

#[test]
fn create_role_takes_all_options() {
    let sql = "CREATE ROLE \"Anna O'Hara\" WITH LOGIN ENCRYPTED PASSWORD 's''p' SUPERUSER NOINHERIT BYPASSRLS \
               CONNECTION LIMIT -1 VALID UNTIL '2030-01-01' IN ROLE a, b ROLE c ADMIN CURRENT_USER";
    let AccessStatement::CreateRole { name, options, user: false, .. } = one(sql) else { panic!() };
    assert_eq!(name, "Anna O'Hara");
    assert_eq!((options.login, options.superuser), (Some(true), Some(true)));
    assert_eq!((options.inherit, options.bypass_rls), (Some(false), Some(true)));
    assert_eq!(options.password, Some(PasswordChange::Set("s'p".into())));
    assert_eq!(options.connection_limit, Some(-1));
    assert_eq!(options.valid_until.as_deref(), Some("2030-01-01"));
    assert_eq!(options.in_roles, ["a", "b"]);
    assert_eq!(options.members, [named("c")]);
    assert_eq!(options.admins, [RoleSpec::CurrentUser]);
}

#[test]
fn create_user_takes_nologin_and_with_password() {
    assert!(matches!(one("CREATE USER bob NOLOGIN"), AccessStatement::CreateRole { user: true, .. }));
    let AccessStatement::CreateRole { options, .. } = one("create user Bob with password $$x$$") else { panic!() };
    assert_eq!(options.password, Some(PasswordChange::Set("x".into())));
}

#[test]
fn a_password_is_never_shown() {
    assert!(!format!("{:?}", one("CREATE USER bob PASSWORD 'geheim'")).contains("geheim"));
}

#[test]
fn options_given_twice_are_refused() {
    assert!(refused("CREATE ROLE a LOGIN NOLOGIN").contains("conflicting or redundant options"));
    assert!(refused("CREATE ROLE a SELECT").contains("unrecognized role option \"select\""));
}

#[test]
fn alter_role_pins_and_resets_settings() {
    let AccessStatement::AlterRole { alteration, .. } = one("ALTER ROLE g017 SET henna.guide_id = 'G017'") else {
        panic!()
    };
    assert_eq!(alteration, RoleAlteration::Setting { name: "henna.guide_id".into(), value: Some("G017".into()) });
    let AccessStatement::AlterRole { alteration, .. } = one("ALTER USER g017 RESET henna.guide_id") else { panic!() };
    assert_eq!(alteration, RoleAlteration::Setting { name: "henna.guide_id".into(), value: None });
    let AccessStatement::AlterRole { alteration, .. } = one("ALTER ROLE a RENAME TO \"B\"") else { panic!() };
    assert_eq!(alteration, RoleAlteration::Rename("B".into()));
    let AccessStatement::AlterRole { role, alteration } = one("ALTER ROLE CURRENT_USER PASSWORD NULL") else {
        panic!()
    };
    assert_eq!(role, RoleSpec::CurrentUser);
    let RoleAlteration::Options(options) = alteration else { panic!() };
    assert_eq!(options.password, Some(PasswordChange::Remove));
}

#[test]
fn what_roles_own_is_dropped_or_reassigned() {
    assert_eq!(
        one("DROP OWNED BY a, CURRENT_USER CASCADE"),
        AccessStatement::DropOwned { roles: vec![named("a"), RoleSpec::CurrentUser] }
    );
    let expected = AccessStatement::ReassignOwned { roles: vec![named("a")], to: named("b") };
    assert_eq!(one("REASSIGN OWNED BY a TO b"), expected);
    assert!(refused("REASSIGN OWNED BY a").contains("TO"));
}

#[test]
fn membership_is_not_mistaken_for_a_privilege() {
    let AccessStatement::GrantRole { roles, members, options } =
        one("GRANT audit, \"select\" TO bob WITH ADMIN OPTION")
    else {
        panic!()
    };
    assert_eq!(roles, ["audit", "select"]);
    assert_eq!(members, [named("bob")]);
    assert_eq!(options.admin, Some(true));
    let sql = "GRANT a TO b WITH INHERIT FALSE, SET TRUE GRANTED BY CURRENT_USER";
    let AccessStatement::GrantRole { options, .. } = one(sql) else { panic!() };
    assert_eq!((options.inherit, options.set), (Some(false), Some(true)));
    let AccessStatement::RevokeRole { what, .. } = one("REVOKE ADMIN OPTION FOR a FROM b CASCADE") else { panic!() };
    assert_eq!(what, RevokeMembership::AdminOption);
}

#[test]
fn privileges_of_columns_and_tables_are_told_apart() {
    let sql = "GRANT SELECT (a, \"B\"), UPDATE ON TABLE s.t, u TO PUBLIC, bob WITH GRANT OPTION";
    let AccessStatement::GrantPrivileges { privileges, targets, grantees, option } = one(sql) else { panic!() };
    let expected = vec![(Privilege::Select, vec!["a".into(), "B".into()]), (Privilege::Update, vec![])];
    assert_eq!(privileges, PrivilegeWords::Some(expected));
    let first = RelationName { schema: Some("s".into()), name: "t".into() };
    assert_eq!(targets, GrantTargets::Relations(vec![first, table("u")]));
    assert_eq!(grantees, [RoleSpec::Public, named("bob")]);
    assert_eq!(option, Grantable::Yes);
}

#[test]
fn all_privileges_and_all_tables_are_known() {
    let AccessStatement::GrantPrivileges { privileges, targets, .. } =
        one("GRANT ALL PRIVILEGES ON ALL TABLES IN SCHEMA public, mart TO a")
    else {
        panic!()
    };
    assert_eq!(privileges, PrivilegeWords::All { columns: vec![] });
    assert_eq!(targets, GrantTargets::AllRelationsIn(vec!["public".into(), "mart".into()]));
    let AccessStatement::RevokePrivileges { option_only, behaviour, .. } =
        one("REVOKE GRANT OPTION FOR USAGE ON SCHEMA mart FROM a CASCADE")
    else {
        panic!()
    };
    assert!(option_only);
    assert_eq!(behaviour, RevokeBehaviour::Cascade);
    assert!(refused("GRANT FLY ON t TO a").contains("unrecognized privilege type \"fly\""));
    assert!(refused("GRANT EXECUTE ON FUNCTION f TO a").contains("unrecognized privilege type"));
}

#[test]
fn policies_keep_their_expressions_as_sql() {
    let sql = "CREATE POLICY p ON s.t AS RESTRICTIVE FOR UPDATE TO a, CURRENT_USER USING (x = 'a''b' OR y IN (SELECT z FROM u)) \
               WITH CHECK (x IS NOT NULL)";
    let AccessStatement::CreatePolicy { permissive, command, roles, using, check, .. } = one(sql) else { panic!() };
    assert!(!permissive);
    assert_eq!(command, PolicyCommand::Update);
    assert_eq!(roles, [named("a"), RoleSpec::CurrentUser]);
    assert_eq!(using.as_deref(), Some("x = 'a''b' OR y IN (SELECT z FROM u)"));
    assert_eq!(check.as_deref(), Some("x IS NOT NULL"));
    let AccessStatement::CreatePolicy { permissive: true, command, roles, .. } =
        one("CREATE POLICY p ON t USING (true)")
    else {
        panic!()
    };
    assert_eq!((command, roles), (PolicyCommand::All, vec![RoleSpec::Public]));
    assert!(refused("CREATE POLICY p ON t FOR SELECT WITH CHECK (true)").contains("WITH CHECK cannot be applied"));
    assert!(matches!(one("ALTER POLICY p ON t RENAME TO q"), AccessStatement::RenamePolicy { .. }));
    assert!(matches!(one("ALTER POLICY p ON t TO PUBLIC USING (false)"), AccessStatement::AlterPolicy { .. }));
    assert!(matches!(one("DROP POLICY IF EXISTS p ON t"), AccessStatement::DropPolicy { if_exists: true, .. }));
}

#[test]
fn row_security_toggles_and_owners_are_ours() {
    let toggles = |sql: &str| match one(sql) {
        AccessStatement::RowSecurity { toggles, .. } => toggles,
        other => panic!("{other:?}"),
    };
    use RowSecurityToggle::*;
    assert_eq!(toggles("ALTER TABLE t ENABLE ROW LEVEL SECURITY"), [Enable]);
    assert_eq!(toggles("ALTER TABLE ONLY t ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY"), [Enable, Force]);
    assert_eq!(toggles("ALTER TABLE IF EXISTS s.t NO FORCE ROW LEVEL SECURITY"), [NoForce]);
    assert!(matches!(one("ALTER TABLE t OWNER TO bob"), AccessStatement::OwnerTo { .. }));
    assert!(matches!(one("ALTER VIEW v OWNER TO CURRENT_USER"), AccessStatement::OwnerTo { .. }));
    assert!(matches!(one("ALTER SCHEMA s OWNER TO bob"), AccessStatement::OwnerTo { .. }));
}

#[test]
fn labels_are_masks_of_columns() {
    let sql = "SECURITY LABEL FOR henna ON COLUMN public.customers.phone_masked IS 'CASE WHEN x THEN ''a'' END'";
    let AccessStatement::Mask { table, column, expression } = one(sql) else { panic!() };
    assert_eq!(table, RelationName { schema: Some("public".into()), name: "customers".into() });
    assert_eq!(column, "phone_masked");
    assert_eq!(expression.as_deref(), Some("CASE WHEN x THEN 'a' END"));
    assert!(matches!(one("SECURITY LABEL ON COLUMN t.c IS NULL"), AccessStatement::Mask { expression: None, .. }));
    assert!(refused("SECURITY LABEL FOR other ON COLUMN t.c IS NULL").contains("\"other\" is not loaded"));
}

#[test]
fn comments_on_roles_and_policies_are_ours() {
    assert!(matches!(one("COMMENT ON ROLE a IS 'x'"), AccessStatement::CommentOnRole { .. }));
    assert!(matches!(one("COMMENT ON POLICY p ON t IS NULL"), AccessStatement::CommentOnPolicy { comment: None, .. }));
}

#[test]
fn what_is_not_ours_is_left_untouched() {
    for sql in [
        " SELECT 1",
        "  CREATE TABLE t (a int)",
        "ALTER TABLE t ADD COLUMN a int",
        "ALTER VIEW v AS SELECT 1",
        "DROP TABLE t",
        "COMMENT ON TABLE t IS 'x'",
        "/* c */ ALTER TABLE t RENAME TO u",
        "SET ROLE a",
        "",
    ] {
        let mut parser = Parser::new(&PostgreSqlDialect {}).try_with_sql(sql).unwrap();
        let before = parser.index();
        assert!(parse(&mut parser).is_none(), "{sql}");
        assert_eq!(parser.index(), before, "{sql}");
    }
}

#[test]
fn a_statement_ends_at_its_semicolon() {
    let mut parser = Parser::new(&PostgreSqlDialect {}).try_with_sql("CREATE ROLE a; CREATE ROLE b").unwrap();
    assert!(parse(&mut parser).unwrap().is_ok());
    assert!(parser.consume_token(&Token::SemiColon));
    assert!(parse(&mut parser).unwrap().is_ok());
}

#[test]
fn odd_input_is_an_error_and_no_panic() {
    for sql in [
        "GRANT",
        "GRANT a",
        "REVOKE ALL",
        "CREATE ROLE",
        "ALTER ROLE",
        "CREATE POLICY p",
        "SECURITY LABEL",
        "GRANT a TO",
    ] {
        assert!(matches!(try_one(sql), Some(Err(_))), "{sql}");
    }
}

#[test]
fn a_subject_names_objects_and_roles_and_nothing_else() {
    for (sql, expected) in [
        ("CREATE USER \"Anna\" PASSWORD 'secret'", "\"Anna\""),
        ("ALTER USER bob PASSWORD 'secret'", "bob"),
        ("GRANT SELECT (a), UPDATE ON t, s.u TO bob, PUBLIC", "t, s.u TO bob, PUBLIC"),
        ("REVOKE ALL ON ALL TABLES IN SCHEMA s FROM bob", "ALL TABLES IN SCHEMA s FROM bob"),
        ("GRANT team TO bob", "team TO bob"),
        ("CREATE POLICY p ON t USING (a = 'secret')", "p ON t"),
        ("ALTER TABLE t ENABLE ROW LEVEL SECURITY", "t"),
        ("SECURITY LABEL FOR henna ON COLUMN s.t.a IS 'secret'", "s.t.a"),
        ("COMMENT ON ROLE bob IS 'secret'", "bob"),
    ] {
        assert_eq!(one(sql).subject(), expected);
    }
    let many: Vec<String> = (0..1000).map(|number| format!("role_{number}")).collect();
    assert!(one(&format!("DROP ROLE {}", many.join(", "))).subject().len() < 1100);
}

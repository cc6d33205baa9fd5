//! The visible catalog of one principal as plain values: what pg_catalog and information_schema are made from.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::access::SecuritySnapshot;
use crate::dataset::{Check, Column, ForeignKey, SqlType};

/// Everything that one principal may learn of what exists. What is hidden is not in it.
#[derive(Debug, Clone, Default)]
pub struct VisibleCatalog {
    pub database: String,
    /// The privileges on it as aclitem texts.
    pub database_acl: Vec<String>,
    /// The principal of the session, and the role that SET ROLE gave it.
    pub session_user: String,
    pub current_user: String,
    pub schemas: Vec<SchemaEntry>,
    pub relations: Vec<RelationEntry>,
    pub roles: Vec<RoleEntry>,
    pub memberships: Vec<MembershipEntry>,
    pub policies: Vec<PolicyEntry>,
    pub functions: Vec<FunctionEntry>,
    pub settings: Vec<SettingEntry>,
    pub activity: Vec<ActivityEntry>,
    pub prepared: Vec<PreparedEntry>,
    /// For questions about rights on what the lists above name.
    pub security: Arc<SecuritySnapshot>,
}

#[derive(Debug, Clone)]
pub struct SchemaEntry {
    /// Stable across sessions and restarts.
    pub oid: u32,
    pub name: String,
    pub owner: String,
    pub comment: Option<String>,
    /// The privileges as aclitem texts, e.g. `headquarters=U/admin`.
    pub acl: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RelationKind {
    Table,
    View,
}

#[derive(Debug, Clone)]
pub struct RelationEntry {
    /// Stable across sessions and restarts.
    pub oid: u32,
    pub schema: String,
    pub name: String,
    pub kind: RelationKind,
    pub owner: String,
    pub comment: Option<String>,
    pub columns: Vec<Column>,
    pub primary_key: Vec<String>,
    pub checks: Vec<Check>,
    pub foreign_keys: Vec<ForeignKey>,
    /// The SELECT of a view.
    pub definition: Option<String>,
    /// `name=value` texts of WITH (...).
    pub options: Vec<String>,
    pub row_security: bool,
    pub row_security_forced: bool,
    pub acl: Vec<String>,
    /// Those of columns, by the name of the column.
    pub column_acls: BTreeMap<String, Vec<String>>,
    /// What the session's user may do with it: SELECT, INSERT, UPDATE, DELETE, ... in upper case.
    pub privileges: Vec<String>,
    /// Rows in the table as its newest version counts them; `None` where unknown or where the count would tell of hidden rows.
    pub rows: Option<u64>,
    /// Bytes of its live files; `None` as for `rows`.
    pub bytes: Option<u64>,
}

#[derive(Debug, Clone)]
pub struct RoleEntry {
    pub oid: u32,
    pub name: String,
    pub superuser: bool,
    pub inherit: bool,
    pub create_role: bool,
    pub create_db: bool,
    pub login: bool,
    pub replication: bool,
    pub bypass_rls: bool,
    /// -1 is no limit.
    pub connection_limit: i32,
    /// In microseconds since 1970 UTC; `None` never ends.
    pub valid_until_us: Option<i64>,
    pub comment: Option<String>,
    /// `name=value` texts of ALTER ROLE ... SET; filled only for those whom the principal may see.
    pub settings: Vec<String>,
}

#[derive(Debug, Clone)]
pub struct MembershipEntry {
    pub role: String,
    pub member: String,
    pub grantor: String,
    pub admin_option: bool,
    pub inherit_option: bool,
    pub set_option: bool,
}

#[derive(Debug, Clone)]
pub struct PolicyEntry {
    pub oid: u32,
    pub name: String,
    pub schema: String,
    pub table: String,
    pub permissive: bool,
    /// Empty is PUBLIC.
    pub roles: Vec<String>,
    /// ALL, SELECT, INSERT, UPDATE, DELETE.
    pub command: String,
    pub using: Option<String>,
    pub check: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FunctionKind {
    Scalar,
    Aggregate,
    Window,
}

#[derive(Debug, Clone)]
pub struct FunctionEntry {
    pub oid: u32,
    pub schema: String,
    pub name: String,
    pub kind: FunctionKind,
    /// As `\df` shows it, e.g. `value numeric, n integer`.
    pub arguments: String,
    pub result: String,
    pub description: String,
}

#[derive(Debug, Clone)]
pub struct SettingEntry {
    pub name: String,
    pub value: String,
    pub description: String,
    pub context: String,
}

#[derive(Debug, Clone)]
pub struct ActivityEntry {
    pub pid: i32,
    pub user: String,
    pub application: String,
    pub client: Option<String>,
    pub backend_start_us: i64,
    pub query_start_us: Option<i64>,
    pub state: String,
    /// None where the principal may not see it.
    pub query: Option<String>,
}

/// A named statement of the session itself.
#[derive(Debug, Clone)]
pub struct PreparedEntry {
    pub name: String,
    pub statement: String,
    pub made_us: i64,
    pub parameters: Vec<SqlType>,
    /// None where it gives no rows.
    pub columns: Option<Vec<SqlType>>,
    /// Made by PREPARE, not by the protocol.
    pub from_sql: bool,
}

//! The security statements of PostgreSQL as values, and the parser for them.
//!
//! They are parsed from sqlparser's tokens, because its own grammar of roles and memberships has gaps that it fills with
//! wrong readings (`GRANT audit TO bob`).

mod grant;
pub mod names;
mod policy;
mod relation;
mod role;
mod subject;

use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::parser::{Parser, ParserError};

pub use grant::{GrantTargets, Grantable, MembershipOptions, PrivilegeWords, RevokeMembership};
pub use names::{RelationName, RoleSpec};
pub use role::{PasswordChange, RoleAlteration, RoleOptions};

use super::model::grant::RevokeBehaviour;
use super::model::policy::PolicyCommand;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AccessStatement {
    /// `user` is true for CREATE USER, whose default is LOGIN.
    CreateRole {
        name: String,
        if_not_exists: bool,
        options: RoleOptions,
        user: bool,
    },
    AlterRole {
        role: RoleSpec,
        alteration: RoleAlteration,
    },
    DropRole {
        names: Vec<RoleSpec>,
        if_exists: bool,
    },
    /// DROP OWNED BY.
    DropOwned {
        roles: Vec<RoleSpec>,
    },
    ReassignOwned {
        roles: Vec<RoleSpec>,
        to: RoleSpec,
    },
    GrantPrivileges {
        privileges: PrivilegeWords,
        targets: GrantTargets,
        grantees: Vec<RoleSpec>,
        option: Grantable,
    },
    RevokePrivileges {
        privileges: PrivilegeWords,
        targets: GrantTargets,
        grantees: Vec<RoleSpec>,
        /// GRANT OPTION FOR: only the right to grant on.
        option_only: bool,
        behaviour: RevokeBehaviour,
    },
    GrantRole {
        roles: Vec<String>,
        members: Vec<RoleSpec>,
        options: MembershipOptions,
    },
    RevokeRole {
        roles: Vec<String>,
        members: Vec<RoleSpec>,
        what: RevokeMembership,
    },
    CreatePolicy {
        name: String,
        table: RelationName,
        permissive: bool,
        command: PolicyCommand,
        roles: Vec<RoleSpec>,
        using: Option<String>,
        check: Option<String>,
    },
    AlterPolicy {
        name: String,
        table: RelationName,
        roles: Option<Vec<RoleSpec>>,
        using: Option<String>,
        check: Option<String>,
    },
    RenamePolicy {
        name: String,
        table: RelationName,
        to: String,
    },
    DropPolicy {
        name: String,
        table: RelationName,
        if_exists: bool,
    },
    RowSecurity {
        table: RelationName,
        if_exists: bool,
        toggles: Vec<RowSecurityToggle>,
    },
    OwnerTo {
        object: OwnedObject,
        if_exists: bool,
        owner: RoleSpec,
    },
    /// SECURITY LABEL FOR henna ON COLUMN; None takes the mask off.
    Mask {
        table: RelationName,
        column: String,
        expression: Option<String>,
    },
    CommentOnRole {
        role: RoleSpec,
        comment: Option<String>,
    },
    CommentOnPolicy {
        name: String,
        table: RelationName,
        comment: Option<String>,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowSecurityToggle {
    Enable,
    Disable,
    Force,
    NoForce,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OwnedObject {
    Relation(RelationName),
    Schema(String),
}

impl AccessStatement {
    /// The command tag of its answer.
    pub fn tag(&self) -> &'static str {
        use AccessStatement::*;
        match self {
            CreateRole { .. } => "CREATE ROLE",
            AlterRole { .. } => "ALTER ROLE",
            DropRole { .. } => "DROP ROLE",
            DropOwned { .. } => "DROP OWNED",
            ReassignOwned { .. } => "REASSIGN OWNED",
            GrantPrivileges { .. } => "GRANT",
            RevokePrivileges { .. } => "REVOKE",
            GrantRole { .. } => "GRANT ROLE",
            RevokeRole { .. } => "REVOKE ROLE",
            CreatePolicy { .. } => "CREATE POLICY",
            AlterPolicy { .. } | RenamePolicy { .. } => "ALTER POLICY",
            DropPolicy { .. } => "DROP POLICY",
            RowSecurity { .. } => "ALTER TABLE",
            OwnerTo { object: OwnedObject::Schema(_), .. } => "ALTER SCHEMA",
            OwnerTo { .. } => "ALTER TABLE",
            Mask { .. } => "SECURITY LABEL",
            CommentOnRole { .. } | CommentOnPolicy { .. } => "COMMENT",
        }
    }
}

/// Parses the next statement of `parser` if it is one of ours, up to and not with its semicolon.
/// None: it is not, and no token is consumed.
pub fn parse(parser: &mut Parser<'_>) -> Option<Result<AccessStatement, ParserError>> {
    let mut parsed = None;
    // `try_parse` alone can put the parser back to where it was.
    let _ = parser.try_parse(|parser| {
        parsed = parse_here(parser);
        if parsed.is_some() { Ok(()) } else { Err(names::error("not a security statement")) }
    });
    parsed
}

fn parse_here(parser: &mut Parser<'_>) -> Option<Result<AccessStatement, ParserError>> {
    use Keyword::*;
    if names::word(parser, "reassign") {
        return Some(role::parse_reassign(parser));
    }
    match parser.parse_one_of_keywords(&[CREATE, ALTER, DROP, GRANT, REVOKE, SECURITY, COMMENT])? {
        GRANT => Some(grant::parse_grant(parser)),
        REVOKE => Some(grant::parse_revoke(parser)),
        SECURITY => names::word(parser, "label").then(|| relation::parse_label(parser)),
        COMMENT => relation::parse_comment(parser),
        CREATE => match parser.parse_one_of_keywords(&[ROLE, USER, GROUP, POLICY])? {
            POLICY => Some(policy::parse_create(parser)),
            kind => Some(role::parse_create(parser, kind == USER)),
        },
        ALTER => match parser.parse_one_of_keywords(&[ROLE, USER, GROUP, POLICY, TABLE, VIEW, SCHEMA])? {
            POLICY => Some(policy::parse_alter(parser)),
            TABLE => relation::parse_alter_relation(parser),
            VIEW => relation::parse_alter_view(parser),
            SCHEMA => relation::parse_alter_schema(parser),
            _ => Some(role::parse_alter(parser)),
        },
        DROP if names::word(parser, "owned") => Some(role::parse_drop_owned(parser)),
        DROP => match parser.parse_one_of_keywords(&[ROLE, USER, GROUP, POLICY])? {
            POLICY => Some(policy::parse_drop(parser)),
            _ => Some(role::parse_drop(parser)),
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests;

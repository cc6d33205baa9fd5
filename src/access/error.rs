//! What can go wrong in this room, each with the facts that a caller may know.

use crate::error::{Error, Reason};

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AccessError {
    #[error("role \"{0}\" does not exist")]
    RoleMissing(String),
    /// The value of a setting: SET ROLE and SET SESSION AUTHORIZATION.
    #[error("role \"{0}\" does not exist")]
    RoleInvalid(String),
    #[error("role \"{0}\" already exists")]
    RoleExists(String),
    #[error("role name \"{0}\" is reserved")]
    RoleReserved(String),
    #[error("role \"{role}\" cannot be dropped because some objects depend on it")]
    RoleInUse { role: String, uses: Vec<String> },
    #[error("role \"{role}\" owns {object}")]
    OwnsObjects { role: String, object: String },
    #[error("{0} cannot be dropped")]
    RoleInSession(&'static str),
    #[error("role \"{role}\" is a member of role \"{member}\"")]
    MembershipCycle { role: String, member: String },
    #[error("role \"{0}\" is not permitted to log in")]
    LoginDenied(String),
    #[error("schema \"{0}\" does not exist")]
    SchemaMissing(String),
    #[error("relation \"{0}\" does not exist")]
    RelationMissing(String),
    #[error("\"{0}\" is not a table")]
    NotATable(String),
    #[error("column \"{column}\" of relation \"{relation}\" does not exist")]
    ColumnMissing { relation: String, column: String },
    #[error("policy \"{policy}\" for table \"{table}\" already exists")]
    PolicyExists { policy: String, table: String },
    #[error("policy \"{policy}\" for table \"{table}\" does not exist")]
    PolicyMissing { policy: String, table: String },
    /// `kind` is `table`, `view` or `schema`.
    #[error("permission denied for {kind} {name}")]
    Denied { kind: &'static str, name: String },
    #[error("must be owner of {kind} {name}")]
    NotOwner { kind: &'static str, name: String },
    #[error("permission denied to {action}")]
    Forbidden { action: String },
    #[error("dependent privileges exist")]
    DependentPrivileges,
    #[error("{0}")]
    InvalidStatement(String),
    #[error("{0}")]
    InvalidGrant(String),
    #[error("invalid connection limit: {0}")]
    ConnectionLimit(i32),
    #[error("invalid input syntax for type timestamp with time zone: \"{0}\"")]
    InvalidMoment(String),
    #[error("unrecognized {what} \"{value}\"")]
    InvalidName { what: &'static str, value: String },
    #[error("query would be affected by row-level security policy for table \"{0}\"")]
    RowSecurityOff(String),
    /// The one text for whatever fails behind the wall: the cause may quote hidden rows.
    #[error("row policy of table {0} failed")]
    PolicyFailed(String),
    /// The same for what fails within a view that is read with its owner's rights.
    #[error("view {0} failed")]
    ViewFailed(String),
    #[error("new row violates row-level security policy for table \"{0}\"")]
    RowRefused(String),
    #[error("infinite recursion detected in policy for relation \"{0}\"")]
    PolicyRecursion(String),
    #[error("out of memory while reading table {0}")]
    OutOfMemory(String),
    #[error("table {0} cannot be read")]
    ReadFailed(String),
    #[error("cannot {action} table {table} through this statement")]
    WriteUnsupported { action: &'static str, table: String },
    #[error("security log is damaged at record {0}")]
    Damaged(u64),
    #[error("security log has changed too often meanwhile")]
    Contended,
    #[error("security log cannot be {action}: {cause}")]
    Storage { action: &'static str, cause: String },
    #[error("audit log has changed too often meanwhile")]
    AuditContended,
    #[error("audit log cannot be {action}: {cause}")]
    AuditStorage { action: &'static str, cause: String },
}

impl AccessError {
    pub fn reason(&self) -> Reason {
        use AccessError::*;
        match self {
            RoleMissing(_) | PolicyMissing { .. } => Reason::UndefinedObject,
            RoleExists(_) | PolicyExists { .. } => Reason::DuplicateObject,
            RoleInUse { .. } | DependentPrivileges | OwnsObjects { .. } => Reason::DependentObjects,
            RoleInSession(_) => Reason::ObjectInUse,
            RoleReserved(_) => Reason::ReservedName,
            MembershipCycle { .. } | InvalidGrant(_) => Reason::InvalidGrant,
            SchemaMissing(_) => Reason::UndefinedSchema,
            RelationMissing(_) => Reason::UndefinedTable,
            ColumnMissing { .. } => Reason::UndefinedColumn,
            NotATable(_) | InvalidName { .. } | RoleInvalid(_) | ConnectionLimit(_) => Reason::InvalidParameter,
            InvalidMoment(_) => Reason::InvalidDatetime,
            InvalidStatement(_) => Reason::Syntax,
            Denied { .. } | NotOwner { .. } | Forbidden { .. } | RowSecurityOff(_) | RowRefused(_) => Reason::Privilege,
            LoginDenied(_) => Reason::Authentication,
            PolicyFailed(_) | ViewFailed(_) => Reason::Configuration,
            PolicyRecursion(_) => Reason::InvalidDefinition,
            OutOfMemory(_) => Reason::MemoryExhausted,
            WriteUnsupported { .. } => Reason::Unsupported,
            Damaged(_) => Reason::Corrupt,
            Contended | AuditContended => Reason::Serialization,
            ReadFailed(_) | Storage { .. } | AuditStorage { .. } => Reason::Io,
        }
    }
}

impl From<AccessError> for Error {
    fn from(error: AccessError) -> Self {
        let reason = error.reason();
        match &error {
            AccessError::RoleInUse { uses, .. } => {
                let detail = uses.join("\n");
                Error::of(reason, error).with_detail(detail)
            }
            AccessError::OwnsObjects { .. } => {
                Error::of(reason, error).with_hint("give them to another role by REASSIGN OWNED first")
            }
            AccessError::Damaged(_) => {
                Error::of(reason, error).with_hint("every table stays locked until the log is restored from a backup")
            }
            AccessError::DependentPrivileges => Error::of(reason, error).with_hint("use CASCADE to revoke them too"),
            _ => Error::of(reason, error),
        }
    }
}

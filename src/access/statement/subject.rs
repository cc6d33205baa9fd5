//! What a security statement is about, by name: for the audit log. No passwords, no expressions, no comments.

use super::super::model::object::quoted;
use super::grant::GrantTargets;
use super::names::{RelationName, RoleSpec};
use super::{AccessStatement, OwnedObject};

/// A longer list of names is cut.
const TEXT_BYTES_MAX: usize = 1024;

impl AccessStatement {
    /// The objects and roles that it names, as they were written.
    pub fn subject(&self) -> String {
        use AccessStatement::*;
        let mut text = match self {
            CreateRole { name, .. } => quoted(name),
            AlterRole { role: named, .. } | CommentOnRole { role: named, .. } => role(named),
            DropRole { names, .. } | DropOwned { roles: names, .. } => list(names, role),
            ReassignOwned { roles, to } => format!("{} TO {}", list(roles, role), role(to)),
            GrantPrivileges { targets: on, grantees, .. } => format!("{} TO {}", targets(on), list(grantees, role)),
            RevokePrivileges { targets: on, grantees, .. } => format!("{} FROM {}", targets(on), list(grantees, role)),
            GrantRole { roles, members, .. } => {
                format!("{} TO {}", list(roles, |name| quoted(name)), list(members, role))
            }
            RevokeRole { roles, members, .. } => {
                format!("{} FROM {}", list(roles, |name| quoted(name)), list(members, role))
            }
            CreatePolicy { name, table, .. }
            | AlterPolicy { name, table, .. }
            | RenamePolicy { name, table, .. }
            | DropPolicy { name, table, .. }
            | CommentOnPolicy { name, table, .. } => format!("{} ON {table}", quoted(name)),
            RowSecurity { table, .. } => table.to_string(),
            OwnerTo { object: OwnedObject::Relation(name), owner, .. } => format!("{name} TO {}", role(owner)),
            OwnerTo { object: OwnedObject::Schema(name), owner, .. } => format!("{} TO {}", quoted(name), role(owner)),
            Mask { table, column, .. } => format!("{table}.{}", quoted(column)),
        };
        if text.len() > TEXT_BYTES_MAX {
            text.truncate(text.floor_char_boundary(TEXT_BYTES_MAX));
            text.push_str(" ...");
        }
        text
    }
}

fn targets(targets: &GrantTargets) -> String {
    match targets {
        GrantTargets::Relations(relations) => list(relations, RelationName::to_string),
        GrantTargets::AllRelationsIn(schemas) => {
            format!("ALL TABLES IN SCHEMA {}", list(schemas, |name| quoted(name)))
        }
        GrantTargets::Schemas(schemas) => format!("SCHEMA {}", list(schemas, |name| quoted(name))),
        GrantTargets::Database => "DATABASE".to_owned(),
    }
}

fn role(role: &RoleSpec) -> String {
    match role {
        RoleSpec::Name(name) => quoted(name),
        RoleSpec::Public => "PUBLIC".to_owned(),
        RoleSpec::CurrentUser => "CURRENT_USER".to_owned(),
        RoleSpec::SessionUser => "SESSION_USER".to_owned(),
    }
}

fn list<T>(items: &[T], text: impl Fn(&T) -> String) -> String {
    items.iter().map(text).collect::<Vec<_>>().join(", ")
}

//! Who may do what, as the access lists say, and the roles that the session has: of both, what concerns the current role.

use super::yes;
use crate::catalog::model::{MembershipEntry, RelationEntry};
use crate::catalog::pg::Rows;
use crate::catalog::snapshot::Snapshot;

/// One privilege of one grantee.
#[derive(Debug, PartialEq, Eq)]
struct Grant {
    grantee: String,
    grantor: String,
    privilege: &'static str,
    grantable: bool,
}

impl Grant {
    fn says_less_than(&self, other: &Self) -> bool {
        let same = |of: &Self| (of.grantee.clone(), of.grantor.clone(), of.privilege);
        same(self) == same(other) && (other.grantable || !self.grantable)
    }
}

const PUBLIC: &str = "PUBLIC";
const OF_COLUMNS: [&str; 4] = ["INSERT", "SELECT", "UPDATE", "REFERENCES"];

const LETTERS: [(char, &str); 7] = [
    ('a', "INSERT"),
    ('r', "SELECT"),
    ('w', "UPDATE"),
    ('d', "DELETE"),
    ('D', "TRUNCATE"),
    ('x', "REFERENCES"),
    ('t', "TRIGGER"),
];

/// The privileges in an access list of items such as `analyst=r*w/admin`; an empty grantee is PUBLIC.
fn grants(acl: &[String]) -> Vec<Grant> {
    let mut grants = Vec::new();
    for item in acl {
        let Some((grantee, rest)) = item.rsplit_once('=') else { continue };
        let (letters, grantor) = rest.split_once('/').unwrap_or((rest, ""));
        let grantee = if grantee.is_empty() { PUBLIC } else { grantee.trim_matches('"') };
        let mut letters = letters.chars().peekable();
        while let Some(letter) = letters.next() {
            let grantable = letters.next_if_eq(&'*').is_some();
            if let Some((_, privilege)) = LETTERS.iter().find(|(known, _)| *known == letter) {
                grants.push(Grant {
                    grantee: grantee.to_owned(),
                    grantor: grantor.trim_matches('"').to_owned(),
                    privilege,
                    grantable,
                });
            }
        }
    }
    grants
}

/// The owner's own privileges stand for a table without an access list.
fn grants_of(entry: &RelationEntry) -> Vec<Grant> {
    if !entry.acl.is_empty() {
        return grants(&entry.acl);
    }
    let own = |(_, privilege): &(char, &'static str)| Grant {
        grantee: entry.owner.clone(),
        grantor: entry.owner.clone(),
        privilege,
        grantable: true,
    };
    LETTERS.iter().map(own).collect()
}

/// Those that concern the current role: it has the rights of the grantor or the grantee.
fn concerns(snapshot: &Snapshot, grant: &Grant) -> bool {
    is_enabled(snapshot, &grant.grantor) || is_enabled(snapshot, &grant.grantee)
}

pub fn table_privileges(snapshot: &Snapshot, rows: &mut Rows) {
    push_table_grants(snapshot, rows, |grant| grant.grantee == PUBLIC || concerns(snapshot, grant));
}

pub fn role_table_grants(snapshot: &Snapshot, rows: &mut Rows) {
    push_table_grants(snapshot, rows, |grant| concerns(snapshot, grant));
}

fn push_table_grants(snapshot: &Snapshot, rows: &mut Rows, shown: impl Fn(&Grant) -> bool) {
    for entry in &snapshot.visible.relations {
        for grant in grants_of(entry).into_iter().filter(&shown) {
            let grantable = grant.grantable || grant.grantee == entry.owner;
            rows.push([
                ("grantor", grant.grantor.into()),
                ("grantee", grant.grantee.into()),
                ("table_catalog", (&snapshot.visible.database).into()),
                ("table_schema", (&entry.schema).into()),
                ("table_name", (&entry.name).into()),
                ("privilege_type", grant.privilege.into()),
                ("is_grantable", yes(grantable)),
                ("with_hierarchy", yes(grant.privilege == "SELECT")),
            ]);
        }
    }
}

pub fn column_privileges(snapshot: &Snapshot, rows: &mut Rows) {
    push_column_grants(snapshot, rows, |grant| grant.grantee == PUBLIC || concerns(snapshot, grant));
}

pub fn role_column_grants(snapshot: &Snapshot, rows: &mut Rows) {
    push_column_grants(snapshot, rows, |grant| concerns(snapshot, grant));
}

/// What a table's access list says holds for each of its columns; a column's own list adds to it.
fn push_column_grants(snapshot: &Snapshot, rows: &mut Rows, shown: impl Fn(&Grant) -> bool) {
    for entry in &snapshot.visible.relations {
        let of_table: Vec<Grant> = grants_of(entry).into_iter().filter(|g| OF_COLUMNS.contains(&g.privilege)).collect();
        for column in &entry.columns {
            let own = entry.column_acls.get(&column.name).map(|acl| grants(acl)).unwrap_or_default();
            let own = own.iter().filter(|own| !of_table.iter().any(|grant| own.says_less_than(grant)));
            for grant in of_table.iter().chain(own).filter(|grant| shown(grant)) {
                rows.push([
                    ("grantor", (&grant.grantor).into()),
                    ("grantee", (&grant.grantee).into()),
                    ("table_catalog", (&snapshot.visible.database).into()),
                    ("table_schema", (&entry.schema).into()),
                    ("table_name", (&entry.name).into()),
                    ("column_name", (&column.name).into()),
                    ("privilege_type", grant.privilege.into()),
                    ("is_grantable", yes(grant.grantable || grant.grantee == entry.owner)),
                ]);
            }
        }
    }
}

pub fn enabled_roles(snapshot: &Snapshot, rows: &mut Rows) {
    for role in snapshot.visible.roles.iter().filter(|role| is_enabled(snapshot, &role.name)) {
        rows.push([("role_name", (&role.name).into())]);
    }
}

pub fn applicable_roles(snapshot: &Snapshot, rows: &mut Rows) {
    push_memberships(snapshot, rows, |_| true);
}

pub fn administrable_roles(snapshot: &Snapshot, rows: &mut Rows) {
    push_memberships(snapshot, rows, |membership| membership.admin_option);
}

fn push_memberships(snapshot: &Snapshot, rows: &mut Rows, shown: impl Fn(&MembershipEntry) -> bool) {
    let memberships = snapshot.visible.memberships.iter().filter(|membership| shown(membership));
    for membership in memberships.filter(|membership| is_enabled(snapshot, &membership.member)) {
        rows.push([
            ("grantee", (&membership.member).into()),
            ("role_name", (&membership.role).into()),
            ("is_grantable", yes(membership.admin_option)),
        ]);
    }
}

/// Whether the current role has the rights of another without SET ROLE.
fn is_enabled(snapshot: &Snapshot, name: &str) -> bool {
    let security = &snapshot.visible.security;
    let of = |name: &str| security.role_named(name).map(|role| role.id);
    let (own, other) = (of(&snapshot.visible.current_user), of(name));
    own.zip(other).is_some_and(|(own, other)| security.has_privileges_of(own, other))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_access_list_is_read_letter_by_letter() {
        let read = grants(&["analyst=r*w/admin".into(), "=r/admin".into()]);
        let read: Vec<String> = read
            .iter()
            .map(|grant| format!("{} {} {}", grant.grantee, grant.privilege, if grant.grantable { "+" } else { "-" }))
            .collect();
        assert_eq!(read, ["analyst SELECT +", "analyst UPDATE -", "PUBLIC SELECT -"]);
    }
}

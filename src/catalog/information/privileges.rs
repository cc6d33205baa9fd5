//! Who may do what, as the access lists say, and the roles that the session has.

use super::yes;
use crate::catalog::model::RelationEntry;
use crate::catalog::pg::Rows;
use crate::catalog::snapshot::Snapshot;

/// One privilege of one grantee.
#[derive(Debug, PartialEq, Eq)]
pub struct Grant {
    pub grantee: String,
    pub grantor: String,
    pub privilege: &'static str,
    pub grantable: bool,
}

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
        let grantee = if grantee.is_empty() { "PUBLIC" } else { grantee.trim_matches('"') };
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
pub fn grants_of(entry: &RelationEntry) -> Vec<Grant> {
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

pub fn table_privileges(snapshot: &Snapshot, rows: &mut Rows) {
    for entry in &snapshot.visible.relations {
        for grant in grants_of(entry) {
            rows.push([
                ("grantor", grant.grantor.into()),
                ("grantee", grant.grantee.into()),
                ("table_catalog", (&snapshot.visible.database).into()),
                ("table_schema", (&entry.schema).into()),
                ("table_name", (&entry.name).into()),
                ("privilege_type", grant.privilege.into()),
                ("is_grantable", yes(grant.grantable)),
                ("with_hierarchy", yes(grant.privilege == "SELECT")),
            ]);
        }
    }
}

pub fn column_privileges(snapshot: &Snapshot, rows: &mut Rows) {
    let of_columns = ["INSERT", "SELECT", "UPDATE", "REFERENCES"];
    for entry in &snapshot.visible.relations {
        for grant in grants_of(entry).iter().filter(|grant| of_columns.contains(&grant.privilege)) {
            for column in &entry.columns {
                rows.push([
                    ("grantor", (&grant.grantor).into()),
                    ("grantee", (&grant.grantee).into()),
                    ("table_catalog", (&snapshot.visible.database).into()),
                    ("table_schema", (&entry.schema).into()),
                    ("table_name", (&entry.name).into()),
                    ("column_name", (&column.name).into()),
                    ("privilege_type", grant.privilege.into()),
                    ("is_grantable", yes(grant.grantable)),
                ]);
            }
        }
    }
}

pub fn enabled_roles(snapshot: &Snapshot, rows: &mut Rows) {
    for role in held_roles(snapshot, &snapshot.visible.current_user) {
        rows.push([("role_name", role.into())]);
    }
}

/// The role itself and those that it is a member of, over any number of steps.
pub fn held_roles(snapshot: &Snapshot, name: &str) -> Vec<String> {
    let mut held = vec![name.to_owned()];
    let mut next = 0;
    while let Some(member) = held.get(next).cloned() {
        for membership in snapshot.visible.memberships.iter().filter(|membership| membership.member == member) {
            if !held.contains(&membership.role) {
                held.push(membership.role.clone());
            }
        }
        next += 1;
    }
    held
}

pub fn applicable_roles(snapshot: &Snapshot, rows: &mut Rows) {
    let held = held_roles(snapshot, &snapshot.visible.current_user);
    for membership in snapshot.visible.memberships.iter().filter(|membership| held.contains(&membership.member)) {
        rows.push([
            ("grantee", (&membership.member).into()),
            ("role_name", (&membership.role).into()),
            ("is_grantable", yes(membership.admin_option)),
        ]);
    }
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

//! Roles, who is a member of whom, and settings that a role brings. No password is ever shown.

use super::Rows;
use crate::catalog::model::{MembershipEntry, RoleEntry};
use crate::catalog::snapshot::{SYSTEM_OWNER_OID, Snapshot};
use crate::functions::value::Value;

const PASSWORD: &str = "********";

pub fn pg_roles(snapshot: &Snapshot, rows: &mut Rows) {
    for role in &snapshot.visible.roles {
        rows.push([
            ("rolname", (&role.name).into()),
            ("rolsuper", role.superuser.into()),
            ("rolinherit", role.inherit.into()),
            ("rolcreaterole", role.create_role.into()),
            ("rolcreatedb", role.create_db.into()),
            ("rolcanlogin", role.login.into()),
            ("rolreplication", role.replication.into()),
            ("rolconnlimit", role.connection_limit.into()),
            ("rolpassword", PASSWORD.into()),
            ("rolvaliduntil", role.valid_until_us.into()),
            ("rolbypassrls", role.bypass_rls.into()),
            ("rolconfig", settings(role)),
            ("oid", role.oid.into()),
        ]);
    }
}

pub fn pg_user(snapshot: &Snapshot, rows: &mut Rows) {
    for role in snapshot.visible.roles.iter().filter(|role| role.login) {
        rows.push([
            ("usename", (&role.name).into()),
            ("usesysid", role.oid.into()),
            ("usecreatedb", role.create_db.into()),
            ("usesuper", role.superuser.into()),
            ("userepl", role.replication.into()),
            ("usebypassrls", role.bypass_rls.into()),
            ("passwd", PASSWORD.into()),
            ("valuntil", role.valid_until_us.into()),
            ("useconfig", settings(role)),
        ]);
    }
}

pub fn pg_group(snapshot: &Snapshot, rows: &mut Rows) {
    for role in snapshot.visible.roles.iter().filter(|role| !role.login) {
        let members = snapshot.visible.memberships.iter().filter(|membership| membership.role == role.name);
        let members: Vec<u32> = members.filter_map(|membership| oid(snapshot, &membership.member)).collect();
        rows.push([("groname", (&role.name).into()), ("grosysid", role.oid.into()), ("grolist", members.into())]);
    }
}

pub fn pg_auth_members(snapshot: &Snapshot, rows: &mut Rows) {
    for (number, membership) in (1_u32..).zip(&snapshot.visible.memberships) {
        push_membership(snapshot, rows, number, membership);
    }
}

/// A membership of which one side is not visible is left out.
fn push_membership(snapshot: &Snapshot, rows: &mut Rows, number: u32, membership: &MembershipEntry) {
    let (Some(role), Some(member)) = (oid(snapshot, &membership.role), oid(snapshot, &membership.member)) else {
        return;
    };
    rows.push([
        ("oid", number.into()),
        ("roleid", role.into()),
        ("member", member.into()),
        ("grantor", oid(snapshot, &membership.grantor).unwrap_or(SYSTEM_OWNER_OID).into()),
        ("admin_option", membership.admin_option.into()),
        ("inherit_option", membership.inherit_option.into()),
        ("set_option", membership.set_option.into()),
    ]);
}

pub fn pg_db_role_setting(snapshot: &Snapshot, rows: &mut Rows) {
    for role in snapshot.visible.roles.iter().filter(|role| !role.settings.is_empty()) {
        rows.push([("setdatabase", 0.into()), ("setrole", role.oid.into()), ("setconfig", settings(role))]);
    }
}

fn oid(snapshot: &Snapshot, name: &str) -> Option<u32> {
    snapshot.visible.roles.iter().find(|role| role.name == name).map(|role| role.oid)
}

fn settings(role: &RoleEntry) -> Value {
    if role.settings.is_empty() { Value::Null } else { role.settings.clone().into() }
}

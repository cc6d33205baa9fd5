//! Who a session is: the user that proved itself, and the role that SET ROLE gave it.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use super::error::AccessError;
use super::model::role::{Role, RoleId};
use super::model::snapshot::SecuritySnapshot;
use crate::error::Result;

/// The setting `row_security`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum RowSecuritySetting {
    #[default]
    On,
    /// A query that policies would cut is an error; it never sees more.
    Off,
}

/// Made only by authentication or by the embedding program: see [`SecurityStore::login`] and [`SecurityStore::principal`].
///
/// Roles are held by id, so that a renamed role stays itself and one that is dropped and created again is another.
///
/// [`SecurityStore::login`]: super::SecurityStore::login
/// [`SecurityStore::principal`]: super::SecurityStore::principal
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Principal {
    authenticated_user: RoleId,
    session_user: RoleId,
    current_role: RoleId,
    /// The owner whose rights count, inside of a view with `security_invoker = false`.
    check_as: Option<RoleId>,
    row_security: RowSecuritySetting,
}

impl Principal {
    pub(in crate::access) fn of(user: RoleId) -> Self {
        Self {
            authenticated_user: user,
            session_user: user,
            current_role: user,
            check_as: None,
            row_security: RowSecuritySetting::On,
        }
    }

    pub fn authenticated_user(&self) -> RoleId {
        self.authenticated_user
    }

    pub fn session_user(&self) -> RoleId {
        self.session_user
    }

    /// What `current_user` names.
    pub fn current_role(&self) -> RoleId {
        self.current_role
    }

    /// The role whose privileges and policies count.
    pub fn checked_role(&self) -> RoleId {
        self.check_as.unwrap_or(self.current_role)
    }

    pub fn row_security(&self) -> RowSecuritySetting {
        self.row_security
    }

    pub fn set_row_security(&mut self, setting: RowSecuritySetting) {
        self.row_security = setting;
    }

    /// The same principal with the rights of `owner`: what a view with `security_invoker = false` reads as.
    pub fn checking_as(&self, owner: RoleId) -> Self {
        Self { check_as: Some(owner), ..self.clone() }
    }

    /// SET ROLE. `none` is RESET ROLE.
    pub fn set_role(&mut self, snapshot: &SecuritySnapshot, name: &str) -> Result<()> {
        if name == "none" {
            self.reset_role();
            return Ok(());
        }
        let target = role_of_setting(snapshot, name)?;
        if !snapshot.may_set_role(self.session_user, target) {
            return Err(AccessError::Forbidden { action: format!("set role \"{name}\"") }.into());
        }
        self.current_role = target;
        Ok(())
    }

    pub fn reset_role(&mut self) {
        self.current_role = self.session_user;
    }

    /// SET SESSION AUTHORIZATION: for those who logged in as superuser, and back to oneself.
    pub fn set_session_authorization(&mut self, snapshot: &SecuritySnapshot, name: &str) -> Result<()> {
        let target = role_of_setting(snapshot, name)?;
        if target != self.authenticated_user && !snapshot.is_superuser(self.authenticated_user) {
            return Err(AccessError::Forbidden { action: format!("set session authorization \"{name}\"") }.into());
        }
        self.session_user = target;
        self.current_role = target;
        Ok(())
    }

    /// This principal with the current role of another of the same session.
    pub fn in_role_of(self, other: &Self) -> Self {
        Self { current_role: other.current_role, ..self }
    }

    pub fn reset_session_authorization(&mut self) {
        self.session_user = self.authenticated_user;
        self.current_role = self.authenticated_user;
    }

    pub fn current_user_name(&self, snapshot: &SecuritySnapshot) -> String {
        snapshot.role_name(self.current_role)
    }

    pub fn session_user_name(&self, snapshot: &SecuritySnapshot) -> String {
        snapshot.role_name(self.session_user)
    }

    /// `role_attribute(name)`: what is pinned to the current role, else to the session's user. None where nothing is.
    pub fn attribute<'a>(&self, snapshot: &'a SecuritySnapshot, name: &str) -> Option<&'a str> {
        let of = |id: RoleId| snapshot.role(id).and_then(|role| role.attribute(name));
        of(self.current_role).or_else(|| of(self.session_user))
    }

    /// What an administrator pinned for this session, by full name; the session's own SET must not override it.
    pub fn pinned<'a>(&self, snapshot: &'a SecuritySnapshot, setting: &str) -> Option<&'a str> {
        let of = |id: RoleId| snapshot.role(id).and_then(|role: &Role| role.settings.get(setting));
        of(self.current_role).or_else(|| of(self.session_user)).map(String::as_str)
    }
}

/// To PostgreSQL the role is the value of a setting here, and an unknown one a wrong value.
fn role_of_setting(snapshot: &SecuritySnapshot, name: &str) -> Result<RoleId> {
    let found = snapshot.role_named(name).map(|role| role.id);
    Ok(found.ok_or_else(|| AccessError::RoleInvalid(name.to_string()))?)
}

/// One session's principal, shared with the tables that it can name. A change shows at the next scan.
#[derive(Clone)]
pub struct PrincipalHandle(Arc<Mutex<Principal>>);

impl PrincipalHandle {
    pub fn new(principal: Principal) -> Self {
        Self(Arc::new(Mutex::new(principal)))
    }

    pub fn get(&self) -> Principal {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Puts back a principal of the same session, as the end of a transaction or savepoint does.
    pub fn set(&self, principal: Principal) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = principal;
    }

    /// Changes the principal as a whole, or leaves it as it was.
    pub fn update<T>(&self, change: impl FnOnce(&mut Principal) -> Result<T>) -> Result<T> {
        let mut principal = self.get();
        let outcome = change(&mut principal)?;
        self.set(principal);
        Ok(outcome)
    }
}

impl fmt::Debug for PrincipalHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.get().fmt(f)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::super::model::change::Change;
    use super::super::model::role::Membership;
    use super::*;
    use crate::error::Reason;

    fn world() -> SecuritySnapshot {
        let mut world = SecuritySnapshot::default();
        for (id, name, superuser) in [(1, "admin", true), (2, "guide", false), (3, "g017", false), (4, "other", false)]
        {
            let mut role = Role::named(RoleId(id), name);
            role.superuser = superuser;
            if name == "g017" {
                role.settings.insert("henna.guide_id".into(), "G017".into());
            }
            world.apply(&Change::PutRole(role));
        }
        world.apply(&Change::PutMembership(Membership {
            role: RoleId(2),
            member: RoleId(3),
            grantor: RoleId(1),
            admin: false,
            inherit: true,
            set: true,
        }));
        world
    }

    #[test]
    fn set_role_reaches_own_groups_only() {
        let world = world();
        let mut principal = Principal::of(RoleId(3));
        principal.set_role(&world, "guide").unwrap();
        assert_eq!(principal.current_user_name(&world), "guide");
        assert_eq!(principal.set_role(&world, "other").unwrap_err().reason(), Reason::Privilege);
        assert_eq!(principal.set_role(&world, "nobody").unwrap_err().reason(), Reason::InvalidParameter);
        principal.set_role(&world, "none").unwrap();
        assert_eq!(principal.current_user_name(&world), "g017");
    }

    #[test]
    fn a_superuser_in_a_lesser_role_has_the_lesser_role_s_attributes() {
        let world = world();
        let mut admin = Principal::of(RoleId(1));
        admin.set_role(&world, "g017").unwrap();
        assert_eq!(admin.attribute(&world, "guide_id"), Some("G017"));
        assert!(!world.is_superuser(admin.checked_role()));
    }

    #[test]
    fn a_user_keeps_its_attributes_in_its_group_s_role() {
        let world = world();
        let mut guide = Principal::of(RoleId(3));
        guide.set_role(&world, "guide").unwrap();
        assert_eq!(guide.attribute(&world, "guide_id"), Some("G017"));
        assert_eq!(guide.attribute(&world, "store_id"), None);
    }

    #[test]
    fn session_authorization_is_for_superusers() {
        let world = world();
        let mut admin = Principal::of(RoleId(1));
        admin.set_session_authorization(&world, "g017").unwrap();
        assert_eq!(admin.set_role(&world, "other").unwrap_err().reason(), Reason::Privilege);
        admin.set_session_authorization(&world, "admin").unwrap();
        let mut guide = Principal::of(RoleId(3));
        assert_eq!(guide.set_session_authorization(&world, "other").unwrap_err().reason(), Reason::Privilege);
    }
}

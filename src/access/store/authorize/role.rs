//! CREATE, ALTER, DROP ROLE: PostgreSQL 16's rules for superusers, CREATEROLE and ADMIN OPTION.

use super::Planner;
use crate::access::error::AccessError;
use crate::access::model::change::Change;
use crate::access::model::object::{TableId, Target};
use crate::access::model::role::{Membership, Role, RoleId, parse_time};
use crate::access::model::visible::Visible;
use crate::access::statement::{MembershipOptions, PasswordChange, RoleAlteration, RoleOptions, RoleSpec};
use crate::access::store::scram::Verifier;
use crate::error::Result;

/// What a role may be altered by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reach {
    /// Superusers, and CREATEROLE with ADMIN OPTION on it.
    Administrators,
    /// The role itself too.
    Itself,
}

impl Planner<'_> {
    pub(super) fn create_role(
        &mut self,
        name: &str,
        if_not_exists: bool,
        options: &RoleOptions,
        user: bool,
    ) -> Result<()> {
        if !self.may_create_roles() {
            return Err(forbidden("create role"));
        }
        if self.state.role_named(name).is_some() {
            if if_not_exists {
                self.notice("NOTICE", format!("role \"{name}\" already exists, skipping"));
                return Ok(());
            }
            return Err(AccessError::RoleExists(name.to_string()).into());
        }
        require_free_name(name)?;
        let mut role = Role::named(RoleId(self.state.next_id()), name);
        role.login = user;
        self.set_options(&mut role, options)?;
        let id = role.id;
        self.push(Change::PutRole(role));
        self.administer_own(id);
        self.join(id, options)
    }

    /// Who creates a role without being superuser may administer it, and no more.
    fn administer_own(&mut self, role: RoleId) {
        if !self.actor_is_superuser() {
            let (member, grantor) = (self.actor(), RoleId::BOOTSTRAP);
            self.push(Change::PutMembership(Membership {
                role,
                member,
                grantor,
                admin: true,
                inherit: false,
                set: false,
            }));
        }
    }

    /// IN ROLE, ROLE and ADMIN.
    fn join(&mut self, id: RoleId, options: &RoleOptions) -> Result<()> {
        let name = self.state.role_name(id);
        let own = [RoleSpec::Name(name.clone())];
        self.grant_roles(&options.in_roles, &own, MembershipOptions::default())?;
        self.grant_roles(std::slice::from_ref(&name), &options.members, MembershipOptions::default())?;
        let admin = MembershipOptions { admin: Some(true), ..MembershipOptions::default() };
        self.grant_roles(&[name], &options.admins, admin)
    }

    pub(super) fn alter_role(&mut self, spec: &RoleSpec, alteration: &RoleAlteration) -> Result<()> {
        let mut role = self.role(spec)?;
        self.require_reach(&role, reach(alteration))?;
        match alteration {
            RoleAlteration::Options(options) => {
                self.set_options(&mut role, options)?;
                let id = role.id;
                self.push(Change::PutRole(role));
                return self.join(id, options);
            }
            RoleAlteration::Rename(name) => {
                require_free_name(name)?;
                if self.state.role_named(name).is_some() {
                    return Err(AccessError::RoleExists(name.clone()).into());
                }
                role.name.clone_from(name);
            }
            RoleAlteration::Setting { name, value: Some(value) } => {
                role.settings.insert(name.clone(), value.clone());
            }
            RoleAlteration::Setting { name, value: None } => {
                role.settings.remove(name);
            }
            RoleAlteration::ResetAll => role.settings.clear(),
        }
        self.push(Change::PutRole(role));
        Ok(())
    }

    pub(super) fn drop_roles(&mut self, specs: &[RoleSpec], if_exists: bool) -> Result<()> {
        for spec in specs {
            match self.role(spec) {
                Ok(role) => self.drop_role(&role)?,
                Err(AccessError::RoleMissing(name)) if if_exists => {
                    self.notice("NOTICE", format!("role \"{name}\" does not exist, skipping"));
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    fn drop_role(&mut self, role: &Role) -> Result<()> {
        self.require_reach(role, Reach::Administrators)?;
        if role.id == self.actor() {
            return Err(AccessError::RoleInSession("current user").into());
        }
        if role.id == self.principal.session_user() || role.id == self.principal.authenticated_user() {
            return Err(AccessError::RoleInSession("session user").into());
        }
        let uses = self.uses(role.id);
        if role.id == RoleId::BOOTSTRAP || !uses.is_empty() {
            return Err(AccessError::RoleInUse { role: role.name.clone(), uses }.into());
        }
        self.push(Change::DropRole(role.id));
        Ok(())
    }

    pub(super) fn comment_on_role(&mut self, spec: &RoleSpec, comment: Option<&str>) -> Result<()> {
        let mut role = self.role(spec)?;
        self.require_reach(&role, Reach::Administrators)?;
        role.comment = comment.map(str::to_string);
        self.push(Change::PutRole(role));
        Ok(())
    }

    fn may_create_roles(&self) -> bool {
        self.state.role(self.actor()).is_some_and(|role| role.superuser || role.create_role)
    }

    fn require_reach(&self, role: &Role, reach: Reach) -> Result<()> {
        let administers = self.may_create_roles() && self.state.is_admin(self.actor(), role.id) && !role.superuser;
        let itself = reach == Reach::Itself && role.id == self.actor();
        if self.actor_is_superuser() || administers || itself {
            return Ok(());
        }
        Err(forbidden(&format!("alter role \"{}\"", role.name)))
    }

    fn set_options(&mut self, role: &mut Role, options: &RoleOptions) -> Result<()> {
        self.set_powers(role, options)?;
        let plain = [
            (&mut role.create_db, options.create_db),
            (&mut role.create_role, options.create_role),
            (&mut role.inherit, options.inherit),
            (&mut role.login, options.login),
        ];
        for (slot, value) in plain {
            *slot = value.unwrap_or(*slot);
        }
        match options.connection_limit {
            Some(limit) if limit < -1 => return Err(AccessError::ConnectionLimit(limit).into()),
            limit => role.connection_limit = limit.unwrap_or(role.connection_limit),
        }
        if let Some(text) = &options.valid_until {
            role.valid_until = valid_until(text)?;
        }
        match &options.password {
            Some(PasswordChange::Set(password)) if password.is_empty() => {
                role.verifier = None;
                self.notice("NOTICE", "empty string is not a valid password, clearing password".to_string());
            }
            Some(PasswordChange::Set(password)) => role.verifier = Some(Verifier::from_password_or_verifier(password)),
            Some(PasswordChange::Remove) => role.verifier = None,
            None => {}
        }
        Ok(())
    }

    /// SUPERUSER, REPLICATION and BYPASSRLS can be given and taken by those only who have them.
    fn set_powers(&self, role: &mut Role, options: &RoleOptions) -> Result<()> {
        let actor = self.require_role_of_session()?;
        let powers = [
            ("SUPERUSER", &mut role.superuser, options.superuser, false),
            ("REPLICATION", &mut role.replication, options.replication, actor.replication),
            ("BYPASSRLS", &mut role.bypass_rls, options.bypass_rls, actor.bypass_rls),
        ];
        for (word, slot, value, own) in powers {
            let value = value.unwrap_or(*slot);
            if value != *slot && !actor.superuser && !own {
                return Err(forbidden(&format!("change the {word} attribute")));
            }
            *slot = value;
        }
        if role.id == RoleId::BOOTSTRAP && !role.superuser {
            return Err(forbidden("take SUPERUSER from the role that the lake was made with"));
        }
        Ok(())
    }

    /// What would be left hanging if the role were dropped; what is hidden from the actor without its name.
    fn uses(&self, role: RoleId) -> Vec<String> {
        let (seen, mut uses, mut hidden) = (Visible::new(&self.state, self.principal), Vec::new(), Vec::new());
        let mut items = self.state.acl(&Target::Database).into_iter().flat_map(|acl| &acl.0);
        let granted = items.any(|item| item.grantee == role || item.grantor == role);
        note(&mut uses, granted, || "privileges for the database".to_string());
        for (name, schema) in self.state.schemas() {
            let uses = if seen.may_use_schema(name) { &mut uses } else { &mut hidden };
            note(uses, schema.owner == Some(role), || format!("owner of schema {name}"));
            let granted = schema.acl.0.iter().any(|item| item.grantee == role || item.grantor == role);
            note(uses, granted, || format!("privileges for schema {name}"));
        }
        for (id, relation) in self.state.relations() {
            let TableId { table, .. } = id;
            let uses = if seen.may_see(id) { &mut uses } else { &mut hidden };
            note(uses, relation.owner == Some(role), || format!("owner of table {table}"));
            let mut items = relation.columns.values().chain([&relation.acl]).flat_map(|acl| &acl.0);
            let granted = items.any(|item| item.grantee == role || item.grantor == role);
            note(uses, granted, || format!("privileges for table {table}"));
            for policy in relation.policies.values() {
                let named = policy.roles.contains(&role);
                note(uses, named, || format!("target of policy {} on table {table}", policy.name));
            }
        }
        for edge in self.state.memberships() {
            let passed_on = edge.grantor == role && edge.role != role && edge.member != role;
            let group = || format!("privileges for membership of role {}", self.state.role_name(edge.role));
            note(&mut uses, passed_on, group);
        }
        note(&mut uses, !hidden.is_empty(), || "objects that are hidden from you".to_string());
        uses
    }
}

fn reach(alteration: &RoleAlteration) -> Reach {
    match alteration {
        RoleAlteration::Options(options) => {
            let password = RoleOptions { password: options.password.clone(), ..RoleOptions::default() };
            if *options == password { Reach::Itself } else { Reach::Administrators }
        }
        // What policies read must not be the user's to change.
        RoleAlteration::Setting { name, .. } if !name.starts_with("henna.") => Reach::Itself,
        _ => Reach::Administrators,
    }
}

fn note(uses: &mut Vec<String>, used: bool, text: impl FnOnce() -> String) {
    if used {
        uses.push(text());
    }
}

fn require_free_name(name: &str) -> Result<(), AccessError> {
    let reserved = name.starts_with("pg_") || ["public", "none", ""].contains(&name);
    if reserved { Err(AccessError::RoleReserved(name.to_string())) } else { Ok(()) }
}

fn valid_until(text: &str) -> Result<Option<String>, AccessError> {
    if text.eq_ignore_ascii_case("infinity") {
        return Ok(None);
    }
    let invalid = || AccessError::InvalidMoment(text.to_string());
    parse_time(text).map(|_| Some(text.to_string())).ok_or_else(invalid)
}

pub(super) fn forbidden(action: &str) -> crate::error::Error {
    AccessError::Forbidden { action: action.to_string() }.into()
}

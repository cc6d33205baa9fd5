//! GRANT and REVOKE of membership.

use super::Planner;
use super::role::forbidden;
use crate::access::error::AccessError;
use crate::access::model::change::Change;
use crate::access::model::role::{Membership, Role, RoleId};
use crate::access::statement::{MembershipOptions, RevokeMembership, RoleSpec};
use crate::error::Result;

impl Planner<'_> {
    pub(super) fn grant_roles(
        &mut self,
        roles: &[String],
        members: &[RoleSpec],
        options: MembershipOptions,
    ) -> Result<()> {
        for name in roles {
            let role = self.state.require_role(name)?.clone();
            for member in members {
                self.require_admin(&role)?;
                let member = self.role(member)?;
                self.grant_role(&role, &member, options)?;
            }
        }
        Ok(())
    }

    fn grant_role(&mut self, role: &Role, member: &Role, options: MembershipOptions) -> Result<()> {
        if self.state.leads_to(role.id, member.id) {
            let (role, member) = (role.name.clone(), member.name.clone());
            return Err(AccessError::MembershipCycle { role, member }.into());
        }
        let before = self.membership(role.id, member.id);
        if before.is_some() && options == MembershipOptions::default() {
            let (role, member) = (&role.name, &member.name);
            self.notice("NOTICE", format!("role \"{member}\" has already been granted membership in role \"{role}\""));
            return Ok(());
        }
        let before = before.unwrap_or(Membership {
            role: role.id,
            member: member.id,
            grantor: self.actor(),
            admin: false,
            inherit: member.inherit,
            set: true,
        });
        self.push(Change::PutMembership(Membership {
            admin: options.admin.unwrap_or(before.admin),
            inherit: options.inherit.unwrap_or(before.inherit),
            set: options.set.unwrap_or(before.set),
            ..before
        }));
        Ok(())
    }

    pub(super) fn revoke_roles(
        &mut self,
        roles: &[String],
        members: &[RoleSpec],
        what: RevokeMembership,
    ) -> Result<()> {
        for name in roles {
            let role = self.state.require_role(name)?.clone();
            self.require_admin(&role)?;
            for member in members {
                let member = self.role(member)?;
                self.revoke_role(&role, &member, what);
            }
        }
        Ok(())
    }

    fn revoke_role(&mut self, role: &Role, member: &Role, what: RevokeMembership) {
        let Some(mut edge) = self.membership(role.id, member.id) else {
            let (role, member) = (&role.name, &member.name);
            self.notice("WARNING", format!("role \"{member}\" has not been granted membership in role \"{role}\""));
            return;
        };
        match what {
            RevokeMembership::Membership => {
                self.push(Change::DropMembership { role: role.id, member: member.id });
                return;
            }
            RevokeMembership::AdminOption => edge.admin = false,
            RevokeMembership::InheritOption => edge.inherit = false,
            RevokeMembership::SetOption => edge.set = false,
        }
        self.push(Change::PutMembership(edge));
    }

    fn membership(&self, role: RoleId, member: RoleId) -> Option<Membership> {
        self.state.memberships().iter().find(|edge| edge.role == role && edge.member == member).cloned()
    }

    /// ADMIN OPTION on the role; a superuser's role can be given by superusers only.
    fn require_admin(&self, role: &Role) -> Result<()> {
        let admin = self.state.is_admin(self.actor(), role.id) && !role.superuser;
        if admin || self.actor_is_superuser() {
            Ok(())
        } else {
            Err(forbidden(&format!("grant role \"{}\"", role.name)))
        }
    }
}

//! One step from a snapshot to the next: the new state of one thing, so that replaying a log needs no rules.

use serde::{Deserialize, Serialize};

use super::grant::Acl;
use super::mask::Mask;
use super::object::{ObjectId, TableId, Target};
use super::policy::Policy;
use super::role::{Membership, Role, RoleId};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "change", content = "to", rename_all = "snake_case", deny_unknown_fields)]
pub enum Change {
    /// The key of the fake verifiers that unknown users are answered with, in base64.
    Secret(String),
    PutRole(Role),
    /// Also ends its memberships; nothing else may hang on it.
    DropRole(RoleId),
    /// Replaces the membership of the same pair.
    PutMembership(Membership),
    DropMembership {
        role: RoleId,
        member: RoleId,
    },
    /// The complete access list of a target.
    PutAcl {
        target: Target,
        acl: Acl,
    },
    SetOwner {
        object: ObjectId,
        owner: RoleId,
    },
    SetRowSecurity {
        table: TableId,
        enabled: bool,
        forced: bool,
    },
    /// Replaces the policy of the same id.
    PutPolicy {
        table: TableId,
        policy: Policy,
    },
    DropPolicy {
        table: TableId,
        id: u32,
    },
    SetMask {
        table: TableId,
        column: String,
        mask: Option<Mask>,
    },
    /// What the catalog keeps of an object that a user made. This room carries it along and does not look into it.
    Define {
        object: ObjectId,
        definition: String,
    },
    /// Grants, policies, masks, owner and definition go with the object: one of the same name starts without them.
    DropObject(ObjectId),
    RenameRelation {
        from: TableId,
        to: TableId,
    },
    RenameSchema {
        from: String,
        to: String,
    },
    DropColumn {
        table: TableId,
        column: String,
    },
    RenameColumn {
        table: TableId,
        from: String,
        to: String,
    },
}

impl Change {
    /// Whether both come to the same. A password is salted anew each time, so two verifiers count as one.
    pub fn equals(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::PutRole(one), Self::PutRole(other)) => {
                let bare = |role: &Role| Role { verifier: None, ..role.clone() };
                one.verifier.is_some() == other.verifier.is_some() && bare(one) == bare(other)
            }
            (one, other) => one == other,
        }
    }
}

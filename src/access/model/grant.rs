//! Privileges, sets of them, and access lists as PostgreSQL writes them.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::role::RoleId;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Privilege {
    Select,
    Insert,
    Update,
    Delete,
    Truncate,
    References,
    Trigger,
    Usage,
    Create,
}

impl Privilege {
    /// In the order in which PostgreSQL lists them.
    pub const ALL: [Self; 9] = [
        Self::Insert,
        Self::Select,
        Self::Update,
        Self::Delete,
        Self::Truncate,
        Self::References,
        Self::Trigger,
        Self::Usage,
        Self::Create,
    ];

    /// By its SQL word, in any case.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|privilege| privilege.word().eq_ignore_ascii_case(word))
    }

    pub fn word(self) -> &'static str {
        match self {
            Self::Select => "SELECT",
            Self::Insert => "INSERT",
            Self::Update => "UPDATE",
            Self::Delete => "DELETE",
            Self::Truncate => "TRUNCATE",
            Self::References => "REFERENCES",
            Self::Trigger => "TRIGGER",
            Self::Usage => "USAGE",
            Self::Create => "CREATE",
        }
    }

    /// Its letter in an aclitem.
    pub fn letter(self) -> char {
        match self {
            Self::Select => 'r',
            Self::Insert => 'a',
            Self::Update => 'w',
            Self::Delete => 'd',
            Self::Truncate => 'D',
            Self::References => 'x',
            Self::Trigger => 't',
            Self::Usage => 'U',
            Self::Create => 'C',
        }
    }

    fn bit(self) -> u16 {
        1 << self as u16
    }
}

impl fmt::Display for Privilege {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// A set of privileges; in the log it is their aclitem letters.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PrivilegeSet(u16);

impl PrivilegeSet {
    pub const EMPTY: Self = Self(0);

    pub fn of(privileges: &[Privilege]) -> Self {
        Self(privileges.iter().fold(0, |bits, privilege| bits | privilege.bit()))
    }

    /// What ALL PRIVILEGES means on a table or view.
    pub fn all_of_relation() -> Self {
        use Privilege::*;
        Self::of(&[Select, Insert, Update, Delete, Truncate, References, Trigger])
    }

    /// What ALL PRIVILEGES means on a column.
    pub fn all_of_column() -> Self {
        use Privilege::*;
        Self::of(&[Select, Insert, Update, References])
    }

    /// What ALL PRIVILEGES means on a schema.
    pub fn all_of_schema() -> Self {
        Self::of(&[Privilege::Usage, Privilege::Create])
    }

    pub fn contains(self, privilege: Privilege) -> bool {
        self.0 & privilege.bit() != 0
    }

    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    pub fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    pub fn iter(self) -> impl Iterator<Item = Privilege> {
        Privilege::ALL.into_iter().filter(move |privilege| self.contains(*privilege))
    }
}

impl From<PrivilegeSet> for String {
    fn from(set: PrivilegeSet) -> Self {
        set.iter().map(Privilege::letter).collect()
    }
}

impl TryFrom<String> for PrivilegeSet {
    type Error = String;

    fn try_from(letters: String) -> Result<Self, String> {
        letters.chars().try_fold(Self::EMPTY, |set, letter| {
            let found = Privilege::ALL.into_iter().find(|privilege| privilege.letter() == letter);
            found.map(|privilege| set.union(Self::of(&[privilege]))).ok_or(format!("unknown privilege {letter:?}"))
        })
    }
}

/// What one role granted to another on one object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AclItem {
    pub grantee: RoleId,
    pub grantor: RoleId,
    pub privileges: PrivilegeSet,
    /// The part of `privileges` that the grantee may grant on.
    pub grantable: PrivilegeSet,
}

/// The grants on one object, at most one item for a pair of grantee and grantor. The owner's rights are not in it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Acl(pub Vec<AclItem>);

impl Acl {
    /// What any of the grantees that `applies` accepts has.
    pub fn privileges(&self, applies: impl Fn(RoleId) -> bool) -> PrivilegeSet {
        self.0
            .iter()
            .filter(|item| applies(item.grantee))
            .fold(PrivilegeSet::EMPTY, |all, item| all.union(item.privileges))
    }

    /// What any of the grantees that `applies` accepts may grant on.
    pub fn grantable(&self, applies: impl Fn(RoleId) -> bool) -> PrivilegeSet {
        self.0
            .iter()
            .filter(|item| applies(item.grantee))
            .fold(PrivilegeSet::EMPTY, |all, item| all.union(item.grantable))
    }

    pub fn grant(&mut self, grant: AclItem) {
        let same = |item: &&mut AclItem| item.grantee == grant.grantee && item.grantor == grant.grantor;
        match self.0.iter_mut().find(same) {
            Some(item) => {
                item.privileges = item.privileges.union(grant.privileges);
                item.grantable = item.grantable.union(grant.grantable);
            }
            None => self.0.push(grant),
        }
    }

    /// Takes `privileges` (or only the right to grant them on) from `grantee`, as granted by `grantor` or by anyone.
    /// Gives false, and leaves the rest to the caller, where others hold them only through the grantee.
    #[must_use]
    pub fn revoke(&mut self, revoke: Revoke) -> bool {
        for item in self.0.iter_mut().filter(|item| revoke.hits(item)) {
            item.grantable = item.grantable.without(revoke.privileges);
            if revoke.what == RevokeWhat::Privilege {
                item.privileges = item.privileges.without(revoke.privileges);
            }
        }
        self.0.retain(|item| !item.privileges.is_empty());
        let lost = revoke.privileges.without(self.grantable(|role| role == revoke.grantee));
        let dependents: Vec<RoleId> = self
            .0
            .iter()
            .filter(|item| item.grantor == revoke.grantee && !item.privileges.intersection(lost).is_empty())
            .map(|item| item.grantee)
            .collect();
        if dependents.is_empty() {
            return true;
        }
        if revoke.behaviour == RevokeBehaviour::Restrict {
            return false;
        }
        dependents.into_iter().all(|grantee| {
            self.revoke(Revoke {
                grantee,
                grantor: Some(revoke.grantee),
                privileges: lost,
                what: RevokeWhat::Privilege,
                behaviour: RevokeBehaviour::Cascade,
            })
        })
    }
}

/// One revocation on one object.
#[derive(Debug, Clone, Copy)]
pub struct Revoke {
    pub grantee: RoleId,
    /// None takes it away whoever granted it.
    pub grantor: Option<RoleId>,
    pub privileges: PrivilegeSet,
    pub what: RevokeWhat,
    pub behaviour: RevokeBehaviour,
}

impl Revoke {
    fn hits(&self, item: &AclItem) -> bool {
        item.grantee == self.grantee && self.grantor.is_none_or(|grantor| grantor == item.grantor)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RevokeWhat {
    Privilege,
    GrantOption,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RevokeBehaviour {
    Restrict,
    Cascade,
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    const SELECT: &[Privilege] = &[Privilege::Select];

    fn item(grantee: u32, grantor: u32, grantable: &[Privilege]) -> AclItem {
        AclItem {
            grantee: RoleId(grantee),
            grantor: RoleId(grantor),
            privileges: PrivilegeSet::of(SELECT),
            grantable: PrivilegeSet::of(grantable),
        }
    }

    fn revoke(grantee: u32, behaviour: RevokeBehaviour) -> Revoke {
        let privileges = PrivilegeSet::of(SELECT);
        Revoke { grantee: RoleId(grantee), grantor: None, privileges, what: RevokeWhat::Privilege, behaviour }
    }

    #[test]
    fn letters_are_those_of_postgresql() {
        let letters: String = PrivilegeSet::all_of_relation().into();
        assert_eq!(letters, "arwdDxt");
        assert_eq!(PrivilegeSet::try_from("arwdDxt".to_string()).unwrap(), PrivilegeSet::all_of_relation());
        assert!(PrivilegeSet::try_from("z".to_string()).is_err());
    }

    #[test]
    fn a_revoke_takes_the_privilege_whoever_granted_it() {
        let mut acl = Acl(vec![item(1, 9, &[]), item(1, 8, &[])]);
        assert!(acl.revoke(revoke(1, RevokeBehaviour::Restrict)));
        assert_eq!(acl, Acl::default());
    }

    #[test]
    fn a_revoke_is_refused_while_others_hold_it_through_the_grantee() {
        let mut acl = Acl(vec![item(1, 9, SELECT), item(2, 1, &[])]);
        assert!(!acl.clone().revoke(revoke(1, RevokeBehaviour::Restrict)));
        assert!(acl.revoke(revoke(1, RevokeBehaviour::Cascade)));
        assert_eq!(acl, Acl::default());
    }
}

//! The durable state of the room: the log, the snapshot that it stands for, and the rules by which it may change.

mod authorize;
pub mod handle;
pub mod log;
pub mod memory;
pub mod naming;
pub mod objects;
pub mod qualify;
pub mod scram;
pub mod seal;

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures::future::{BoxFuture, ready};
use tokio::sync::watch;

pub use self::authorize::Planned;
use self::log::{LogStore, PutOutcome, Record, Replayed};
use self::objects::{ObjectChange, Objects};
use self::scram::Verifier;
use super::audit::now_us;
use super::error::AccessError;
use super::model::change::Change;
use super::model::role::{Role, RoleId};
use super::model::snapshot::SecuritySnapshot;
use super::principal::Principal;
use super::statement::AccessStatement;
use crate::error::Result;

/// How often a change is planned again because another writer was faster.
const ATTEMPTS_MAX: usize = 16;

/// What a statement did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    /// The command tag.
    pub tag: &'static str,
    pub notices: Vec<AccessNotice>,
}

/// A message beside the answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessNotice {
    /// `NOTICE` or `WARNING`.
    pub severity: &'static str,
    pub message: String,
}

/// Roles, grants and policies of one lake. Readers take a snapshot and are never held up.
#[derive(Debug)]
pub struct SecurityStore {
    log: Arc<dyn LogStore>,
    state: watch::Sender<Replayed>,
}

impl SecurityStore {
    /// Replays the log. A log that is damaged opens too, with every table locked.
    pub async fn open(log: Arc<dyn LogStore>) -> Result<Self> {
        let replayed = log::replay(log.as_ref(), Replayed::default()).await?;
        Ok(Self { log, state: watch::Sender::new(replayed) })
    }

    /// The same of a lake that was founded: it has a first record, so a log without one has lost it.
    pub async fn reopen(log: Arc<dyn LogStore>) -> Result<Self> {
        let store = Self::open(log).await?;
        if store.is_new() {
            store.state.send_modify(|state| *state = std::mem::take(state).locked(1));
        }
        Ok(store)
    }

    /// The first record of a new lake: its superuser, and schema `public` for everyone.
    /// An error where the log has records already.
    pub async fn bootstrap(&self, admin: &str, password: &str) -> Result<()> {
        let mut role = Role::named(RoleId::BOOTSTRAP, admin);
        (role.superuser, role.create_role, role.create_db) = (true, true, true);
        (role.login, role.bypass_rls) = (true, true);
        role.verifier = Some(Verifier::from_password_or_verifier(password));
        let secret = Change::Secret(STANDARD.encode(rand::random::<[u8; 32]>()));
        let mut changes = vec![secret, Change::PutRole(role)];
        changes.extend(authorize::public_schema(RoleId::BOOTSTRAP));
        let state = self.state.borrow().clone();
        if state.snapshot.epoch() > 0 || !state.snapshot.is_sound() {
            return Err(AccessError::RoleExists(admin.to_string()).into());
        }
        match self.append(state, admin, "bootstrap", changes).await? {
            PutOutcome::Written => Ok(()),
            PutOutcome::Exists => Err(AccessError::RoleExists(admin.to_string()).into()),
        }
    }

    pub fn snapshot(&self) -> Arc<SecuritySnapshot> {
        self.state.borrow().snapshot.clone()
    }

    /// Whether the lake has no superuser yet.
    pub fn is_new(&self) -> bool {
        self.snapshot().epoch() == 0 && self.snapshot().is_sound()
    }

    /// Takes up what other processes wrote since.
    pub async fn refresh(&self) -> Result<()> {
        let state = self.state.borrow().clone();
        let replayed = log::replay(self.log.as_ref(), state).await?;
        self.publish(replayed);
        Ok(())
    }

    /// Reads the whole log anew and tells the record that is damaged or missing; None is sound.
    pub async fn check(&self) -> Result<Option<u64>> {
        let replayed = log::replay(self.log.as_ref(), Replayed::default()).await?;
        Ok(match replayed.snapshot.ensure_sound() {
            Err(AccessError::Damaged(record)) => Some(record),
            _ => (replayed.snapshot.epoch() == 0).then_some(1),
        })
    }

    /// What to check a password of `user` against. A user that does not exist, has none or
    /// has passed its VALID UNTIL gets one that nothing fits.
    pub fn verifier(&self, user: &str) -> Verifier {
        let snapshot = self.snapshot();
        let valid = snapshot.role_named(user).filter(|role| !role.expired(chrono::Utc::now()));
        let known = valid.and_then(|role| role.verifier.clone());
        known.unwrap_or_else(|| Verifier::fake(snapshot.secret().as_bytes(), user))
    }

    /// The principal of a user that has proved its password.
    pub fn login(&self, user: &str) -> Result<Principal> {
        let snapshot = self.snapshot();
        let role = snapshot.role_named(user).filter(|role| role.login && !role.expired(chrono::Utc::now()));
        Ok(role.map(|role| Principal::of(role.id)).ok_or(AccessError::LoginDenied(user.to_string()))?)
    }

    /// The principal of a role, without proof: for the program that embeds the lake and for its own upkeep.
    pub fn principal(&self, role: &str) -> Result<Principal> {
        let snapshot = self.snapshot();
        let found = snapshot.require_role(role).map(|role| Principal::of(role.id));
        // A damaged log may have lost the role.
        Ok(found.or_else(|error| snapshot.ensure_sound().and(Err(error)))?)
    }

    /// The superuser of the lake itself, for upkeep; it exists once the lake is bootstrapped.
    pub fn bootstrap_principal(&self) -> Principal {
        Principal::of(RoleId::BOOTSTRAP)
    }

    /// Checks that the principal may, writes one record, and publishes the outcome. All of the statement happens, or nothing.
    pub async fn apply(
        &self,
        principal: &Principal,
        statement: AccessStatement,
        objects: &dyn Objects,
    ) -> Result<Applied> {
        let tag = statement.tag();
        let by = principal.current_user_name(&self.snapshot());
        let notices = self.try_apply(principal, &by, &statement, objects).await?;
        Ok(Applied { tag, notices })
    }

    /// Lets grants, policies and masks follow what the catalog did on behalf of the principal, whose right it has checked.
    pub async fn track(&self, principal: &Principal, changes: &[ObjectChange]) -> Result<()> {
        let by = principal.current_user_name(&self.snapshot());
        let changes = authorize::tracked(principal.current_role(), changes);
        self.write(&by, "track", |_| Box::pin(ready(Ok((changes.clone(), ()))))).await
    }

    /// Lets the catalog change its objects on behalf of a principal. `plan` says of the newest snapshot what changes, or
    /// why it may not; it is asked anew where another writer was faster. One record: all of it happens, or nothing.
    pub async fn author<T: Send + 'static>(
        &self,
        principal: &Principal,
        tag: &'static str,
        plan: impl Fn(&SecuritySnapshot) -> Result<(Vec<ObjectChange>, T)> + Send + Sync,
    ) -> Result<T> {
        let by = principal.current_user_name(&self.snapshot());
        let over = |snapshot: &SecuritySnapshot| -> Result<(Vec<Change>, T)> {
            let (changes, outcome) = plan(snapshot)?;
            Ok((authored(snapshot, principal, &changes)?, outcome))
        };
        self.write(&by, tag, |snapshot| Box::pin(ready(over(&snapshot)))).await
    }

    async fn try_apply(
        &self,
        principal: &Principal,
        by: &str,
        statement: &AccessStatement,
        objects: &dyn Objects,
    ) -> Result<Vec<AccessNotice>> {
        let plan = |snapshot: Arc<SecuritySnapshot>| -> BoxFuture<'_, Result<_>> {
            Box::pin(async move {
                let Planned { changes, notices } = authorize::plan(&snapshot, principal, statement, objects).await?;
                Ok((changes, notices))
            })
        };
        self.write(by, statement.tag(), plan).await
    }

    /// Writes what `plan` says of the newest snapshot as one record; it is asked anew where another writer was faster. No
    /// changes are no record.
    pub async fn write<'a, T>(
        &self,
        by: &str,
        tag: &str,
        plan: impl Fn(Arc<SecuritySnapshot>) -> BoxFuture<'a, Result<(Vec<Change>, T)>> + Send + Sync,
    ) -> Result<T> {
        for _ in 0..ATTEMPTS_MAX {
            let state = self.state.borrow().clone();
            state.snapshot.ensure_sound()?;
            let (changes, outcome) = plan(Arc::clone(&state.snapshot)).await?;
            if changes.is_empty() || self.append(state, by, tag, changes).await? == PutOutcome::Written {
                return Ok(outcome);
            }
        }
        Err(AccessError::Contended.into())
    }

    /// Writes the record after `state`. Where another writer took its place, their records are read instead.
    async fn append(&self, state: Replayed, by: &str, tag: &str, changes: Vec<Change>) -> Result<PutOutcome> {
        let number = state.snapshot.epoch() + 1;
        let previous = state.head.clone();
        let record = Record { number, previous, at_us: now_us(), by: by.to_string(), tag: tag.to_string(), changes };
        let content = record.seal()?;
        match self.log.put_if_absent(&log::path(number), content.clone()).await {
            Ok(PutOutcome::Written) => {
                let newest = state.extended(&record, &content);
                self.publish(newest.clone());
                // The change is made. Without its mark the log is as good as before, and only less guarded at its end.
                if let Err(error) = log::mark(self.log.as_ref(), &newest).await {
                    tracing::warn!(%error, number, "the newest record of the security log was not marked");
                }
            }
            Ok(PutOutcome::Exists) => {
                self.refresh().await?;
                return Ok(PutOutcome::Exists);
            }
            Err(error) => {
                // The record may have been written although the answer was lost: what is durable must count.
                let _ = self.refresh().await;
                return Err(log::storage("written", error).into());
            }
        }
        Ok(PutOutcome::Written)
    }

    /// Never goes back to an older snapshot, whichever writer is late.
    fn publish(&self, replayed: Replayed) {
        self.state.send_if_modified(|current| {
            let newer = replayed.snapshot.epoch() > current.snapshot.epoch() || !replayed.snapshot.is_sound();
            if newer {
                *current = replayed;
            }
            newer
        });
    }
}

/// What a statement of the principal comes down to over a snapshot. It is not written.
pub async fn planned(
    over: &SecuritySnapshot,
    principal: &Principal,
    statement: &AccessStatement,
    objects: &dyn Objects,
) -> Result<Planned> {
    over.ensure_sound()?;
    authorize::plan(over, principal, statement, objects).await
}

/// What changes of the catalog come down to over a snapshot, on behalf of a principal whose right it has checked.
pub fn authored(over: &SecuritySnapshot, principal: &Principal, changes: &[ObjectChange]) -> Result<Vec<Change>> {
    over.ensure_sound()?;
    let role = principal.current_role();
    if over.role(role).is_none() {
        return Err(AccessError::RoleMissing(over.role_name(role)).into());
    }
    Ok(authorize::tracked(role, changes))
}

#[cfg(test)]
mod tests;

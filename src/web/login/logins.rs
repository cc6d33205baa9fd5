//! The logins of browsers: random tokens in memory, bounded in number, that expire.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::Utc;
use sha2::{Digest, Sha256};

use crate::access::{Principal, SecuritySnapshot, Verifier};

/// A working day; the cookie lives as long.
pub const AGE_MAX: Duration = Duration::from_secs(12 * 3600);
const IDLE_MAX: Duration = Duration::from_secs(2 * 3600);
const LOGINS_MAX: usize = 4096;
/// So that one user cannot push the others out.
const LOGINS_OF_USER_MAX: usize = 32;

/// A user who has proved its password.
#[derive(Debug, Clone)]
pub struct Login {
    pub user: String,
    pub principal: Principal,
    /// What the password was proved against: another one ends the login.
    pub verifier: Verifier,
}

impl Login {
    /// Whether the user could log in again with the same password.
    pub fn holds(&self, security: &SecuritySnapshot) -> bool {
        let role = security.role(self.principal.authenticated_user());
        role.is_some_and(|role| {
            role.login && !role.expired(Utc::now()) && role.verifier.as_ref() == Some(&self.verifier)
        })
    }
}

#[derive(Debug)]
struct Entry {
    login: Login,
    opened: Instant,
    used: Instant,
}

impl Entry {
    fn is_alive(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.opened) < AGE_MAX && now.saturating_duration_since(self.used) < IDLE_MAX
    }
}

/// By the hash of their token: a look-up's time tells nothing of a token.
#[derive(Debug, Default)]
pub struct Logins {
    entries: Mutex<HashMap<[u8; 32], Entry>>,
}

impl Logins {
    /// Opens a login and gives its token. The least used one gives way where there are too many.
    pub fn open(&self, login: Login, now: Instant) -> String {
        let token = URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>());
        let mut entries = self.lock();
        entries.retain(|_, entry| entry.is_alive(now));
        if entries.values().filter(|entry| entry.login.user == login.user).count() >= LOGINS_OF_USER_MAX {
            remove_least_used(&mut entries, |entry| entry.login.user == login.user);
        }
        if entries.len() >= LOGINS_MAX {
            remove_least_used(&mut entries, |_| true);
        }
        entries.insert(hash(&token), Entry { login, opened: now, used: now });
        token
    }

    pub fn find(&self, token: &str, now: Instant) -> Option<Login> {
        let mut entries = self.lock();
        let entry = entries.get_mut(&hash(token)).filter(|entry| entry.is_alive(now))?;
        entry.used = now;
        Some(entry.login.clone())
    }

    pub fn close(&self, token: &str) {
        self.lock().remove(&hash(token));
    }

    pub fn count(&self, now: Instant) -> usize {
        self.lock().values().filter(|entry| entry.is_alive(now)).count()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<[u8; 32], Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn remove_least_used(entries: &mut HashMap<[u8; 32], Entry>, among: impl Fn(&Entry) -> bool) {
    let least = entries.iter().filter(|(_, entry)| among(entry)).min_by_key(|(_, entry)| entry.used);
    if let Some(key) = least.map(|(key, _)| *key) {
        entries.remove(&key);
    }
}

fn hash(token: &str) -> [u8; 32] {
    Sha256::digest(token).into()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::access::{MemoryLog, SecurityStore};

    async fn login(user: &str) -> Login {
        let store = SecurityStore::open(Arc::new(MemoryLog::default())).await.unwrap();
        store.bootstrap("admin", "secret").await.unwrap();
        Login { user: user.into(), principal: store.bootstrap_principal(), verifier: store.verifier("admin") }
    }

    #[tokio::test]
    async fn a_token_opens_its_login_until_it_is_closed() {
        let (logins, now) = (Logins::default(), Instant::now());
        let token = logins.open(login("hq").await, now);
        assert_eq!(token.len(), 43, "256 bits in base64");
        assert_eq!(logins.find(&token, now).unwrap().user, "hq");
        assert!(logins.find("AAAA", now).is_none());
        logins.close(&token);
        assert!(logins.find(&token, now).is_none());
    }

    #[tokio::test]
    async fn a_login_ends_by_age_and_by_idleness() {
        let (logins, now) = (Logins::default(), Instant::now());
        let token = logins.open(login("hq").await, now);
        let steps = (1..12).map(|hour| now + Duration::from_secs(3600 * hour));
        assert!(steps.into_iter().all(|later| logins.find(&token, later).is_some()));
        assert!(logins.find(&token, now + AGE_MAX).is_none());
        let idle = logins.open(login("hq").await, now);
        assert!(logins.find(&idle, now + IDLE_MAX).is_none());
        assert_eq!(logins.count(now + AGE_MAX), 0);
    }

    #[tokio::test]
    async fn one_user_keeps_a_bounded_number_and_pushes_nobody_out() {
        let (logins, now) = (Logins::default(), Instant::now());
        let other = logins.open(login("tmall").await, now);
        let hq = login("hq").await;
        let tokens: Vec<String> =
            (0..=LOGINS_OF_USER_MAX).map(|at| logins.open(hq.clone(), now + Duration::from_secs(at as u64))).collect();
        assert!(logins.find(&tokens[0], now).is_none());
        assert!(logins.find(&tokens[1], now).is_some());
        assert!(logins.find(&other, now).is_some());
        assert_eq!(logins.count(now), LOGINS_OF_USER_MAX + 1);
    }

    #[tokio::test]
    async fn a_new_password_ends_the_login() {
        let store = SecurityStore::open(Arc::new(MemoryLog::default())).await.unwrap();
        store.bootstrap("admin", "secret").await.unwrap();
        let known =
            Login { user: "admin".into(), principal: store.bootstrap_principal(), verifier: store.verifier("admin") };
        assert!(known.holds(&store.snapshot()));
        let other = Login { verifier: Verifier::from_password("secret"), ..known };
        assert!(!other.holds(&store.snapshot()));
    }
}

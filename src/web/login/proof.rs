//! Proving a password: throttled by address and user, the same for a wrong password and for nobody's name.

use std::time::{Duration, Instant};

use thiserror::Error;
use tokio::sync::Semaphore;

use super::logins::Login;
use crate::access::Throttle;
use crate::error::{Error as HennaError, Reason};
use crate::query::Lake;
use crate::web::guard::connection::Peer;

/// Proofs that are worked out at once: each costs some milliseconds of one core.
const PROOFS_MAX: usize = 4;
/// Longer than any name that a role can have.
const USER_BYTES_MAX: usize = 256;

/// Why a password was not enough.
#[derive(Debug, Error)]
pub enum Refusal {
    #[error("user or password is wrong")]
    Wrong,
    #[error("too many failed logins: try again in {} s", .0.as_secs().max(1))]
    Wait(Duration),
    #[error(transparent)]
    Fault(HennaError),
}

#[derive(Debug)]
pub struct Gate {
    throttle: Throttle,
    proofs: Semaphore,
}

impl Default for Gate {
    fn default() -> Self {
        Self { throttle: Throttle::default(), proofs: Semaphore::new(PROOFS_MAX) }
    }
}

impl Gate {
    /// The login of the user, if this is its password.
    pub async fn prove(&self, lake: &Lake, peer: Peer, user: &str, password: String) -> Result<Login, Refusal> {
        let _place =
            self.proofs.acquire().await.map_err(|error| Refusal::Fault(HennaError::of(Reason::Shutdown, error)))?;
        if user.len() > USER_BYTES_MAX {
            return Err(Refusal::Wrong);
        }
        let address = peer.0.ip().to_canonical();
        let tell = |outcome| lake.tell_login("web", user, address, outcome);
        let attempt = self.throttle.begin(address, user).await.map_err(|left| {
            tell(Err(Reason::LoginThrottled));
            Refusal::Wait(left)
        })?;
        // Users that another process made are known at their next login.
        if let Err(error) = lake.follow().await {
            tracing::warn!(%error, "security log");
        }
        let verifier = lake.security().verifier(user);
        let checked = verifier.clone();
        let matches = tokio::task::spawn_blocking(move || checked.matches(&password)).await;
        let matches = matches.map_err(|error| Refusal::Fault(HennaError::of(Reason::Internal, error)))?;
        // Who may not log in is told nothing else than who mistyped.
        let principal = if matches { lake.security().login(user).ok() } else { None };
        let Some(principal) = principal else {
            attempt.failed(Instant::now());
            tell(Err(Reason::Authentication));
            return Err(Refusal::Wrong);
        };
        attempt.succeeded();
        tell(Ok(()));
        Ok(Login { user: user.to_owned(), principal, verifier })
    }
}

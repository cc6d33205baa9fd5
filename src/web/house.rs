//! What all requests share: the lake, its boards, who is logged in, and what was counted.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::board::Shelf;
use super::guard::connection::Peer;
use super::login::logins::{Login, Logins};
use super::login::proof::Gate;
use super::rows::{self, Allowed};
use crate::dataset::Dataset;
use crate::error::{Error, Reason, Result};
use crate::query::{Lake, Opening, Session};

/// How long a statement may run.
pub const STATEMENT_MAX: Duration = Duration::from_secs(30);
/// Statements that run at once; others wait within their request's deadline.
const STATEMENTS_MAX: usize = 8;

pub struct House {
    pub lake: Lake,
    shelf: Mutex<(Arc<Dataset>, Arc<Shelf>)>,
    pub logins: Logins,
    pub gate: Gate,
    pub answers: Answers,
    pub started: SystemTime,
    pub shutdown: CancellationToken,
    statements: Semaphore,
}

impl House {
    pub fn new(lake: Lake, shutdown: CancellationToken) -> Self {
        Self {
            shelf: Mutex::new((lake.dataset(), Arc::new(Shelf::of(&lake.dataset())))),
            lake,
            logins: Logins::default(),
            gate: Gate::default(),
            answers: Answers::default(),
            started: SystemTime::now(),
            shutdown,
            statements: Semaphore::new(STATEMENTS_MAX),
        }
    }

    /// The boards of the dataset as it is now.
    pub fn shelf(&self) -> Arc<Shelf> {
        let dataset = self.lake.dataset();
        let mut shelf = self.shelf.lock().unwrap_or_else(PoisonError::into_inner);
        if !Arc::ptr_eq(&shelf.0, &dataset) {
            let boards = Arc::new(Shelf::of(&dataset));
            *shelf = (dataset, boards);
        }
        Arc::clone(&shelf.1)
    }

    /// Runs one statement in a session of the user; the answer is a JSON document.
    pub async fn run(&self, login: &Login, peer: Peer, sql: &str, allowed: Allowed) -> Result<Vec<u8>> {
        let _place = self.statements.acquire().await.map_err(|error| Error::of(Reason::Shutdown, error))?;
        let session = self.session(login, peer).await?;
        rows::json(&session, sql, allowed).await
    }

    /// A session of the user.
    pub async fn session(&self, login: &Login, peer: Peer) -> Result<Session> {
        let opening = Opening {
            application_name: Some("henna web".to_owned()),
            client_address: Some((peer.0.ip().to_string(), peer.0.port())),
            statement_timeout: Some(STATEMENT_MAX),
            ..Opening::default()
        };
        self.lake.session_with(login.principal.clone(), opening).await
    }
}

/// Answers given, by the first digit of their status.
#[derive(Debug, Default)]
pub struct Answers {
    classes: [AtomicU64; 5],
}

impl Answers {
    pub fn count(&self, status: u16) {
        if let Some(class) = self.classes.get(usize::from(status / 100).wrapping_sub(1)) {
            class.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// (`2xx`, how many), for each class.
    pub fn by_class(&self) -> impl Iterator<Item = (String, u64)> {
        self.classes.iter().enumerate().map(|(at, class)| (format!("{}xx", at + 1), class.load(Ordering::Relaxed)))
    }
}

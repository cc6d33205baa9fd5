//! Clients that do what they like, before a server in a process of its own: it must not panic, it must let go of all that they
//! held, and good clients must be served all along.
//!
//! `HENNA_TORTURE=long` does all of it at length (minutes, 10,000 connections); `HENNA_TORTURE_SEED` says where random
//! messages begin.

mod besieged;
mod client;
mod dropped;
mod lengths;
mod sequences;
mod silent;
mod split;

use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// How much is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Run {
    Short,
    Long,
}

impl Run {
    fn asked() -> Self {
        match std::env::var("HENNA_TORTURE").as_deref() {
            Ok("long") => Self::Long,
            _ => Self::Short,
        }
    }

    fn pick<T>(self, short: T, long: T) -> T {
        match self {
            Self::Short => short,
            Self::Long => long,
        }
    }
}

/// Runs `work` for each number, `at_once` of them at a time.
async fn crowd<F>(count: usize, at_once: usize, work: impl Fn(usize) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    let places = Arc::new(Semaphore::new(at_once));
    let mut tasks = JoinSet::new();
    for number in 0..count {
        let place = Arc::clone(&places).acquire_owned().await.unwrap();
        let work = work(number);
        tasks.spawn(async move {
            work.await;
            drop(place);
        });
        while let Some(ended) = tasks.try_join_next() {
            ended.unwrap();
        }
    }
    while let Some(ended) = tasks.join_next().await {
        ended.unwrap();
    }
}

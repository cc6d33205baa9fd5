//! Steps of a load that run ahead of the step after them, each on a thread of its own.

use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;

use super::error::IngestError;

/// Results that wait for the next step, at most.
const WAITING: usize = 2;

/// The results of a step, in their order.
pub struct Ahead<T> {
    results: Receiver<Result<Option<T>, IngestError>>,
}

impl<T: Send + 'static> Ahead<T> {
    /// `step` is called until it gives nothing or fails, or nobody waits for its results any more.
    pub fn new(mut step: impl FnMut() -> Result<Option<T>, IngestError> + Send + 'static) -> Result<Self, IngestError> {
        let (sender, results) = sync_channel(WAITING);
        let run = move || {
            loop {
                let result = step();
                let ended = !matches!(result, Ok(Some(_)));
                if sender.send(result).is_err() || ended {
                    break;
                }
            }
        };
        thread::Builder::new().name("load".to_owned()).spawn(run).map_err(|_| IngestError::ThreadEnded)?;
        Ok(Self { results })
    }

    pub fn next(&mut self) -> Result<Option<T>, IngestError> {
        self.results.recv().map_err(|_| IngestError::ThreadEnded)?
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn results_come_in_order_and_then_the_end_or_the_error() {
        let mut numbers = 0..3;
        let mut ahead = Ahead::new(move || Ok(numbers.next())).unwrap();
        let found: Vec<i32> = std::iter::from_fn(|| ahead.next().unwrap()).collect();
        assert_eq!(found, [0, 1, 2]);
        let mut fails = Ahead::<()>::new(|| Err(IngestError::IdentityKeyAbsent)).unwrap();
        assert!(matches!(fails.next(), Err(IngestError::IdentityKeyAbsent)));
    }

    #[test]
    fn a_step_that_panics_is_an_error_of_the_next() {
        let mut ahead = Ahead::<()>::new(|| panic!("on purpose")).unwrap();
        assert!(matches!(ahead.next(), Err(IngestError::ThreadEnded)));
    }
}

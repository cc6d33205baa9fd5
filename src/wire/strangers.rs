//! Connections of which nobody has logged in yet: so many at once, and the newest always has a place.
//!
//! Whoever connects and says nothing must not keep others from logging in, or from cancelling a statement. Where all
//! places are taken, the oldest connection of the address that has the most of them makes room.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio_util::sync::CancellationToken;

/// Beside those that have logged in.
const STRANGERS_MAX: usize = 256;

#[derive(Debug, Clone, Default)]
pub struct Strangers {
    present: Arc<Mutex<Present>>,
}

#[derive(Debug, Default)]
struct Present {
    arrivals: u64,
    /// By the order in which they came.
    visits: BTreeMap<u64, (IpAddr, CancellationToken)>,
}

/// A place among the strangers; dropping it frees the place.
#[derive(Debug)]
pub struct Visit {
    number: u64,
    over: CancellationToken,
    strangers: Strangers,
}

impl Strangers {
    pub fn enter(&self, address: IpAddr) -> Visit {
        let mut present = self.lock();
        if present.visits.len() >= STRANGERS_MAX
            && let Some(number) = present.in_the_way()
            && let Some((_, over)) = present.visits.remove(&number)
        {
            over.cancel();
        }
        let (number, over) = (present.arrivals, CancellationToken::new());
        present.arrivals += 1;
        present.visits.insert(number, (address, over.clone()));
        Visit { number, over, strangers: self.clone() }
    }

    fn lock(&self) -> MutexGuard<'_, Present> {
        self.present.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Present {
    /// The oldest of the address that has the most.
    fn in_the_way(&self) -> Option<u64> {
        let mut counts: HashMap<IpAddr, usize> = HashMap::new();
        for (address, _) in self.visits.values() {
            *counts.entry(*address).or_default() += 1;
        }
        let most = counts.values().copied().max()?;
        let is_crowd = |address: &IpAddr| counts.get(address) == Some(&most);
        self.visits.iter().find(|(_, (address, _))| is_crowd(address)).map(|(number, _)| *number)
    }
}

impl Visit {
    /// Ends when another connection needs the place.
    pub async fn is_over(&self) {
        self.over.cancelled().await;
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        self.strangers.lock().visits.remove(&self.number);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn address(last: u8) -> IpAddr {
        Ipv4Addr::new(10, 0, 0, last).into()
    }

    #[test]
    fn the_oldest_of_the_address_with_the_most_makes_room() {
        let strangers = Strangers::default();
        let alone = strangers.enter(address(1));
        let crowd: Vec<_> = (1..STRANGERS_MAX).map(|_| strangers.enter(address(2))).collect();
        assert!(crowd.iter().all(|visit| !visit.over.is_cancelled()));
        let late = strangers.enter(address(3));
        let over: Vec<_> = crowd.iter().map(|visit| visit.over.is_cancelled()).collect();
        assert!(over[0] && over[1..].iter().all(|over| !over));
        assert!(!alone.over.is_cancelled() && !late.over.is_cancelled());
        assert_eq!(strangers.lock().visits.len(), STRANGERS_MAX);
    }

    #[test]
    fn a_place_is_free_when_its_visit_ends() {
        let strangers = Strangers::default();
        drop((0..10).map(|_| strangers.enter(address(1))).collect::<Vec<_>>());
        assert!(strangers.lock().visits.is_empty());
    }
}

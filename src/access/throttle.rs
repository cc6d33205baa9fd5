//! Failed logins make the next one wait: per address and user, so that nobody else is locked out.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Failures that cost nothing: a mistyped password is common.
const FREE: u32 = 5;
const WAIT_MAX: Duration = Duration::from_secs(60);
/// A failure this old is forgotten.
const MEMORY: Duration = Duration::from_secs(600);
const ENTRIES_MAX: usize = 4096;

#[derive(Debug, Clone, Copy)]
struct Failures {
    count: u32,
    last: Instant,
}

/// Who failed to log in of late.
#[derive(Debug, Default)]
pub struct Throttle {
    failures: Mutex<HashMap<(IpAddr, String), Failures>>,
}

impl Throttle {
    /// How long this user must still wait at this address; `None` where it may try.
    pub fn wait(&self, address: IpAddr, user: &str, now: Instant) -> Option<Duration> {
        let failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        let failures = failures.get(&(address, user.to_owned()))?;
        let doublings = failures.count.checked_sub(FREE)?.min(6);
        let wait = Duration::from_secs(1 << doublings).min(WAIT_MAX);
        wait.checked_sub(now.saturating_duration_since(failures.last)).filter(|left| !left.is_zero())
    }

    pub fn failed(&self, address: IpAddr, user: &str, now: Instant) {
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (address, user.to_owned());
        if failures.len() >= ENTRIES_MAX && !failures.contains_key(&key) {
            failures.retain(|_, entry| now.saturating_duration_since(entry.last) < MEMORY);
            if failures.len() >= ENTRIES_MAX {
                let oldest = failures.iter().min_by_key(|(_, entry)| entry.last).map(|(key, _)| key.clone());
                oldest.map(|key| failures.remove(&key));
            }
        }
        let entry = failures.entry(key).or_insert(Failures { count: 0, last: now });
        *entry = Failures { count: entry.count.saturating_add(1), last: now };
    }

    pub fn succeeded(&self, address: IpAddr, user: &str) {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner).remove(&(address, user.to_owned()));
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    #[test]
    fn the_sixth_failure_in_a_row_waits_and_waiting_ends() {
        let (throttle, now) = (Throttle::default(), Instant::now());
        for _ in 0..FREE - 1 {
            throttle.failed(HERE, "hq", now);
            assert_eq!(throttle.wait(HERE, "hq", now), None);
        }
        throttle.failed(HERE, "hq", now);
        assert_eq!(throttle.wait(HERE, "hq", now), Some(Duration::from_secs(1)));
        throttle.failed(HERE, "hq", now);
        assert_eq!(throttle.wait(HERE, "hq", now), Some(Duration::from_secs(2)));
        assert_eq!(throttle.wait(HERE, "hq", now + Duration::from_secs(3)), None);
    }

    #[test]
    fn another_user_of_the_same_address_does_not_wait() {
        let (throttle, now) = (Throttle::default(), Instant::now());
        (0..20).for_each(|_| throttle.failed(HERE, "hq", now));
        assert!(throttle.wait(HERE, "hq", now).is_some());
        assert_eq!(throttle.wait(HERE, "tmall", now), None);
        throttle.succeeded(HERE, "hq");
        assert_eq!(throttle.wait(HERE, "hq", now), None);
    }

    #[test]
    fn the_memory_of_failures_is_bounded() {
        let (throttle, now) = (Throttle::default(), Instant::now());
        (0..ENTRIES_MAX + 10).for_each(|number| throttle.failed(HERE, &number.to_string(), now));
        assert_eq!(throttle.failures.lock().unwrap().len(), ENTRIES_MAX);
    }
}

//! Failed logins make the next one wait: per address and user, so that nobody else is locked out.
//!
//! A login counts as failed from its begin: of a thousand that are begun at once, only a few are tried.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use tokio::time::timeout_at;

/// Failures that cost nothing: a mistyped password is common.
const FREE: u32 = 5;
const WAIT_MAX: Duration = Duration::from_secs(60);
/// How long a login waits for its turn while as many are being tried as may fail: a pool of connections opens all at once.
const TURN_MAX: Duration = Duration::from_secs(10);
/// What it is told to wait when its turn has not come.
const WAIT_FOR_OTHERS: Duration = Duration::from_secs(1);
/// A failure this old is forgotten.
const MEMORY: Duration = Duration::from_secs(600);
const ENTRIES_MAX: usize = 4096;

#[derive(Debug, Clone, Copy)]
struct Failures {
    count: u32,
    /// Logins that are being tried.
    pending: u32,
    last: Instant,
}

impl Failures {
    fn wait(&self, now: Instant) -> Option<Wait> {
        let left = self.count.checked_sub(FREE).and_then(|beyond| {
            let wait = Duration::from_secs(1 << beyond.min(6)).min(WAIT_MAX);
            wait.checked_sub(now.saturating_duration_since(self.last)).filter(|left| !left.is_zero())
        });
        // One login at a time may be tried after the free ones.
        let places = FREE.saturating_sub(self.count).max(1);
        left.map(Wait::Failures).or((self.pending >= places).then_some(Wait::Others))
    }

    fn is_forgotten(&self, now: Instant) -> bool {
        self.pending == 0 && now.saturating_duration_since(self.last) >= MEMORY
    }
}

/// Why a login may not be tried now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wait {
    /// It is too soon after the last of many failures.
    Failures(Duration),
    /// As many are being tried as may fail.
    Others,
}

type Key = (IpAddr, String);

/// Who failed to log in of late.
#[derive(Debug, Default)]
pub struct Throttle {
    failures: Mutex<HashMap<Key, Failures>>,
    /// An attempt has ended.
    ended: Notify,
}

/// A login that is being tried. Dropping it takes it back: a client that left before its password was judged has not guessed.
#[derive(Debug)]
pub struct Attempt<'a> {
    throttle: &'a Throttle,
    key: Key,
    is_judged: bool,
}

impl Throttle {
    /// Begins a login, in its turn; or tells how long this user must still wait at this address.
    pub async fn begin(&self, address: IpAddr, user: &str) -> Result<Attempt<'_>, Duration> {
        let deadline = tokio::time::Instant::now() + TURN_MAX;
        loop {
            let mut ended = std::pin::pin!(self.ended.notified());
            // Before the question, so that no end between it and the wait is missed.
            ended.as_mut().enable();
            match self.try_begin(address, user, Instant::now()) {
                Ok(attempt) => return Ok(attempt),
                Err(Wait::Failures(left)) => return Err(left),
                Err(Wait::Others) => timeout_at(deadline, ended).await.map_err(|_| WAIT_FOR_OTHERS)?,
            }
        }
    }

    fn try_begin(&self, address: IpAddr, user: &str, now: Instant) -> Result<Attempt<'_>, Wait> {
        let key = (place(address), user.to_owned());
        let mut failures = self.lock();
        if failures.len() >= ENTRIES_MAX && !failures.contains_key(&key) {
            make_room(&mut failures, now);
        }
        let entry = failures.entry(key.clone()).or_insert(Failures { count: 0, pending: 0, last: now });
        if entry.is_forgotten(now) {
            entry.count = 0;
        }
        match entry.wait(now) {
            Some(wait) => Err(wait),
            None => {
                entry.pending += 1;
                Ok(Attempt { throttle: self, key, is_judged: false })
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Failures>> {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Attempt<'_> {
    /// The password was wrong, or the user may not log in.
    pub fn failed(mut self, now: Instant) {
        self.is_judged = true;
        if let Some(entry) = self.throttle.lock().get_mut(&self.key) {
            entry.count = entry.count.saturating_add(1);
            entry.pending = entry.pending.saturating_sub(1);
            entry.last = now;
        }
    }

    /// The failures before are forgotten.
    pub fn succeeded(mut self) {
        self.is_judged = true;
        let mut failures = self.throttle.lock();
        if let Some(entry) = failures.get_mut(&self.key) {
            entry.count = 0;
            entry.pending = entry.pending.saturating_sub(1);
            if entry.pending == 0 {
                failures.remove(&self.key);
            }
        }
    }

    fn take_back(&self) {
        let mut failures = self.throttle.lock();
        if let Some(entry) = failures.get_mut(&self.key) {
            entry.pending = entry.pending.saturating_sub(1);
            if entry.pending == 0 && entry.count == 0 {
                failures.remove(&self.key);
            }
        }
    }
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        if !self.is_judged {
            self.take_back();
        }
        self.throttle.ended.notify_waiters();
    }
}

/// What one attacker has of addresses: one of IPv4, a network of IPv6, which is given out as a whole.
fn place(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64))),
    }
}

/// Forgets what is old, else the oldest that nobody is trying.
fn make_room(failures: &mut HashMap<Key, Failures>, now: Instant) {
    failures.retain(|_, entry| !entry.is_forgotten(now));
    if failures.len() >= ENTRIES_MAX {
        let idle = failures.iter().filter(|(_, entry)| entry.pending == 0);
        let oldest = idle.min_by_key(|(_, entry)| entry.last).map(|(key, _)| key.clone());
        oldest.map(|key| failures.remove(&key));
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    fn fail(throttle: &Throttle, user: &str, now: Instant) {
        throttle.try_begin(HERE, user, now).unwrap().failed(now);
    }

    fn wait(throttle: &Throttle, user: &str, now: Instant) -> Option<Duration> {
        match throttle.try_begin(HERE, user, now).err()? {
            Wait::Failures(left) => Some(left),
            Wait::Others => Some(WAIT_FOR_OTHERS),
        }
    }

    #[tokio::test]
    async fn logins_that_come_at_once_are_tried_in_turn() {
        let throttle = Throttle::default();
        let login = || async {
            let attempt = throttle.begin(HERE, "hq").await;
            tokio::task::yield_now().await;
            attempt.map(Attempt::succeeded)
        };
        let outcomes = futures::future::join_all((0..50).map(|_| login())).await;
        assert!(outcomes.iter().all(Result::is_ok));
        let guess = || async {
            let attempt = throttle.begin(HERE, "hq").await;
            tokio::task::yield_now().await;
            attempt.map(|attempt| attempt.failed(Instant::now()))
        };
        let outcomes = futures::future::join_all((0..50).map(|_| guess())).await;
        assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), FREE as usize);
    }

    #[test]
    fn the_sixth_failure_in_a_row_waits_and_waiting_ends() {
        let (throttle, now) = (Throttle::default(), Instant::now());
        for _ in 0..FREE {
            assert_eq!(wait(&throttle, "hq", now), None);
            fail(&throttle, "hq", now);
        }
        assert_eq!(wait(&throttle, "hq", now), Some(Duration::from_secs(1)));
        let later = now + Duration::from_secs(1);
        fail(&throttle, "hq", later);
        assert_eq!(wait(&throttle, "hq", later), Some(Duration::from_secs(2)));
        assert_eq!(wait(&throttle, "hq", later + Duration::from_secs(2)), None);
    }

    #[test]
    fn waiting_is_bounded_and_success_begins_anew() {
        let (throttle, mut now) = (Throttle::default(), Instant::now());
        for _ in 0..20 {
            now += WAIT_MAX;
            fail(&throttle, "hq", now);
        }
        assert_eq!(wait(&throttle, "hq", now), Some(WAIT_MAX));
        now += WAIT_MAX;
        throttle.try_begin(HERE, "hq", now).unwrap().succeeded();
        for _ in 0..FREE {
            fail(&throttle, "hq", now);
        }
        assert_eq!(wait(&throttle, "hq", now), Some(Duration::from_secs(1)));
    }

    #[test]
    fn another_user_and_another_address_do_not_wait() {
        let (throttle, now) = (Throttle::default(), Instant::now());
        (0..FREE).for_each(|_| fail(&throttle, "hq", now));
        assert!(wait(&throttle, "hq", now).is_some());
        assert_eq!(wait(&throttle, "tmall", now), None);
        assert!(throttle.try_begin(IpAddr::from([127, 0, 0, 2]), "hq", now).is_ok());
    }

    #[test]
    fn logins_begun_at_once_are_no_more_than_may_fail() {
        let (throttle, now) = (Throttle::default(), Instant::now());
        let begun: Vec<_> = (0..50).filter_map(|_| throttle.try_begin(HERE, "hq", now).ok()).collect();
        assert_eq!(begun.len(), FREE as usize);
        begun.into_iter().for_each(|attempt| attempt.failed(now));
        let later = now + Duration::from_secs(1);
        let one = throttle.try_begin(HERE, "hq", later).unwrap();
        assert_eq!(wait(&throttle, "hq", later), Some(WAIT_FOR_OTHERS));
        drop(one);
        assert_eq!(wait(&throttle, "hq", later), None);
    }

    #[test]
    fn a_client_that_leaves_before_its_password_is_judged_has_not_failed() {
        let (throttle, now) = (Throttle::default(), Instant::now());
        (0..50).for_each(|_| drop(throttle.try_begin(HERE, "hq", now).unwrap()));
        assert!(throttle.lock().is_empty());
    }

    #[test]
    fn a_network_of_ipv6_is_one_place() {
        let (throttle, now) = (Throttle::default(), Instant::now());
        let address = |end: u16| IpAddr::from([0x2001, 0xdb8, 0, 1, 0, 0, 0, end]);
        for end in 0..FREE as u16 {
            throttle.try_begin(address(end), "hq", now).unwrap().failed(now);
        }
        assert!(throttle.try_begin(address(99), "hq", now).is_err());
        let mapped = IpAddr::from([0, 0, 0, 0, 0, 0xffff, 0x7f00, 1]);
        assert_eq!(place(mapped), HERE);
    }

    #[test]
    fn the_memory_of_failures_is_bounded() {
        let (throttle, now) = (Throttle::default(), Instant::now());
        (0..ENTRIES_MAX + 10).for_each(|number| fail(&throttle, &number.to_string(), now));
        assert_eq!(throttle.lock().len(), ENTRIES_MAX);
    }
}

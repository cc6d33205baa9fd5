//! Processes beside the server: `henna load`, and the verbs of upkeep. Some of them are killed by themselves.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::super::support::henna;
use super::http::{ORDERS_HEADER, order};
use super::{ROWS, Round, SHARED, Writer};

/// Of so many one is killed by itself.
const KILLED: u32 = 3;
const LIFE_MS: std::ops::Range<u64> = 50..2_500;

/// Runs a process to its end, or to the end of the round or of its life; whether it ended by itself.
fn ends(command: &mut Command, random: &mut StdRng, round: &Round) -> bool {
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let life = random.random_ratio(1, KILLED).then(|| Duration::from_millis(random.random_range(LIFE_MS)));
    let began = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            let mut told = String::new();
            child.stderr.take().unwrap().read_to_string(&mut told).unwrap();
            assert!(status.success(), "{status}: {told}");
            return true;
        }
        if round.is_cut() || life.is_some_and(|life| began.elapsed() >= life) {
            child.kill().unwrap();
            // It may have ended just before.
            return child.wait().unwrap().success();
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Loads files: each brings orders of its own, and newer versions of orders that all of them have.
pub struct Files {
    folder: PathBuf,
    random: StdRng,
    done: usize,
    killed: usize,
}

impl Files {
    pub fn new(folder: &Path, seed: u64) -> Self {
        let (folder, random) = (folder.to_path_buf(), StdRng::seed_from_u64(seed.wrapping_add(1)));
        Self { folder, random, done: 0, killed: 0 }
    }

    fn file(&self) -> PathBuf {
        let (file, number) = (self.folder.join(format!("{}.csv", self.done)), self.done);
        let own = (0..ROWS).map(|row| order(&format!("file-{number}-{row}"), row, "1.25", ""));
        let updated_at = format!("2026-05-{:02} {:02}:{:02}:00", number / 1440 + 1, number / 60 % 24, number % 60);
        let paid = (number + 1).to_string();
        let shared = (0..SHARED).map(|row| order(&format!("shared-{row}"), row, &paid, &updated_at));
        let lines = std::iter::once(ORDERS_HEADER.to_owned()).chain(own).chain(shared);
        std::fs::write(&file, lines.map(|line| line + "\n").collect::<String>()).unwrap();
        file
    }
}

impl Writer for Files {
    fn write(&mut self, round: &Round) {
        while round.goes_on() {
            let file = self.file();
            match ends(henna(&round.lake).args(["load", "orders"]).arg(&file), &mut self.random, round) {
                true => self.done += 1,
                false => self.killed += 1,
            }
        }
    }

    /// A load that was killed may be there already: then the last round's newest version is its own.
    fn settle(&mut self, lake: &Path) {
        let sql = format!("SELECT count(*) FROM orders WHERE order_id LIKE 'file-{}-%'", self.done);
        match super::number(lake, &sql) {
            0 => {}
            ROWS => self.done += 1,
            rows => panic!("{rows} of {ROWS} rows of a load are there"),
        }
    }

    fn done(&self) -> usize {
        self.done
    }

    fn killed(&self) -> usize {
        self.killed
    }
}

pub struct Upkeep {
    random: StdRng,
    done: usize,
    killed: usize,
}

impl Upkeep {
    pub fn new(seed: u64) -> Self {
        Self { random: StdRng::seed_from_u64(seed.wrapping_add(2)), done: 0, killed: 0 }
    }
}

impl Writer for Upkeep {
    fn write(&mut self, round: &Round) {
        while round.goes_on() {
            let verb: &[&str] = if self.done.is_multiple_of(2) { &["compact"] } else { &["vacuum", "--retain", "5s"] };
            match ends(henna(&round.lake).args(verb), &mut self.random, round) {
                true => self.done += 1,
                false => self.killed += 1,
            }
        }
    }

    fn done(&self) -> usize {
        self.done
    }

    fn killed(&self) -> usize {
        self.killed
    }
}

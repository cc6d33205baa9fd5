//! Random bytes for the door: packets, logins and messages over a pipe in memory, through the decoder and the state machine
//! that real sockets have. It looks for panics, for answers that are no messages, for internal errors, for sessions that stay.
//!
//! It is guided by what the server answers: an input whose answer is of a kind not seen before is kept, and others are made of
//! it. `HENNA_WIRE_FUZZ_SEED` says where to begin, `HENNA_WIRE_FUZZ_SECONDS` how long to go on. What went wrong is told as
//! the bytes of one case, which `HENNA_WIRE_FUZZ_CASE` runs again.

mod case;
mod dice;
mod reading;
mod writing;

use std::collections::HashSet;
use std::time::{Duration, Instant};

use self::case::{Case, House};
use self::dice::Dice;

/// A second or two of the usual run.
const CASES: u64 = 300;
const SEED: u64 = 1;
/// A lake in memory grows with what is done to it.
const CASES_OF_HOUSE: u64 = 5_000;
const KEPT_MAX: usize = 4_000;
const PARENTED_PERCENT: u32 = 70;
/// The user whose login panics in a house that is to be found out.
const PLANTED: &str = "planted";

/// When a run ends.
#[derive(Debug, Clone, Copy)]
enum Until {
    Cases(u64),
    Time(Instant),
}

impl Until {
    fn is_over(self, cases: u64) -> bool {
        match self {
            Self::Cases(end) => cases >= end,
            Self::Time(end) => Instant::now() >= end,
        }
    }
}

/// How a run went.
#[derive(Debug, Default)]
struct Tally {
    cases: u64,
    kinds: HashSet<String>,
    faults: Vec<String>,
}

async fn run(seed: u64, until: Until, planted: bool) -> Tally {
    let (mut dice, mut tally, mut kept) = (Dice::of(seed), Tally::default(), Vec::<Case>::new());
    let mut house = House::new(planted);
    while !until.is_over(tally.cases) && tally.faults.len() < 3 {
        if tally.cases % CASES_OF_HOUSE == CASES_OF_HOUSE - 1 {
            house = House::new(planted);
        }
        let case = match kept.is_empty() || !dice.chance(PARENTED_PERCENT) {
            true => Case::fresh(&mut dice),
            false => dice.pick(&kept).changed(&mut dice),
        };
        tally.cases += 1;
        match house.outcome(&case).await {
            Ok(kind) => {
                if tally.kinds.insert(kind) && kept.len() < KEPT_MAX {
                    kept.push(case);
                }
            }
            Err(fault) => {
                let shrunk = shrunk(&house, case).await;
                tally.faults.push(format!("{fault}\n{}", shrunk.shown()));
                house = House::new(planted);
            }
        }
    }
    tally
}

/// The case without the messages that its fault does not need.
async fn shrunk(house: &House, case: Case) -> Case {
    let mut shortest = case;
    let mut at = 0;
    while at < shortest.pieces.len() {
        let mut shorter = shortest.clone();
        shorter.pieces.remove(at);
        match house.outcome(&shorter).await {
            Ok(_) => at += 1,
            Err(_) => shortest = shorter,
        }
    }
    shortest
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

#[tokio::test]
async fn nothing_that_a_client_sends_breaks_the_door() {
    if let Some(text) = variable("HENNA_WIRE_FUZZ_CASE") {
        let case = Case::read(&text).unwrap();
        println!("{}", House::new(false).outcome(&case).await.unwrap());
        return;
    }
    let number = |name: &str| variable(name).map(|text| text.parse::<u64>().unwrap());
    let seed = number("HENNA_WIRE_FUZZ_SEED").unwrap_or(SEED);
    let (started, seconds) = (Instant::now(), number("HENNA_WIRE_FUZZ_SECONDS"));
    println!("HENNA_WIRE_FUZZ_SEED={seed}");
    let until = seconds.map_or(Until::Cases(CASES), |seconds| Until::Time(started + Duration::from_secs(seconds)));
    let tally = run(seed, until, false).await;
    let sqlstates: HashSet<&str> = tally
        .kinds
        .iter()
        .flat_map(|kind| kind.split(' '))
        .filter(|told| told.starts_with('E') && told.len() > 1)
        .collect();
    println!(
        "wire fuzz: seed {seed}, {} cases in {} s, {} kinds of answers, {} SQLSTATEs, {} faults",
        tally.cases,
        started.elapsed().as_secs(),
        tally.kinds.len(),
        sqlstates.len(),
        tally.faults.len()
    );
    assert!(tally.faults.is_empty(), "{}", tally.faults.join("\n\n"));
    assert!(tally.kinds.len() > 20, "{:?}", tally.kinds);
}

#[tokio::test]
async fn a_login_that_panics_is_found() {
    let tally = run(SEED, Until::Cases(2_000), true).await;
    assert!(tally.faults.iter().any(|fault| fault.contains("panicked")), "{} cases", tally.cases);
}

#[tokio::test]
async fn a_case_is_told_in_letters_that_make_it_again() {
    let mut dice = Dice::of(7);
    for _ in 0..50 {
        let case = Case::fresh(&mut dice);
        assert_eq!(Case::read(&case.letters()).unwrap(), case);
    }
}

#[tokio::test]
async fn a_session_is_counted_while_its_client_is_there() {
    let house = House::new(false);
    let raw = house.enter().await;
    assert_eq!(house.sessions(), 1);
    drop(raw);
    house.emptied().await;
}

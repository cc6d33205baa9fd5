//! Random statements behind random walls, each compared with a lake from which the hidden rows were deleted.
//!
//! `table` makes tables, `rules` roles, policies and masks, `world` founds the lakes of both; `expression`, `statement` and
//! `writer` make statements; `verdict` compares. `HENNA_FUZZ_SEED` and `HENNA_FUZZ_CASES` say where to begin and how long
//! to go on: world `n` of a run is the first one of a run whose seed is greater by `n`.

mod dice;
mod expression;
mod rules;
mod statement;
mod table;
mod verdict;
mod world;
mod writer;

use futures::StreamExt;

use self::dice::Dice;
use self::verdict::{Verdict, judge, shrunk};
use self::world::World;
use self::writer::Writer;
use crate::access::Breach;

/// About a minute of two cores in a debug build, where a case costs 30 ms: almost all of it is planning. A run that means to
/// find something is longer, and `--release`.
const CASES: u64 = 3000;
/// The usual run is the same each time, so that what turns it red is the change; a run that means to find something has a
/// seed of its own.
const SEED: u64 = 1;
const CASES_OF_WORLD: u64 = 200;
const WORLDS_AT_ONCE: usize = 2;
/// Percent of the statements that may name columns without a grant.
const TRESPASS: u32 = 6;

/// How the cases of a run ended.
#[derive(Debug, Default)]
struct Tally {
    answered: u64,
    refused: u64,
    ordered: u64,
    leaks: Vec<String>,
}

impl Tally {
    fn add(mut self, other: Self) -> Self {
        self.answered += other.answered;
        self.refused += other.refused;
        self.ordered += other.ordered;
        self.leaks.extend(other.leaks);
        self
    }

    fn cases(&self) -> u64 {
        self.answered + self.refused + self.ordered + self.leaks.len() as u64
    }
}

fn variable(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name}: '{text}' is no number")))
}

/// Up to `cases` statements in the world of `seed`, the first leak ends it.
async fn explore(seed: u64, cases: u64, breach: Option<Breach>) -> Tally {
    let mut dice = Dice::of(seed);
    let world = World::random(&mut dice).await.unwrap_or_else(|error| panic!("seed {seed}: {error}"));
    if let Some(breach) = breach {
        world.lake.wall().breached.plant(breach);
    }
    let mut tally = Tally::default();
    for number in 0..cases {
        let seat = dice.pick(&world.seats);
        let sources = if dice.chance(TRESPASS) { &seat.trespass } else { &seat.sources };
        let statement = Writer { sources }.statement(&mut dice);
        match judge(&world, seat, &statement).await {
            Verdict::Answered => tally.answered += 1,
            Verdict::Refused => tally.refused += 1,
            Verdict::Ordered => tally.ordered += 1,
            Verdict::Leak(told) => {
                let (smallest, why) = shrunk(&world, seat, &statement).await;
                let role = &seat.role;
                tally.leaks.push(format!(
                    "HENNA_FUZZ_SEED={seed}, case {number}, as {role}\n{statement}\n{told}\nsmallest: {smallest}\n{why}\n{world}"
                ));
                break;
            }
        }
    }
    tally
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_guarded_answer_is_that_of_a_lake_without_the_hidden_rows() {
    let seed = variable("HENNA_FUZZ_SEED").unwrap_or(SEED);
    let cases = variable("HENNA_FUZZ_CASES").unwrap_or(CASES);
    println!("HENNA_FUZZ_SEED={seed} HENNA_FUZZ_CASES={cases}");
    let worlds = (0..cases.div_ceil(CASES_OF_WORLD)).map(|number| {
        let within = CASES_OF_WORLD.min(cases - number * CASES_OF_WORLD);
        tokio::spawn(explore(seed.wrapping_add(number), within, None))
    });
    let tallies = futures::stream::iter(worlds).buffer_unordered(WORLDS_AT_ONCE);
    let tally = tallies.fold(Tally::default(), |all, one| async move { all.add(one.unwrap()) }).await;
    let (answered, refused, ordered) = (tally.answered, tally.refused, tally.ordered);
    println!("{answered} answered, {refused} refused by both, {ordered} failed on visible rows in another order");
    assert!(tally.leaks.is_empty(), "{} of {} cases:\n{}", tally.leaks.len(), tally.cases(), tally.leaks.join("\n\n"));
    // Statements that no lake answers would prove nothing.
    assert!(answered * 10 >= tally.cases() * 5, "{answered} of {} were answered", tally.cases());
}

/// A fuzzer that finds nothing is believed only if it finds what is there.
async fn finds(breach: Breach) {
    const WORLDS: u64 = 12;
    for seed in 1..=WORLDS {
        let tally = explore(seed, CASES_OF_WORLD, Some(breach)).await;
        if let Some(leak) = tally.leaks.first() {
            assert!(leak.contains("smallest: SELECT") || leak.contains("smallest: WITH"), "{leak}");
            println!("{breach:?} found after {} cases of world {seed}", tally.cases());
            return;
        }
    }
    panic!("{breach:?} was not found in {WORLDS} worlds");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_finds_predicates_that_are_pushed_below_the_wall() {
    finds(Breach::Predicates).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_finds_filters_that_see_through_a_mask() {
    finds(Breach::Masks).await;
}

//! Random messages, right and wrong ones, in any order and in any state.

use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};

use super::besieged::{Besieged, Witness};
use super::client::{Raw, bind, execute, message, parse, query, sync};
use super::{Run, crowd};
use crate::support::run;

const STATEMENTS: &[&str] = &[
    "SELECT 1",
    "SELECT 1; SELECT nothing",
    "SELECT count(*) FROM sales",
    "SELECT * FROM generate_series(1, 1000)",
    "SELECT $1::int",
    "BEGIN",
    "COMMIT",
    "ROLLBACK",
    "SAVEPOINT a",
    "DECLARE c CURSOR FOR SELECT * FROM sales",
    "FETCH 1 FROM c",
    "COPY (SELECT * FROM sales) TO STDOUT",
    "BEGIN; CREATE SCHEMA r; CREATE TABLE r.t (a int); COPY r.t FROM STDIN",
    "SET TimeZone = 'UTC'",
    "DISCARD ALL",
    "SELECT 1 / 0",
    "SELEC",
    "",
];

fn one(random: &mut StdRng) -> Vec<u8> {
    let statement = STATEMENTS.choose(random).unwrap();
    let mut bytes = match random.random_range(0..16) {
        0..=2 => query(statement),
        3..=5 => parse(statement),
        6..=7 => bind(),
        8..=9 => execute(random.random_range(-1..4)),
        10 => message(b'D', if random.random() { b"S\0" } else { b"P\0" }),
        11 => message(b'C', if random.random() { b"S\0" } else { b"P\0" }),
        12 => sync(),
        13 => message(*b"HFdcfXp".choose(random).unwrap(), b"1\n"),
        14 => message(random.random(), &vec![random.random(); random.random_range(0..20)]),
        _ => (0..random.random_range(0..20)).map(|_| random.random()).collect(),
    };
    if random.random_ratio(1, 25) && !bytes.is_empty() {
        let at = random.random_range(0..bytes.len());
        bytes[at] = random.random();
    }
    bytes
}

async fn conversation(port: u16, seed: u64) {
    let mut random = StdRng::seed_from_u64(seed);
    let mut raw = Raw::enter(port).await;
    let bytes: Vec<u8> = (0..random.random_range(1..30)).flat_map(|_| one(&mut random)).collect();
    let chunk = *[1, 7, 1000, 100_000].choose(&mut random).unwrap();
    let (mut reader, mut writer) = raw.socket.split();
    let sending = async {
        for piece in bytes.chunks(chunk) {
            // A server that has ended the connection takes nothing more.
            if tokio::io::AsyncWriteExt::write_all(&mut writer, piece).await.is_err() {
                break;
            }
        }
        let _ = tokio::io::AsyncWriteExt::shutdown(&mut writer).await;
    };
    let mut answer = Vec::new();
    let reading = tokio::io::AsyncReadExt::read_to_end(&mut reader, &mut answer);
    let both = async { tokio::join!(sending, reading) };
    // That it ends counts, by an end of the stream or by a reset.
    let ended = tokio::time::timeout(super::client::ANSWER_MAX, both).await;
    assert!(ended.is_ok(), "seed {seed} does not end");
    assert!(!answer.windows(6).any(|field| field == b"CXX000"), "seed {seed}: {}", answer.escape_ascii());
}

#[test]
fn random_messages_harm_nobody() {
    run(async {
        let besieged = Besieged::start().await;
        let witness = besieged.client().await;
        let seed = std::env::var("HENNA_TORTURE_SEED").map_or(1, |seed| seed.parse().unwrap());
        println!("HENNA_TORTURE_SEED={seed}");
        let (count, port) = (Run::asked().pick(150, 5_000), besieged.port);
        crowd(count / 3, 8, |number| conversation(port, seed + 1_000_000 + number as u64)).await;
        let before = besieged.holdings(&witness).await;
        let good = Witness::begin(&besieged).await;
        crowd(count, 8, |number| conversation(port, seed + number as u64)).await;
        good.end(&format!("{count} random conversations")).await;
        let before = super::besieged::Holdings { sessions: 1, ..before };
        besieged.assert_as_before(&witness, before, 64 << 10).await;
    });
}

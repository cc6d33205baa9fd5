//! Clients that say nothing, that hear nothing, and that end one half of their connection.

use std::time::{Duration, Instant};

use tokio::io::AsyncWriteExt;

use super::besieged::{Besieged, Witness};
use super::client::{ANSWER_MAX, Raw, message, parse, query, start};
use super::{Run, crowd};
use crate::support::run;

/// More than there are places for those that have not logged in.
const STRANGERS: usize = 600;

#[test]
fn strangers_who_say_nothing_keep_nobody_out() {
    run(async {
        let besieged = Besieged::start().await;
        let witness = besieged.client().await;
        let before = besieged.holdings(&witness).await;
        let mut strangers = Vec::new();
        for number in 0..STRANGERS {
            let mut raw = Raw::connect(besieged.port).await;
            if number % 2 == 0 {
                // Half a packet, after which the rest never comes.
                raw.send(&start()[..7]).await.unwrap();
            }
            strangers.push(raw);
        }
        let good = Witness::begin(&besieged).await;
        // The oldest has made room.
        strangers[0].until_end().await;
        Raw::enter(besieged.port).await;
        // A statement can be cancelled while they wait.
        let busy = besieged.client().await;
        let token = busy.cancel_token();
        let cancel = async {
            loop {
                token.cancel_query(tokio_postgres::NoTls).await.unwrap();
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let endless = "SELECT count(*) FROM generate_series(1, 9000000000) AS a(n) WHERE n % 7 = 8";
        tokio::select! {
            ended = busy.simple_query(endless) => assert!(ended.is_err()),
            () = cancel => unreachable!(),
            () = tokio::time::sleep(ANSWER_MAX) => panic!("the statement was not cancelled"),
        }
        drop(busy);
        good.end("strangers").await;
        drop(strangers);
        besieged.assert_as_before(&witness, before, 64 << 10).await;
    });
}

#[test]
fn clients_that_hear_nothing_hold_little_and_can_be_sent_away() {
    run(async {
        let besieged = Besieged::start().await;
        let witness = besieged.client().await;
        // Each of these would be 4 GB if it were not for the socket that pushes back.
        let wide = query("SELECT repeat('x', 1000) FROM generate_series(1, 4000000)");
        let described = [parse("SELECT * FROM sales"), message(b'D', b"S\0").repeat(300_000)].concat();
        let before = besieged.holdings(&witness).await;
        let good = Witness::begin(&besieged).await;
        let mut deaf = Vec::new();
        for number in 0..12 {
            let mut raw = Raw::enter(besieged.port).await;
            match number % 2 {
                // Rows of a statement, and answers that are no statement's.
                0 => raw.send(&wide).await.unwrap(),
                _ => {
                    let _ = tokio::time::timeout(Duration::from_secs(1), raw.send(&described)).await;
                }
            }
            deaf.push(raw);
        }
        let held = besieged.holdings(&witness).await;
        println!("deaf clients: {held:?}");
        assert!(held.memory_kb < before.memory_kb + (400 << 10), "{before:?} before, {held:?} after");
        let sent_away = "SELECT count(pg_terminate_backend(pid)) FROM henna.activity WHERE pid <> pg_backend_pid()";
        good.end("deaf clients").await;
        witness.query_one(sent_away, &[]).await.unwrap();
        let as_before = super::besieged::Holdings { sessions: 1, ..before };
        besieged.assert_as_before(&witness, as_before, 128 << 10).await;
        drop(deaf);
    });
}

#[test]
fn a_client_that_ends_its_half_ends_its_session() {
    run(async {
        let besieged = Besieged::start().await;
        let witness = besieged.client().await;
        let before = besieged.holdings(&witness).await;
        let port = besieged.port;
        crowd(Run::asked().pick(12, 200), 6, |number| async move {
            let mut raw = Raw::enter(port).await;
            if number % 2 == 0 {
                raw.send(&query("SELECT count(*) FROM generate_series(1, 9000000000) AS a(n) WHERE n % 7 = 8"))
                    .await
                    .unwrap();
            }
            raw.socket.shutdown().await.unwrap();
            raw.until_end().await;
        })
        .await;
        besieged.assert_as_before(&witness, before, 64 << 10).await;
    });
}

const ACKNOWLEDGED_MAX: Duration = Duration::from_secs(10);

/// The state of the timer of each connection of a port, as the kernel tells it: 2 is a keepalive that is armed.
fn timers(port: u16) -> Vec<String> {
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
    let local = format!(":{port:04X}");
    let rows = table.lines().skip(1).map(|row| row.split_whitespace().collect::<Vec<_>>());
    // 01 is a connection that is established.
    let own = rows.filter(|row| row[1].ends_with(&local) && row[3] == "01");
    own.map(|row| row[5].split(':').next().unwrap_or_default().to_owned()).collect()
}

#[test]
fn a_client_whose_machine_is_gone_is_asked_after() {
    run(async {
        let besieged = Besieged::start().await;
        let _client = Raw::enter(besieged.port).await;
        // What was just sent has a timer of its own until it is acknowledged.
        let deadline = Instant::now() + ACKNOWLEDGED_MAX;
        loop {
            let timers = timers(besieged.port);
            if !timers.is_empty() && timers.iter().all(|timer| timer == "02") {
                break;
            }
            assert!(Instant::now() < deadline, "{timers:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
}

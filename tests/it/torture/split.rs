//! Conversations that are cut at every byte: into two packets, or off.

use super::besieged::Besieged;
use super::client::{Raw, bind, execute, first, last, message, parse, query, start, sync};
use super::{Run, crowd};
use crate::support::run;

/// What is asked of a session, and what its answer is made of.
fn exchanges() -> Vec<(Vec<u8>, &'static str)> {
    let extended =
        [parse("SELECT generate_series FROM generate_series(1, 5)"), bind(), execute(2), execute(0), sync()].concat();
    let failing = [parse("SELECT nothing"), bind(), execute(0), sync()].concat();
    let copy = [
        query("BEGIN; CREATE SCHEMA s; CREATE TABLE s.t (a int); COPY s.t FROM STDIN"),
        message(b'd', b"1\n2"),
        message(b'd', b"\n"),
        message(b'c', b""),
        query("ROLLBACK"),
    ];
    vec![
        (query("SELECT 1; SELECT 'a', NULL"), "TDCTDCZI"),
        (extended, "12DDsDDDCZI"),
        (failing, "E42703 ZI"),
        (copy.concat(), "CCCGCZTCZI"),
    ]
}

/// The answers to an exchange: one for each time that the session is ready.
async fn answers(raw: &mut Raw, expected: &str) -> String {
    let mut told = String::new();
    for _ in expected.matches('Z') {
        told.push_str(&raw.until_ready().await.unwrap());
    }
    told
}

#[test]
fn an_exchange_in_two_packets_is_the_same_exchange() {
    run(async {
        let besieged = Besieged::start().await;
        let mut raw = Raw::enter(besieged.port).await;
        for (bytes, expected) in exchanges() {
            for cut in 0..=bytes.len() {
                raw.send_cut(&bytes, cut).await.unwrap();
                assert_eq!(answers(&mut raw, expected).await, expected, "cut at {cut}");
            }
        }
        besieged.assert_sound();
    });
}

#[test]
fn a_login_in_two_packets_is_the_same_login() {
    run(async {
        let besieged = Besieged::start().await;
        let port = besieged.port;
        let step = Run::asked().pick(9, 1);
        let longest = 120;
        crowd(longest / step + 1, 4, move |number| async move {
            let cut = number * step;
            let mut raw = Raw::connect(port).await;
            let start = start();
            raw.send_cut(&start, cut.min(start.len())).await.unwrap();
            raw.receive().await.unwrap();
            raw.send_cut(&first(), cut.min(first().len())).await.unwrap();
            let (_, answer) = raw.receive().await.unwrap();
            let last = last(std::str::from_utf8(&answer[4..]).unwrap());
            raw.send_cut(&last, cut.min(last.len())).await.unwrap();
            assert!(raw.until_ready().await.unwrap().ends_with("ZI"), "cut at {cut}");
        })
        .await;
        besieged.assert_sound();
    });
}

#[test]
fn a_conversation_that_is_cut_off_leaves_nothing() {
    run(async {
        let besieged = Besieged::start().await;
        let witness = besieged.client().await;
        let before = besieged.holdings(&witness).await;
        let port = besieged.port;
        for packet in [start(), first()] {
            crowd(packet.len(), 8, |cut| {
                let packet = packet.clone();
                async move {
                    let mut raw = Raw::connect(port).await;
                    if packet[0] == b'p' {
                        raw.send(&start()).await.unwrap();
                        raw.receive().await.unwrap();
                    }
                    raw.send(&packet[..cut]).await.unwrap();
                }
            })
            .await;
        }
        let step = Run::asked().pick(11, 1);
        for (bytes, _) in exchanges() {
            crowd(bytes.len() / step, 4, |number| {
                let bytes = bytes.clone();
                async move {
                    let mut raw = Raw::enter(port).await;
                    raw.send(&bytes[..number * step]).await.unwrap();
                }
            })
            .await;
        }
        besieged.assert_as_before(&witness, before, 64 << 10).await;
    });
}

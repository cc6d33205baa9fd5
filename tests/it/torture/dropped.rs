//! Connections that are opened and dropped, at every stage of a conversation.

use super::besieged::{Besieged, Witness};
use super::client::{Raw, query, start};
use super::{Run, crowd};
use crate::support::run;

/// Slow enough to be dropped in the middle.
const ENDLESS: &str = "SELECT count(*) FROM generate_series(1, 9000000000) AS a(n) WHERE n % 7 = 8";
/// One that goes on sending.
const WIDE: &str = "SELECT repeat('x', 1000) FROM generate_series(1, 9000000000)";

/// What a connection has got to when it is dropped.
#[derive(Debug, Clone, Copy)]
enum Stage {
    Connected,
    Asked,
    Entered,
    InQuery,
    InAnswer,
    InTransaction,
}

const STAGES: [Stage; 8] = [
    Stage::Connected,
    Stage::Asked,
    Stage::Entered,
    Stage::Connected,
    Stage::InQuery,
    Stage::Asked,
    Stage::InAnswer,
    Stage::InTransaction,
];

async fn drop_one(port: u16, number: usize) {
    let stage = STAGES[number % STAGES.len()];
    let mut raw = match stage {
        Stage::Connected => Raw::connect(port).await,
        Stage::Asked => {
            let mut raw = Raw::connect(port).await;
            raw.send(&start()).await.unwrap();
            raw
        }
        _ => Raw::enter(port).await,
    };
    match stage {
        Stage::Connected | Stage::Asked | Stage::Entered => {}
        Stage::InQuery => raw.send(&query(ENDLESS)).await.unwrap(),
        Stage::InAnswer => {
            raw.send(&query(WIDE)).await.unwrap();
            raw.receive().await.unwrap();
        }
        Stage::InTransaction => {
            raw.send(&query(&format!("BEGIN; CREATE SCHEMA d{number}; CREATE TABLE d{number}.t (a int)")))
                .await
                .unwrap();
            raw.until_ready().await.unwrap();
        }
    }
    if number.is_multiple_of(3) {
        // By a reset in the place of an orderly end.
        raw.socket.set_zero_linger().unwrap();
    }
}

#[test]
fn ten_thousand_connections_opened_and_dropped_leave_nothing() {
    run(async {
        let besieged = Besieged::start().await;
        let witness = besieged.client().await;
        let (count, port) = (Run::asked().pick(320, 10_000), besieged.port);
        // What a server keeps for good it has got by then.
        crowd(count / 4, 12, |number| drop_one(port, number)).await;
        let before = besieged.holdings(&witness).await;
        let good = Witness::begin(&besieged).await;
        crowd(count, 12, |number| drop_one(port, number)).await;
        good.end(&format!("{count} connections dropped")).await;
        let before = super::besieged::Holdings { sessions: 1, ..before };
        besieged.assert_as_before(&witness, before, 64 << 10).await;
    });
}

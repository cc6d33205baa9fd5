//! Lengths and counts that are too large, below nothing, or not those of what follows.

use super::besieged::Besieged;
use super::client::{Raw, message, packet, query, sqlstate, sync};
use crate::support::run;

const NUMBERS: [i32; 8] = [i32::MIN, -1, 0, 3, 1 << 26, (1 << 26) + 5, 0x7000_0000, i32::MAX];

/// The SQLSTATE of the one error in an answer; empty where there is none.
fn refusal(answer: &[u8]) -> String {
    if answer.first() == Some(&b'E') { sqlstate(&answer[5..]) } else { String::new() }
}

#[test]
fn packets_of_wrong_lengths_end_the_connection() {
    run(async {
        let besieged = Besieged::start().await;
        let before_login = [
            NUMBERS.map(|length| [&length.to_be_bytes()[..], &[0, 3, 0, 0]].concat()).to_vec(),
            vec![packet(3 << 16, b"user"), packet(3 << 16, b"user\0admin\0"), packet(3 << 16, b"\0\0\0")],
            vec![packet(2 << 16, b"\0"), packet(0, b""), packet(u32::MAX, b"\0"), packet(80_877_102, b"\0\0")],
        ];
        for bytes in before_login.concat() {
            let mut raw = Raw::connect(besieged.port).await;
            raw.send(&bytes).await.unwrap();
            // What is announced and never comes is waited for, up to the end of the start-up's time.
            tokio::io::AsyncWriteExt::shutdown(&mut raw.socket).await.unwrap();
            let answer = raw.until_end().await;
            assert!(
                answer.is_empty() || ["08P01", "0A000", "28000"].contains(&refusal(&answer).as_str()),
                "{answer:?}"
            );
        }
        for length in NUMBERS {
            for tag in [b'Q', b'P', b'B', b'd', b'X', 0, 255] {
                let mut raw = Raw::enter(besieged.port).await;
                raw.send(&[&[tag][..], &length.to_be_bytes()].concat()).await.unwrap();
                tokio::io::AsyncWriteExt::shutdown(&mut raw.socket).await.unwrap();
                let answer = raw.until_end().await;
                let expected = if (4..=(1 << 26) + 4).contains(&length) { "" } else { "08P01" };
                assert_eq!(refusal(&answer), expected, "{tag} {length}");
            }
        }
        besieged.assert_sound();
    });
}

#[test]
fn messages_of_wrong_counts_are_errors_and_not_the_end() {
    run(async {
        let besieged = Besieged::start().await;
        let mut raw = Raw::enter(besieged.port).await;
        let parsed = message(b'P', b"\0SELECT $1::int\0\0\0");
        for (bytes, expected) in [
            (message(b'P', b"\0SELECT 1\0\0\x01"), "E08P01 ZI"),
            (message(b'P', b"\0SELECT 1\0\xff\xff\0\0\0\x17"), "E08P01 ZI"),
            (message(b'P', b"\0SELECT 1\0\0\0more"), "E08P01 ZI"),
            (message(b'P', b"\0SELECT 1"), "E08P01 ZI"),
            ([parsed.clone(), message(b'B', b"\0\0\0\0\0\x02\0\0\0\x011\0\0\0\x012\0\0")].concat(), "1E08P01 ZI"),
            ([parsed.clone(), message(b'B', b"\0\0\0\0\0\0\0\0")].concat(), "1E08P01 ZI"),
            ([parsed.clone(), message(b'B', b"\0\0\0\0\x7f\xff")].concat(), "1E08P01 ZI"),
            ([parsed.clone(), message(b'B', b"\0\0\0\0\0\x01\x7f\xff\xff\xff1\0\0")].concat(), "1E08P01 ZI"),
            ([parsed.clone(), message(b'B', b"\0\0\0\0\0\x01\xff\xff\xff\xfe1\0\0")].concat(), "1E08P01 ZI"),
            ([parsed.clone(), message(b'B', b"\0\0\0\x03\0\0\0\0\0\0\0\x01\0\0\0\x011\0\0")].concat(), "1E08P01 ZI"),
            ([parsed, message(b'B', b"\0\0\0\0\0\x01\0\0\0\x011\0\x02\0\0\0\0")].concat(), "1E08P01 ZI"),
            (message(b'E', b"\0\0"), "E08P01 ZI"),
            (message(b'D', b""), "E08P01 ZI"),
            (message(b'D', b"Q\0"), "E08P01 ZI"),
            (message(b'C', b"S"), "E08P01 ZI"),
        ] {
            raw.send(&[bytes.clone(), sync()].concat()).await.unwrap();
            assert_eq!(raw.until_ready().await.unwrap(), expected, "{}", bytes.escape_ascii());
        }
        raw.send(&message(b'Q', b"SELECT 1")).await.unwrap();
        assert_eq!(raw.until_ready().await.unwrap(), "E08P01 ZI");
        besieged.assert_sound();
    });
}

#[test]
fn copied_rows_of_wrong_counts_are_errors_and_not_the_end() {
    run(async {
        let besieged = Besieged::start().await;
        let mut raw = Raw::enter(besieged.port).await;
        let header = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
        for row in [
            &b"\x7f\xff"[..],
            b"\0\x02\0\0\0\x04\0\0\0\x01",
            b"\0\x01\x7f\xff\xff\xff\0",
            b"\0\x01\xff\xff\xff\xfe\0",
            b"\0\x01\0\0\0\x09\0\0\0\0\0\0\0\0\x01",
            b"\0",
        ] {
            let begin = query("BEGIN; CREATE SCHEMA s; CREATE TABLE s.t (a int); COPY s.t FROM STDIN (FORMAT binary)");
            let rows = message(b'd', &[&header[..], row].concat());
            raw.send(&[begin, rows, message(b'c', b""), query("ROLLBACK")].concat()).await.unwrap();
            let (copied, ended) = (raw.until_ready().await.unwrap(), raw.until_ready().await.unwrap());
            assert!(copied.starts_with("CCCGE") && copied.ends_with("ZE"), "{copied} {}", row.escape_ascii());
            assert_eq!(ended, "CZI");
        }
        besieged.assert_sound();
    });
}

#[test]
fn requests_for_encryption_are_answered_once_each() {
    run(async {
        let besieged = Besieged::start().await;
        let (ssl, gss) = (packet(80_877_103, b""), packet(80_877_104, b""));
        let mut raw = Raw::connect(besieged.port).await;
        raw.send(&[gss.clone(), gss.clone()].concat()).await.unwrap();
        let answer = raw.until_end().await;
        assert_eq!((answer[0], refusal(&answer[1..]).as_str()), (b'N', "0A000"));
        // What stands in plain text behind the request is no packet of TLS.
        let mut raw = Raw::connect(besieged.port).await;
        raw.send(&[gss, ssl.clone(), super::client::start()].concat()).await.unwrap();
        let answer = raw.until_end().await;
        assert!(answer.starts_with(b"NS") && !answer[2..].contains(&b'R'), "{answer:?}");
        let mut raw = Raw::connect(besieged.port).await;
        raw.send(&[ssl.clone(), ssl].concat()).await.unwrap();
        assert!(raw.until_end().await.starts_with(b"S"));
        besieged.assert_sound();
    });
}

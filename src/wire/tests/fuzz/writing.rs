//! What a client may send, right and wrong: packets before the login, messages of a login, messages of a session.

use super::dice::Dice;
use crate::wire::tests::message;

/// Statements that are cheap and differ in what the protocol makes of them.
const STATEMENTS: &[&str] = &[
    "SELECT 1",
    "SELECT 1, 'a', NULL, 1.5, true, now()",
    "SELECT $1::int + 1",
    "SELECT $1, $2::text",
    "SELECT n FROM generate_series(1, 7) AS n",
    "SELECT n, repeat('x', n) FROM generate_series(1, 300) AS n",
    "SELECT 1; SELECT 2; SELECT 3",
    "SELECT 1; SELECT nothing; SELECT 3",
    "SELECT 1 / 0",
    "SELECT 'x'::int",
    "SELECT * FROM nothing",
    "SELECT * FROM numbers WHERE number = $1",
    "SELEC",
    "",
    ";",
    "SELECT '",
    "BEGIN",
    "COMMIT",
    "ROLLBACK",
    "SAVEPOINT s",
    "ROLLBACK TO s",
    "RELEASE s",
    "BEGIN; SELECT 1; SELECT nothing",
    "SET TimeZone = 'UTC'",
    "SET nothing = 1",
    "SHOW search_path",
    "RESET ALL",
    "DISCARD ALL",
    "EXPLAIN SELECT 1",
    "PREPARE a AS SELECT $1::int",
    "EXECUTE a(1)",
    "DEALLOCATE a",
    "DEALLOCATE ALL",
    "DECLARE c CURSOR FOR SELECT n FROM generate_series(1, 9) AS n",
    "DECLARE h CURSOR WITH HOLD FOR SELECT 1",
    "FETCH 2 FROM c",
    "FETCH ALL FROM c",
    "MOVE 1 FROM c",
    "CLOSE c",
    "CLOSE ALL",
    "COPY (SELECT n, 'a' FROM generate_series(1, 3) AS n) TO STDOUT",
    "COPY (SELECT 1) TO STDOUT (FORMAT binary)",
    "COPY (SELECT 1, NULL) TO STDOUT (FORMAT csv, HEADER)",
    "COPY numbers FROM STDIN",
    "BEGIN; CREATE SCHEMA f; CREATE TABLE f.t (a int, b text); COPY f.t FROM STDIN",
    "BEGIN; CREATE SCHEMA g; CREATE TABLE g.t (a int, b text); COPY g.t FROM STDIN (FORMAT binary)",
    "BEGIN; CREATE SCHEMA k; CREATE TABLE k.t (a int, b text); COPY k.t FROM STDIN (FORMAT csv); SELECT 1",
];

const NAMES: &[&str] =
    &["", "", "a", "b", "c", "é", "a name that is longer than any name of an object may be, by far and by much"];

const NUMBERS: &[i32] = &[0, 1, 2, 3, 4, 5, 7, 8, 255, 4096, 65_535, 65_536, i32::MAX, i32::MIN, -1, -2, -4];

/// Rows of a COPY, of any form.
const ROWS: &[&[u8]] = &[b"1\tone\n", b"2,two\n", b"\\.\n", b"x\ty\tz\n", b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0\0\x02"];

fn name(dice: &mut Dice) -> Vec<u8> {
    let mut text = dice.pick(NAMES).as_bytes().to_vec();
    text.push(0);
    text
}

fn statement(dice: &mut Dice) -> Vec<u8> {
    let mut text = dice.pick(STATEMENTS).as_bytes().to_vec();
    text.push(0);
    text
}

/// A count, mostly that of what follows.
fn count(dice: &mut Dice, true_one: usize) -> [u8; 2] {
    let number = if dice.chance(6) { *dice.pick(NUMBERS) } else { true_one as i32 };
    (number as u16).to_be_bytes()
}

/// One message of a session.
pub fn of_session(dice: &mut Dice) -> Vec<u8> {
    match dice.below(20) {
        0..=3 => message(b'Q', &statement(dice)),
        4..=6 => message(b'P', &parse(dice)),
        7..=9 => message(b'B', &bind(dice)),
        10..=11 => message(b'D', &[&[*dice.pick(b"SPSPX")][..], &name(dice)].concat()),
        12..=14 => message(b'E', &[&name(dice)[..], &dice.pick(NUMBERS).to_be_bytes()].concat()),
        15 => message(b'C', &[&[*dice.pick(b"SPSPX")][..], &name(dice)].concat()),
        16 => message(b'S', &[]),
        17 => message(*dice.pick(b"HHFXp"), &[]),
        18 => match dice.below(4) {
            0 => message(b'c', &[]),
            1 => message(b'f', b"no more\0"),
            2 => message(b'd', &dice.bytes(40)),
            _ => {
                let row = *dice.pick(ROWS);
                message(b'd', row)
            }
        },
        _ => message(dice.byte(), &dice.bytes(12)),
    }
}

fn parse(dice: &mut Dice) -> Vec<u8> {
    let oids: Vec<u32> = (0..dice.below(3)).map(|_| *dice.pick(&[0, 23, 25, 20, 1700, 16, 1082, 99_999])).collect();
    let mut body = [name(dice), statement(dice)].concat();
    body.extend_from_slice(&count(dice, oids.len()));
    oids.iter().for_each(|oid| body.extend_from_slice(&oid.to_be_bytes()));
    body
}

fn bind(dice: &mut Dice) -> Vec<u8> {
    let mut body = [name(dice), name(dice)].concat();
    formats(dice, &mut body);
    let values = dice.below(3);
    body.extend_from_slice(&count(dice, values));
    for _ in 0..values {
        match dice.below(4) {
            0 => body.extend_from_slice(&(-1_i32).to_be_bytes()),
            1 => value(&mut body, b"41"),
            2 => value(&mut body, &41_i32.to_be_bytes()),
            _ => {
                let bytes = dice.bytes(10);
                value(&mut body, &bytes);
            }
        }
    }
    formats(dice, &mut body);
    body
}

fn value(body: &mut Vec<u8>, bytes: &[u8]) {
    body.extend_from_slice(&(bytes.len() as i32).to_be_bytes());
    body.extend_from_slice(bytes);
}

fn formats(dice: &mut Dice, body: &mut Vec<u8>) {
    let codes: Vec<i16> = (0..dice.below(3)).map(|_| *dice.pick(&[0, 0, 1, 1, 2])).collect();
    body.extend_from_slice(&count(dice, codes.len()));
    codes.iter().for_each(|code| body.extend_from_slice(&code.to_be_bytes()));
}

/// One packet before the login.
pub fn of_greeting(dice: &mut Dice) -> Vec<u8> {
    let (code, body) = match dice.below(8) {
        0 => (80_877_103, Vec::new()),
        1 => (80_877_104, Vec::new()),
        2 => (80_877_102, [dice.pick(NUMBERS).to_be_bytes(), dice.pick(NUMBERS).to_be_bytes()].concat()),
        3 => (dice.pick(NUMBERS).to_owned() as u32, dice.bytes(20)),
        _ => (*dice.pick(&[3 << 16, 3 << 16, 3 << 16, (3 << 16) + 2, 2 << 16, 4 << 16]), parameters(dice)),
    };
    packet(code, &body)
}

fn parameters(dice: &mut Dice) -> Vec<u8> {
    let mut body = Vec::new();
    for _ in 0..1 + dice.below(4) {
        let (name, value) = *dice.pick(&[
            ("user", "hq"),
            ("user", "nobody"),
            ("user", super::PLANTED),
            ("database", "henna"),
            ("database", "shop"),
            ("options", "-c statement_timeout=7s"),
            ("options", r"-c a\"),
            ("replication", "true"),
            ("_pq_.more", "1"),
            ("TimeZone", "Mars/Base"),
            ("application_name", "é"),
            ("", "x"),
        ]);
        body.extend_from_slice(name.as_bytes());
        body.push(0);
        body.extend_from_slice(value.as_bytes());
        body.push(0);
    }
    body.push(0);
    body
}

pub fn packet(code: u32, body: &[u8]) -> Vec<u8> {
    [&(body.len() as u32 + 8).to_be_bytes()[..], &code.to_be_bytes(), body].concat()
}

/// One message of a login that goes wrong.
pub fn of_login(dice: &mut Dice) -> Vec<u8> {
    const FIRST: &[&str] =
        &["n,,n=,r=abc", "y,,n=,r=abc", "p=tls-server-end-point,,n=,r=abc", "n,a=x,n=,r=abc", "n,,", ",,,,", "é"];
    const LAST: &[&str] = &["c=biws,r=abc,p=AAAA", "c=biws,r=", "p=", "c=eSws,r=abc,p=AAAA", "\0"];
    match dice.below(4) {
        0..=1 => {
            let first = dice.pick(FIRST).as_bytes();
            let length = if dice.chance(80) { first.len() as i32 } else { *dice.pick(NUMBERS) };
            let mechanism = *dice.pick(&["SCRAM-SHA-256", "SCRAM-SHA-256", "SCRAM-SHA-256-PLUS", "PLAIN", ""]);
            message(b'p', &[mechanism.as_bytes(), &[0], &length.to_be_bytes(), first].concat())
        }
        2 => message(b'p', dice.pick(LAST).as_bytes()),
        _ => message(*dice.pick(b"pQXS"), &dice.bytes(30)),
    }
}

/// The messages with one thing changed: a message taken out, repeated, moved, or its bytes.
pub fn changed(dice: &mut Dice, pieces: &mut Vec<Vec<u8>>, fresh: fn(&mut Dice) -> Vec<u8>) {
    let (at, to) = match pieces.len() {
        0 => return pieces.push(fresh(dice)),
        count => (dice.below(count), dice.below(count)),
    };
    match dice.below(9) {
        0 => drop(pieces.remove(at)),
        1 => pieces.insert(to, pieces[at].clone()),
        2 => pieces.swap(at, to),
        3..=4 => pieces.insert(at, fresh(dice)),
        5 => pieces[at] = fresh(dice),
        6 => {
            let length = pieces[at].len();
            pieces[at].truncate(dice.below(length + 1));
        }
        7 => {
            // The length of the message, in its head.
            let number = dice.pick(NUMBERS).to_be_bytes();
            if let Some(head) = pieces[at].get_mut(1..5) {
                head.copy_from_slice(&number);
            }
        }
        _ => {
            let length = pieces[at].len();
            if length > 0 {
                let (place, byte) = (dice.below(length), dice.byte());
                pieces[at][place] = byte;
            }
        }
    }
}

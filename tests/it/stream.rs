//! kill -9 of a server at random moments while clients send rows: what was acknowledged is there, once, and what was not is
//! sent again under its key and then is there once as well. HENNA_TEST_SEED repeats a run, HENNA_TEST_ROUNDS makes it longer.

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::support::{ADMIN_PASSWORD, folder, henna, ran};

const ROUNDS: usize = 4;
const CLIENTS: usize = 6;
const ROWS: usize = 40;

/// A table without a key takes every row that comes: a load that is done twice shows.
const TABLES: [&str; 2] = ["visits", "orders"];

struct Server {
    child: Child,
    port: u16,
}

impl Server {
    fn start(lake: &Path) -> Self {
        let mut command = henna(lake);
        command.args(["serve", "--listen", "127.0.0.1:0", "--web", "127.0.0.1:0"]).env("HENNA_UPKEEP", "300ms");
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.as_mut().unwrap()).lines();
        let line = lines.map(Result::unwrap).find(|line| line.contains("http://")).unwrap();
        let port = line.rsplit(':').next().unwrap().trim().parse().unwrap();
        Self { child, port }
    }

    fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

/// Status and body of the answer.
fn post(port: u16, table: &str, key: &str, body: &str) -> io::Result<(u16, String)> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(Duration::from_secs(60)))?;
    let token = STANDARD.encode(format!("admin:{ADMIN_PASSWORD}"));
    write!(
        stream,
        "POST /v1/load/{table} HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\nauthorization: Basic {token}\r\n\
         content-type: text/csv\r\nidempotency-key: {key}\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok());
    let status = status.ok_or_else(|| io::Error::from(io::ErrorKind::UnexpectedEof))?;
    Ok((status, answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).unwrap_or_default()))
}

fn body(table: &str, client: usize, number: usize) -> String {
    let rows = (0..ROWS).map(|row| match table {
        "visits" => format!("{client},{number},{row}"),
        _ => format!(
            "tmall,{client}-{number}-{row},2026-{:02}-03 10:00:00,paid,1.25,1380{:07}",
            row % 4 + 1,
            row + 1_000_000
        ),
    });
    let header =
        if table == "visits" { "client,load,row" } else { "channel,order_id,order_time,status,paid_amount,id_phone" };
    std::iter::once(header.to_owned()).chain(rows).map(|row| row + "\n").collect()
}

fn number(lake: &Path, sql: &str) -> usize {
    let told = ran(henna(lake).args(["sql", "--format", "csv", "-c", sql])).ok().out;
    told.lines().nth(1).unwrap().parse().unwrap()
}

fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|text| text.parse().ok())
}

/// Sends loads until the server dies; gives what is sent and was not answered, as the next to send.
fn send(port: u16, client: usize, first: usize, answered: &AtomicUsize, is_over: &AtomicBool) -> usize {
    let mut number = first;
    while !is_over.load(Ordering::Relaxed) {
        let table = TABLES[number % 2];
        match post(port, table, &format!("{client}-{number}"), &body(table, client, number)) {
            Ok((200, told)) => {
                assert!(told.contains(&format!("\"rows_added\":{ROWS},")), "{told}");
                answered.fetch_add(1, Ordering::Relaxed);
                number += 1;
            }
            Ok((status, told)) => panic!("client {client}, load {number}: {status} {told}"),
            Err(_) => return number,
        }
    }
    number
}

#[test]
fn a_killed_server_keeps_what_it_acknowledged_and_a_repeated_load_is_there_once() {
    let seed = setting("HENNA_TEST_SEED").unwrap_or_else(|| rand::rng().random());
    println!("HENNA_TEST_SEED={seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let folder = folder();
    let lake = folder.path().join("lake");
    ran(henna(&lake).arg("init")).ok();
    ran(henna(&lake).args(["sql", "-c", "CREATE TABLE visits (client int, load int, row int)"])).ok();
    let answered = Arc::new(AtomicUsize::new(0));
    let next = Arc::new(Mutex::new(BTreeMap::<usize, usize>::new()));
    let rounds = setting("HENNA_TEST_ROUNDS").map_or(ROUNDS, |rounds| rounds as usize);
    for round in 0..=rounds {
        let server = Server::start(&lake);
        let is_over = Arc::new(AtomicBool::new(false));
        let clients: Vec<_> = (0..CLIENTS)
            .map(|client| {
                let (answered, next, is_over) = (Arc::clone(&answered), Arc::clone(&next), Arc::clone(&is_over));
                let (port, first) = (server.port, next.lock().unwrap().get(&client).copied().unwrap_or(0));
                std::thread::spawn(move || {
                    let reached = send(port, client, first, &answered, &is_over);
                    next.lock().unwrap().insert(client, reached);
                })
            })
            .collect();
        // Long enough for a few commits, and the last time to their end.
        std::thread::sleep(Duration::from_millis(random.random_range(500..4_000)));
        if round < rounds {
            server.kill();
            clients.into_iter().for_each(|client| client.join().unwrap());
            let told = ran(henna(&lake).arg("check"));
            assert_eq!(told.code, 0, "round {round}: {}{}", told.out, told.err);
        } else {
            is_over.store(true, Ordering::Relaxed);
            clients.into_iter().for_each(|client| client.join().unwrap());
            server.kill();
        }
    }
    let reached = next.lock().unwrap().clone();
    let (loads, answered) = (reached.values().sum::<usize>(), answered.load(Ordering::Relaxed));
    // Each was answered once: a load whose answer was lost was answered when it was sent again.
    assert_eq!(loads, answered);
    let visits: usize = reached.values().map(|reached| reached.div_ceil(2)).sum();
    let orders: usize = reached.values().map(|reached| reached / 2).sum();
    assert_eq!(number(&lake, "SELECT count(*) FROM visits"), visits * ROWS);
    assert_eq!(
        number(&lake, "SELECT count(*) FROM (SELECT DISTINCT client, load, row FROM visits) AS v"),
        visits * ROWS
    );
    assert_eq!(number(&lake, "SELECT count(*) FROM orders"), orders * ROWS);
    assert_eq!(number(&lake, "SELECT count(DISTINCT one_id) FROM orders"), ROWS);
    ran(henna(&lake).arg("check")).ok();
    println!("{answered} loads were answered, {rounds} servers killed");
    assert!(answered > 4 * rounds, "the server was killed before it did anything");
}

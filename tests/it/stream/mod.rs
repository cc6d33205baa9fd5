//! kill -9 at random moments while all that writes is at work: rows over HTTP, INSERT and COPY over the wire, `henna load`,
//! compaction and vacuum. What was acknowledged is there, once; what was not is there whole or not at all, is sent again, and
//! then is there once as well. HENNA_TEST_SEED repeats a run, HENNA_TEST_ROUNDS makes it longer.

mod http;
mod processes;
mod wire;

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use self::http::Http;
pub use self::http::post;
use self::processes::{Files, Upkeep};
pub use self::wire::connected;
use self::wire::{Way, Wire};
use super::support::{folder, henna, ran};

const ROUNDS: usize = 4;
/// Rows of a load.
const ROWS: usize = 40;
/// Orders that every `henna load` brings in a newer version.
const SHARED: usize = 15;

pub struct Server {
    child: Child,
    pub wire: u16,
    pub web: u16,
}

impl Server {
    pub fn start(lake: &Path) -> Self {
        let mut command = henna(lake);
        command.args(["serve", "--listen", "127.0.0.1:0", "--web", "127.0.0.1:0"]).env("HENNA_UPKEEP", "300ms");
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.as_mut().unwrap()).lines().map(Result::unwrap);
        let mut port = |told: &str| -> u16 {
            let line = lines.find(|line| line.contains(told)).unwrap();
            let port = line.rsplit("127.0.0.1:").next().unwrap().split_whitespace().next().unwrap();
            port.parse().unwrap()
        };
        let (wire, web) = (port("serving"), port("http://"));
        drop(lines);
        Self { child, wire, web }
    }

    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

/// What writers know of the round that they are in.
struct Round {
    lake: PathBuf,
    wire: u16,
    web: u16,
    /// The server was killed, and every process is to be.
    is_cut: AtomicBool,
    /// Nothing new is to be begun.
    is_over: AtomicBool,
}

impl Round {
    fn goes_on(&self) -> bool {
        !self.is_over.load(Ordering::SeqCst)
    }

    fn is_cut(&self) -> bool {
        self.is_cut.load(Ordering::SeqCst)
    }
}

/// One that writes loads, one after the other.
trait Writer: Send {
    /// Finds out what became of a load whose answer was lost. The lake stands still meanwhile.
    fn settle(&mut self, _lake: &Path) {}
    /// Writes until the round is over or the server is gone.
    fn write(&mut self, round: &Round);
    /// Loads that were acknowledged, or found to be there.
    fn done(&self) -> usize;
    /// Processes that were killed.
    fn killed(&self) -> usize {
        0
    }
}

pub fn number(lake: &Path, sql: &str) -> usize {
    let told = ran(henna(lake).args(["sql", "--format", "csv", "-c", sql])).ok().out;
    told.lines().nth(1).unwrap().parse().unwrap()
}

fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|text| text.parse().ok())
}

type Writers = Vec<(&'static str, Box<dyn Writer>)>;

fn writers(folder: &Path, seed: u64) -> Writers {
    let mut writers = Writers::new();
    for client in 0..4 {
        writers.push(("over HTTP", Box::new(Http::new(client))));
    }
    for (client, way) in [(0, Way::Insert), (1, Way::Copy)] {
        writers.push((way.name(), Box::new(Wire::new(client, way))));
    }
    writers.push(("by henna load", Box::new(Files::new(folder, seed))));
    writers.push(("verbs of upkeep", Box::new(Upkeep::new(seed))));
    writers
}

/// Lets all write for a while; whether the server is killed then.
fn write(lake: &Path, writers: Writers, span: Duration, is_killed: bool) -> Writers {
    let server = Server::start(lake);
    let (is_cut, is_over) = (AtomicBool::new(false), AtomicBool::new(false));
    let round = Arc::new(Round { lake: lake.to_path_buf(), wire: server.wire, web: server.web, is_cut, is_over });
    let threads: Vec<_> = writers
        .into_iter()
        .map(|(name, mut writer)| {
            let round = Arc::clone(&round);
            std::thread::spawn(move || {
                writer.write(&round);
                (name, writer)
            })
        })
        .collect();
    std::thread::sleep(span);
    let mut server = Some(server);
    if is_killed {
        server.take().into_iter().for_each(Server::kill);
        round.is_cut.store(true, Ordering::SeqCst);
    }
    round.is_over.store(true, Ordering::SeqCst);
    let writers = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
    server.into_iter().for_each(Server::kill);
    writers
}

#[test]
fn what_is_killed_keeps_what_it_acknowledged_and_a_repeated_load_is_there_once() {
    let seed = setting("HENNA_TEST_SEED").unwrap_or_else(|| rand::rng().random());
    println!("HENNA_TEST_SEED={seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let folder = folder();
    let lake = folder.path().join("lake");
    ran(henna(&lake).arg("init")).ok();
    for table in ["visits", "notes"] {
        ran(henna(&lake).args(["sql", "-c", &format!("CREATE TABLE {table} (client int, load int, row int)")])).ok();
    }
    let rounds = setting("HENNA_TEST_ROUNDS").map_or(ROUNDS, |rounds| rounds as usize);
    let mut writers = writers(folder.path(), seed);
    for round in 0..=rounds {
        // Long enough for a few commits, and the last time to their end.
        let span = Duration::from_millis(random.random_range(500..4_000));
        writers = write(&lake, writers, span, round < rounds);
        let told = ran(henna(&lake).arg("check"));
        assert_eq!(told.code, 0, "round {round}: {}{}", told.out, told.err);
        writers.iter_mut().for_each(|(_, writer)| writer.settle(&lake));
    }
    let done = |wanted: &str| -> Vec<usize> {
        writers.iter().filter(|(name, _)| *name == wanted).map(|(_, writer)| writer.done()).collect()
    };
    let (http, files) = (done("over HTTP"), done("by henna load").iter().sum::<usize>());
    let visits: usize = http.iter().map(|done| done.div_ceil(2)).sum();
    let orders: usize = http.iter().map(|done| done / 2).sum();
    let notes: usize = done("by INSERT").iter().chain(&done("by COPY")).sum();
    for (table, loads) in [("visits", visits), ("notes", notes)] {
        assert_eq!(number(&lake, &format!("SELECT count(*) FROM {table}")), loads * ROWS, "{table}");
        let distinct = format!("SELECT count(*) FROM (SELECT DISTINCT client, load, row FROM {table}) AS t");
        assert_eq!(number(&lake, &distinct), loads * ROWS, "{table}");
    }
    let shared = if files > 0 { SHARED } else { 0 };
    assert_eq!(number(&lake, "SELECT count(*) FROM orders"), (orders + files) * ROWS + shared);
    assert_eq!(number(&lake, "SELECT count(DISTINCT one_id) FROM orders"), ROWS);
    let newest = format!("SELECT count(*) FROM orders WHERE order_id LIKE 'shared-%' AND paid_amount = {files}");
    assert_eq!(number(&lake, &newest), shared);
    ran(henna(&lake).arg("check")).ok();
    let killed: usize = writers.iter().map(|(_, writer)| writer.killed()).sum();
    println!(
        "{} loads were acknowledged: {} over HTTP, {} by INSERT, {} by COPY, {files} by henna load, beside {} compactions \
         and vacuums; {rounds} servers and {killed} other processes were killed; all rows are there once",
        http.iter().sum::<usize>() + notes + files,
        http.iter().sum::<usize>(),
        done("by INSERT")[0],
        done("by COPY")[0],
        done("verbs of upkeep")[0],
    );
    assert!(http.iter().sum::<usize>() > 2 * rounds && notes > rounds, "nothing was done before the server was killed");
}

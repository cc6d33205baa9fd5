//! A server in a process of its own: what it holds, what it says on standard error, and how soon it answers a good client.

use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::task::JoinHandle;
use tokio_postgres::{Client, NoTls};

use crate::support::{ADMIN_PASSWORD, folder, henna, port_of, sales_files};

/// What is let go of is gone by then.
const SETTLED_MAX: Duration = Duration::from_secs(30);
/// What a good client waits for an answer, however many bad ones there are: on a machine that builds beside its tests, too.
pub const LATENCY_MAX: Duration = Duration::from_secs(10);

pub struct Besieged {
    child: Child,
    pub port: u16,
    log: PathBuf,
    _folder: tempfile::TempDir,
}

/// What the server held at one moment.
#[derive(Debug, Clone, Copy)]
pub struct Holdings {
    pub memory_kb: u64,
    pub files: usize,
    pub sessions: i64,
}

impl Besieged {
    pub async fn start() -> Self {
        let folder = folder();
        let (root, log) = (folder.path().join("lake"), folder.path().join("log"));
        sales_files(&root).await;
        let mut command = henna(&root);
        command.args(["serve", "--listen", "127.0.0.1:0", "--web", "off"]);
        command.stdout(Stdio::piped()).stderr(std::fs::File::create(&log).unwrap());
        let mut child = command.spawn().unwrap();
        let port = port_of(&mut child);
        Self { child, port, log, _folder: folder }
    }

    pub async fn client(&self) -> Client {
        client(self.port).await
    }

    /// Waits until sessions and files are as few as they were, and asserts that memory is, within `grown_kb_max`.
    pub async fn assert_as_before(&self, witness: &Client, before: Holdings, grown_kb_max: u64) {
        let deadline = Instant::now() + SETTLED_MAX;
        let mut now = self.holdings(witness).await;
        while now.sessions > before.sessions || now.files > before.files + 2 {
            assert!(Instant::now() < deadline, "{before:?} before, {now:?} after");
            tokio::time::sleep(Duration::from_millis(20)).await;
            now = self.holdings(witness).await;
        }
        println!("held before {before:?}, after {now:?}");
        assert!(now.memory_kb <= before.memory_kb + grown_kb_max, "{before:?} before, {now:?} after");
        self.assert_sound();
    }

    pub async fn holdings(&self, witness: &Client) -> Holdings {
        let process = PathBuf::from(format!("/proc/{}", self.child.id()));
        let status = std::fs::read_to_string(process.join("status")).unwrap();
        let memory = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        Holdings {
            memory_kb: memory.trim().trim_end_matches(" kB").parse().unwrap(),
            files: std::fs::read_dir(process.join("fd")).unwrap().count(),
            sessions: witness.query_one("SELECT count(*) FROM henna.activity", &[]).await.unwrap().get(0),
        }
    }

    /// It has not panicked, and it lives.
    pub fn assert_sound(&self) {
        let said = std::fs::read_to_string(&self.log).unwrap();
        assert!(!said.contains("panicked") && !said.contains("overflow"), "{said}");
        assert!(
            std::path::Path::new(&format!("/proc/{}/fd", self.child.id())).exists(),
            "the server has ended: {said}"
        );
    }
}

impl Drop for Besieged {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

async fn client(port: u16) -> Client {
    let mut config = tokio_postgres::Config::new();
    config.host("127.0.0.1").port(port).user("admin").password(ADMIN_PASSWORD).dbname("henna");
    let (client, connection) = config.connect(NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

/// Good clients while bad ones do what they do: one that stays and asks, and one after the other that logs in, asks and leaves.
pub struct Witness {
    over: Arc<AtomicBool>,
    asking: JoinHandle<(usize, Duration)>,
    entering: JoinHandle<(usize, Duration)>,
}

impl Witness {
    pub async fn begin(besieged: &Besieged) -> Self {
        let (over, port) = (Arc::new(AtomicBool::new(false)), besieged.port);
        let goes_on = |over: &Arc<AtomicBool>| {
            let over = Arc::clone(over);
            move || !over.load(Ordering::Relaxed)
        };
        let (asks, enters) = (goes_on(&over), goes_on(&over));
        let staying = client(port).await;
        let asking = tokio::spawn(async move {
            let mut worst = (0, Duration::ZERO);
            while asks() {
                let begun = Instant::now();
                let sum: i64 =
                    staying.query_one("SELECT sum(n) FROM generate_series(1, 100) AS n", &[]).await.unwrap().get(0);
                assert_eq!(sum, 5050);
                worst = (worst.0 + 1, worst.1.max(begun.elapsed()));
            }
            worst
        });
        let entering = tokio::spawn(async move {
            let mut worst = (0, Duration::ZERO);
            while enters() {
                let begun = Instant::now();
                client(port).await.simple_query("SELECT 1").await.unwrap();
                worst = (worst.0 + 1, worst.1.max(begun.elapsed()));
            }
            worst
        });
        Self { over, asking, entering }
    }

    /// Asserts that they were served all along.
    pub async fn end(self, during: &str) {
        self.over.store(true, Ordering::Relaxed);
        let ((asked, slowest), (entered, slowest_login)) = (self.asking.await.unwrap(), self.entering.await.unwrap());
        println!(
            "{during}: {asked} answers, the slowest after {slowest:?}; {entered} logins, the slowest after {slowest_login:?}"
        );
        assert!(asked > 0 && entered > 0);
        assert!(slowest.max(slowest_login) < LATENCY_MAX, "{slowest:?} {slowest_login:?}");
    }
}

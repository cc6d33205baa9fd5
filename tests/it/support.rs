//! What tests share: the demo's lake, made once; a server in front of a lake; a client of either door.

use std::fmt;
use std::future::Future;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use futures::TryStreamExt;
use henna::cli::serve::LakeBackend;
use henna::config::TlsPolicy;
use henna::dataset::{Dataset, write_samples};
use henna::query::{Answer, Lake, Opening, STACK_BYTES, Session, failure};
use henna::wire;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::sync::OnceCell;
use tokio_postgres::error::ErrorPosition;
use tokio_postgres::{Client, Config, NoTls, SimpleQueryMessage};
use tokio_util::sync::CancellationToken;

pub const ADMIN_PASSWORD: &str = "test-admin";
pub const DEMO_PASSWORD: &str = "henna-demo";
/// Size of the shared demo lake: about 2,000 orders.
const PERMILLE: u32 = 20;
/// No statement of a test runs longer.
const STATEMENT_TIMEOUT: Duration = Duration::from_secs(120);

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    tokio::runtime::Builder::new_multi_thread().thread_stack_size(STACK_BYTES).enable_all().build().unwrap()
});

/// Runs a test on the runtime on which the servers live.
pub fn run<F: Future>(work: F) -> F::Output {
    RUNTIME.block_on(work)
}

/// Folder of this process under the build's own; what dead processes left there goes.
static SCRATCH: LazyLock<PathBuf> = LazyLock::new(|| {
    let root = Path::new(env!("CARGO_TARGET_TMPDIR"));
    for entry in std::fs::read_dir(root).into_iter().flatten().flatten() {
        let owner = entry.file_name().to_string_lossy().rsplit('-').next().and_then(|pid| pid.parse::<u32>().ok());
        if owner.is_some_and(|pid| !Path::new(&format!("/proc/{pid}")).exists()) {
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
    let folder = root.join(format!("it-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    folder
});

/// A new folder that goes when the value is dropped.
pub fn folder() -> tempfile::TempDir {
    tempfile::tempdir_in(&*SCRATCH).unwrap()
}

/// The program, its lake set, its settings those that are shipped.
pub fn henna(lake: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_henna"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("HENNA_")) {
        command.env_remove(name);
    }
    command.current_dir(&*SCRATCH).env("HENNA_ADMIN_PASSWORD", ADMIN_PASSWORD).env("HENNA_LOG", "warn");
    command.arg("--lake").arg(lake);
    command
}

/// Runs the program; what it printed, and its exit code.
pub fn ran(command: &mut Command) -> Ran {
    let output = command.stdin(Stdio::null()).output().unwrap();
    Ran::from(output)
}

pub struct Ran {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

impl Ran {
    pub fn ok(self) -> Self {
        assert_eq!(self.code, 0, "out: {}\nerr: {}", self.out, self.err);
        self
    }

    /// Asserts that it ended with `code` and told each of `told` on standard error.
    #[track_caller]
    pub fn refused(self, code: i32, told: &[&str]) -> Self {
        assert_eq!(self.code, code, "out: {}\nerr: {}", self.out, self.err);
        for part in told {
            assert!(self.err.contains(part), "'{part}' is not in: {}", self.err);
        }
        self
    }
}

/// `henna serve` in a process of its own on a free port, and the port.
pub fn server(lake: &Path) -> (Child, u16) {
    let mut command = henna(lake);
    command.args(["serve", "--listen", "127.0.0.1:0", "--web", "off"]).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let port = port_of(&mut child);
    (child, port)
}

/// The port on which a server listens that tells of itself.
pub fn port_of(child: &mut Child) -> u16 {
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    let address = line.split("127.0.0.1:").nth(1).unwrap();
    address.split_whitespace().next().unwrap().parse().unwrap()
}

/// The files of the demo's lake in `folder`, with no server in front of them.
pub async fn demo_files(folder: &Path) {
    copy_folder(demo_root().await, folder);
}

/// The same of the small lake.
pub async fn sales_files(folder: &Path) {
    copy_folder(sales_root().await, folder);
}

/// The demo's lake on disk: tables filled by `henna load`, users made. Made once; tests that change it take a copy.
async fn demo_root() -> &'static Path {
    static ROOT: OnceCell<PathBuf> = OnceCell::const_new();
    ROOT.get_or_init(|| async {
        let root = SCRATCH.join("demo");
        let dataset = Dataset::shipped("retail").unwrap();
        ran(henna(&root).arg("init")).ok();
        let files = folder();
        for file in write_samples(&dataset, files.path(), PERMILLE).await.unwrap() {
            ran(henna(&root).args(["load", &file.table]).arg(&file.path)).ok();
        }
        let lake = Lake::open(&root.to_string_lossy()).await.unwrap();
        let admin = lake.session(lake.principal("admin").unwrap()).await.unwrap();
        admin.run_script("demo.sql", dataset.demo_sql.as_deref().unwrap()).await.unwrap();
        root
    })
    .await
}

/// The lake of tests/postgres/dataset, its rows loaded. Made once; every test takes a copy.
async fn sales_root() -> &'static Path {
    static ROOT: OnceCell<PathBuf> = OnceCell::const_new();
    ROOT.get_or_init(|| async {
        let (root, dataset) =
            (SCRATCH.join("sales"), Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/postgres/dataset"));
        ran(henna(&root).args(["init", "--dataset"]).arg(&dataset)).ok();
        for table in ["sales", "stores", "wages"] {
            ran(henna(&root).args(["load", table]).arg(dataset.join(format!("rows/{table}.csv")))).ok();
        }
        root
    })
    .await
}

/// A lake and a server in front of it.
pub struct House {
    pub lake: Lake,
    pub address: SocketAddr,
    shutdown: CancellationToken,
    _folder: Option<tempfile::TempDir>,
}

impl Drop for House {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

impl House {
    /// The demo's, shared: whoever changes something in it puts it back.
    pub async fn shared() -> &'static Self {
        static HOUSE: OnceCell<House> = OnceCell::const_new();
        // A copy too: a server writes its audit log, and what is copied from must stand still.
        HOUSE.get_or_init(Self::copy).await
    }

    /// A copy of the demo's, to be changed at will.
    pub async fn copy() -> Self {
        Self::copy_of(demo_root().await).await
    }

    /// A copy of the small lake that PostgreSQL is compared on, to be changed at will.
    pub async fn sales() -> Self {
        Self::copy_of(sales_root().await).await
    }

    async fn copy_of(lake: &Path) -> Self {
        let folder = folder();
        let root = folder.path().join("lake");
        copy_folder(lake, &root);
        Self::serve(&root, Some(folder)).await
    }

    /// A server on a free port in front of the lake in `root`; `folder` goes with it.
    pub async fn serve(root: &Path, folder: Option<tempfile::TempDir>) -> Self {
        let lake = Lake::open(&root.to_string_lossy()).await.unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let settings = wire::Settings {
            tls: TlsPolicy::Allow,
            identity: Some(wire::tls::certificate(&root.join("tls")).unwrap()),
            connections_max: 100,
            idle_max: None,
            drain_max: Duration::ZERO,
        };
        let backend = Arc::new(LakeBackend::new(lake.clone(), Some(STATEMENT_TIMEOUT)));
        let shutdown = CancellationToken::new();
        tokio::spawn(wire::serve(listener, backend, settings, shutdown.clone()));
        Self { lake, address, shutdown, _folder: folder }
    }

    /// A client over the wire.
    pub async fn wire(&self, user: &str) -> Wire {
        let password = if user == "admin" { ADMIN_PASSWORD } else { DEMO_PASSWORD };
        self.login(user, password, &[]).await.unwrap()
    }

    /// Logs in over the wire; `options` are settings of the start-up message (`-c name=value`).
    pub async fn login(&self, user: &str, password: &str, options: &[(&str, &str)]) -> Result<Wire, Refusal> {
        let mut config = Config::new();
        config.host(self.address.ip().to_string()).port(self.address.port()).dbname("henna");
        config.user(user).password(password).connect_timeout(Duration::from_secs(30));
        let options: Vec<String> = options.iter().map(|(name, value)| format!("-c {name}={value}")).collect();
        if !options.is_empty() {
            config.options(options.join(" "));
        }
        let (client, connection) = config.connect(NoTls).await.map_err(Refusal::of)?;
        tokio::spawn(connection);
        Ok(Wire { client })
    }

    /// A session in this process.
    pub async fn in_process(&self, role: &str) -> InProcess {
        self.embedded(role, &[]).await.unwrap()
    }

    /// The same with settings as of a start-up message.
    pub async fn embedded(&self, role: &str, options: &[(&str, &str)]) -> Result<InProcess, Refusal> {
        let options = options.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let opening = Opening { options, ..Opening::default() };
        let session = self.lake.session_with(self.lake.principal(role)?, opening).await?;
        Ok(InProcess { session, zone: self.lake.dataset().time_zone.clone() })
    }

    /// A client at each door.
    pub async fn doors(&self, user: &str) -> [Door; 2] {
        [Door::Wire(self.wire(user).await), Door::InProcess(Box::new(self.in_process(user).await))]
    }
}

fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let (entry, target) = entry.map(|entry| (entry.path(), to.join(entry.file_name()))).unwrap();
        if entry.is_dir() {
            copy_folder(&entry, &target);
        } else {
            std::fs::copy(&entry, &target).unwrap();
        }
    }
}

/// Rows of text, as psql would print them; `None` is NULL.
pub type Rows = Vec<Vec<Option<String>>>;

/// An error as a client sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    pub sqlstate: String,
    pub message: String,
    pub detail: Option<String>,
    pub hint: Option<String>,
    /// Where in the statement, counted in characters from 1.
    pub position: Option<u32>,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.sqlstate, self.message)
    }
}

impl std::error::Error for Refusal {}

impl Refusal {
    pub fn of(error: tokio_postgres::Error) -> Self {
        match error.as_db_error() {
            Some(told) => Self {
                sqlstate: told.code().code().to_owned(),
                message: told.message().to_owned(),
                detail: told.detail().map(str::to_owned),
                hint: told.hint().map(str::to_owned),
                position: match told.position() {
                    Some(ErrorPosition::Original(position)) => Some(*position),
                    _ => None,
                },
            },
            None => Self {
                sqlstate: "-----".to_owned(),
                message: error.to_string(),
                detail: None,
                hint: None,
                position: None,
            },
        }
    }
}

impl From<henna::Error> for Refusal {
    fn from(error: henna::Error) -> Self {
        Self {
            sqlstate: wire::sqlstate(error.reason()).to_owned(),
            message: error.to_string(),
            detail: error.detail().map(str::to_owned),
            hint: error.hint().map(str::to_owned),
            position: error.position().and_then(|position| u32::try_from(position).ok()),
        }
    }
}

/// A client over the wire.
pub struct Wire {
    pub client: Client,
}

impl Wire {
    /// The rows of the last statement of `sql` that gave some, by the simple protocol.
    pub async fn ask(&self, sql: &str) -> Result<Rows, Refusal> {
        let mut rows = Rows::new();
        for message in self.client.simple_query(sql).await.map_err(Refusal::of)? {
            match message {
                SimpleQueryMessage::RowDescription(_) => rows.clear(),
                SimpleQueryMessage::Row(row) => {
                    rows.push((0..row.len()).map(|column| row.get(column).map(str::to_owned)).collect());
                }
                _ => {}
            }
        }
        Ok(rows)
    }

    /// The one value of a query.
    pub async fn value(&self, sql: &str) -> String {
        let rows = self.ask(sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
        rows[0][0].clone().unwrap_or_default()
    }

    /// Runs statements that must succeed, each as a message of its own.
    pub async fn run(&self, sql: &str) {
        for statement in statements(sql) {
            self.ask(&statement).await.unwrap_or_else(|error| panic!("{statement}: {error}"));
        }
    }
}

/// What one message says is one transaction, which not all statements can share. A semicolon between quotes ends none.
fn statements(sql: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for part in sql.split("; ") {
        match found.last_mut() {
            Some(last) if last.matches(['\'', '"']).count() % 2 == 1 => last.extend(["; ", part]),
            _ => found.push(part.to_owned()),
        }
    }
    found
}

/// A session in this process, its values rendered as the wire renders them.
pub struct InProcess {
    session: Session,
    zone: String,
}

impl InProcess {
    /// What was told beside the answers since the last call.
    pub fn notices(&self) -> Vec<String> {
        self.session
            .take_notices()
            .into_iter()
            .map(|notice| format!("{}: {}", notice.severity, notice.message))
            .collect()
    }

    /// As the wire does, tells the session of an error that came while its rows were read.
    pub async fn ask(&mut self, sql: &str) -> Result<Rows, Refusal> {
        let told = self.told(sql).await;
        if told.is_err() {
            self.session.fail_transaction();
            self.session.abandon_implicit().await?;
        }
        told
    }

    async fn told(&mut self, sql: &str) -> Result<Rows, Refusal> {
        let mut rows = Rows::new();
        let statements = self.session.parse(sql)?;
        let is_series = statements.len() > 1;
        for statement in statements {
            if is_series {
                self.session.begin_implicit()?;
            }
            let prepared = self.session.prepare(&statement, &[]).await?;
            let answer = self.session.run(&prepared, Vec::new()).await?;
            for (name, value) in self.session.take_parameter_changes() {
                if name == "TimeZone" {
                    self.zone = value;
                }
            }
            if let Answer::Rows { schema, mut stream, guard, .. } = answer {
                rows.clear();
                let schema = prepared.columns.clone().unwrap_or(schema);
                while let Some(batch) = guard.run(stream.try_next()).await?.map_err(failure)? {
                    rows.extend(wire::text_rows(&schema, &batch, &self.zone)?);
                }
            }
        }
        self.session.end_implicit().await?;
        Ok(rows)
    }
}

/// A client of either door.
pub enum Door {
    Wire(Wire),
    InProcess(Box<InProcess>),
}

impl Door {
    /// The rows of the last statement of `sql` that gave some.
    pub async fn ask(&mut self, sql: &str) -> Result<Rows, Refusal> {
        match self {
            Self::Wire(client) => client.ask(sql).await,
            Self::InProcess(session) => session.ask(sql).await,
        }
    }

    /// The one value of a query.
    pub async fn value(&mut self, sql: &str) -> String {
        let rows = self.ask(sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
        rows[0][0].clone().unwrap_or_default()
    }

    /// Runs statements that must succeed.
    pub async fn run(&mut self, sql: &str) {
        for statement in statements(sql) {
            self.ask(&statement).await.unwrap_or_else(|error| panic!("{statement}: {error}"));
        }
    }

    pub fn name(&self) -> &'static str {
        match self {
            Self::Wire(_) => "wire",
            Self::InProcess(_) => "process",
        }
    }
}

/// The folder that an environment variable names; where it names none, the test says that it does not run.
pub fn outside(variable: &str, test: &str) -> Option<PathBuf> {
    let found = std::env::var_os(variable).map(PathBuf::from).filter(|path| path.is_dir());
    if found.is_none() {
        eprintln!("SKIPPED {test}: {variable} names no folder");
    }
    found
}

//! One conversation: what a client sends and in which pieces, and what became of the server.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, ReadHalf, WriteHalf};
use tokio::sync::OnceCell;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::dice::Dice;
use super::{PLANTED, reading, writing};
use crate::config::TlsPolicy;
use crate::error::{Reason, Result};
use crate::query::{ADMIN, Lake, Opening, Session};
use crate::wire::listener::{Server, Settings};
use crate::wire::tests::{Raw, message};
use crate::wire::{Backend, ScramVerifier, Startup};

/// As much as a socket takes before it pushes back.
const PIPE_BYTES: usize = 16 << 10;
/// A server that has something to say says it sooner.
const SILENCE: Duration = Duration::from_millis(60);
const END_MAX: Duration = Duration::from_secs(20);

/// How far a conversation has come before the bytes of the case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    Greeting,
    Login,
    Session,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Case {
    pub stage: Stage,
    pub pieces: Vec<Vec<u8>>,
    /// Bytes of one write; the pieces go out together, cut into these.
    pub chunk: usize,
}

impl Case {
    pub fn fresh(dice: &mut Dice) -> Self {
        let stage = *dice.pick(&[Stage::Greeting, Stage::Login, Stage::Session, Stage::Session, Stage::Session]);
        let count = 1 + dice.below(if stage == Stage::Session { 12 } else { 3 });
        let pieces = (0..count).map(|_| fresh_of(stage)(dice)).collect();
        Self { stage, pieces, chunk: *dice.pick(&[1, 3, 64, 100_000, 100_000, 100_000]) }
    }

    pub fn changed(&self, dice: &mut Dice) -> Self {
        let mut case = self.clone();
        for _ in 0..1 + dice.below(3) {
            writing::changed(dice, &mut case.pieces, fresh_of(case.stage));
        }
        case
    }

    /// The case as text for a variable of the environment.
    pub fn letters(&self) -> String {
        let stage = match self.stage {
            Stage::Greeting => "greeting",
            Stage::Login => "login",
            Stage::Session => "session",
        };
        let hex = |piece: &Vec<u8>| piece.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        format!("{stage}:{}:{}", self.chunk, self.pieces.iter().map(hex).collect::<Vec<_>>().join("."))
    }

    pub fn read(letters: &str) -> Option<Self> {
        let mut parts = letters.split(':');
        let stage = match parts.next()? {
            "greeting" => Stage::Greeting,
            "login" => Stage::Login,
            "session" => Stage::Session,
            _ => return None,
        };
        let chunk = parts.next()?.parse().ok()?;
        let bytes = |hex: &str| {
            (0..hex.len() / 2)
                .map(|at| u8::from_str_radix(hex.get(2 * at..2 * at + 2)?, 16).ok())
                .collect::<Option<Vec<_>>>()
        };
        let pieces = parts.next()?.split('.').map(bytes).collect::<Option<Vec<_>>>()?;
        Some(Self { stage, pieces, chunk })
    }

    /// The case for someone who reads it, and for who runs it again.
    pub fn shown(&self) -> String {
        let pieces: Vec<_> = self.pieces.iter().map(|piece| piece.escape_ascii().to_string()).collect();
        format!("{:?}: {}\nHENNA_WIRE_FUZZ_CASE={}", self.stage, pieces.join("\n  "), self.letters())
    }
}

fn fresh_of(stage: Stage) -> fn(&mut Dice) -> Vec<u8> {
    match stage {
        Stage::Greeting => writing::of_greeting,
        Stage::Login => writing::of_login,
        Stage::Session => writing::of_session,
    }
}

/// A server without a network, before a lake in memory.
pub struct House {
    server: Arc<Server>,
    rooms: Arc<Rooms>,
}

/// One lake whose superuser everyone is; a login costs as little as it can.
struct Rooms {
    lake: OnceCell<Lake>,
    planted: bool,
}

#[async_trait]
impl Backend for Rooms {
    async fn verifier(&self, user: &str) -> ScramVerifier {
        assert!(!self.planted || user != PLANTED, "the planted fault");
        let password = if user == "hq" { "henna-demo" } else { "\u{1}" };
        ScramVerifier::derive(password, b"0123456789abcdef", 1)
    }

    async fn open(&self, _: &str, startup: Startup) -> Result<Session> {
        let lake = self.lake.get_or_try_init(Lake::detached).await?;
        let opening = Opening { pid: Some(startup.pid), options: startup.options, ..Opening::default() };
        lake.session_with(lake.security().bootstrap_principal(), opening).await
    }

    fn tell_login(&self, _: &str, _: SocketAddr, _: Result<(), Reason>) {}
}

impl House {
    pub fn new(planted: bool) -> Self {
        let settings = Settings {
            tls: TlsPolicy::Allow,
            identity: None,
            connections_max: 8,
            idle_max: None,
            drain_max: Duration::ZERO,
        };
        let rooms = Arc::new(Rooms { lake: OnceCell::new(), planted });
        let backend: Arc<dyn Backend> = Arc::clone(&rooms) as Arc<dyn Backend>;
        Self { server: Arc::new(Server::new(backend, settings, CancellationToken::new())), rooms }
    }

    /// Sessions that are open.
    pub fn sessions(&self) -> usize {
        self.rooms.lake.get().map_or(0, |lake| lake.session_count_of(ADMIN))
    }

    /// Waits until nothing is left of conversations. A thread that plans lets go of its session at its next step.
    pub async fn emptied(&self) {
        while self.sessions() > 0 || !self.server.cancels.is_empty() {
            tokio::task::yield_now().await;
        }
    }

    fn connect(&self) -> (DuplexStream, JoinHandle<()>) {
        let (near, far) = tokio::io::duplex(PIPE_BYTES);
        let (server, peer) = (Arc::clone(&self.server), SocketAddr::from((Ipv4Addr::LOCALHOST, 9)));
        (near, tokio::spawn(async move { server.receive(Box::new(far), peer).await }))
    }

    /// A client that has logged in.
    pub async fn enter(&self) -> Raw<DuplexStream> {
        Raw::enter(self.connect().0, usize::MAX).await
    }

    /// The kind of what the server answered, or what is wrong with it.
    pub async fn outcome(&self, case: &Case) -> Result<String, String> {
        let (near, serving) = self.connect();
        let answer = timeout(END_MAX, converse(near, case)).await;
        match timeout(END_MAX, serving).await {
            Err(_) => return Err("the server goes on without its client".to_owned()),
            Ok(Err(fault)) if fault.is_panic() => return Err("the server panicked".to_owned()),
            Ok(_) => {}
        }
        let answer = answer.map_err(|_| "the conversation does not end".to_owned())?;
        if timeout(END_MAX, self.emptied()).await.is_err() {
            return Err(format!("{} sessions are left of a conversation that is over", self.sessions()));
        }
        reading::kind(&answer).map_err(|fault| format!("{fault}: {}", answer.escape_ascii()))
    }
}

/// What the server said to the case.
async fn converse(near: DuplexStream, case: &Case) -> Vec<u8> {
    let near = match case.stage {
        Stage::Greeting => near,
        Stage::Login => {
            let mut near = near;
            let start = writing::packet(3 << 16, b"user\0planted\0database\0henna\0\0");
            let _ = near.write_all(&start).await;
            near
        }
        Stage::Session => Raw::enter(near, usize::MAX).await.socket,
    };
    let (mut reader, mut writer) = tokio::io::split(near);
    let mut bytes = case.pieces.concat();
    if case.stage == Stage::Session {
        bytes.extend_from_slice(&message(b'X', &[]));
    }
    let sending = async {
        for piece in bytes.chunks(case.chunk) {
            if writer.write_all(piece).await.is_err() {
                break;
            }
            tokio::task::yield_now().await;
        }
        writer
    };
    let mut answer = Vec::new();
    let mut writer = {
        tokio::pin!(sending);
        loop {
            tokio::select! {
                writer = &mut sending => break writer,
                read = reader.read_buf(&mut answer) => if !matches!(read, Ok(1..)) {
                    return answer;
                },
            }
        }
    };
    if case.stage == Stage::Session {
        wait(&mut reader, &mut answer).await;
    }
    leave(&mut reader, &mut writer, &mut answer).await;
    answer
}

/// Reads until the server has ended, or has nothing more to say.
async fn wait(reader: &mut ReadHalf<DuplexStream>, answer: &mut Vec<u8>) {
    while let Ok(Ok(1..)) = timeout(SILENCE, reader.read_buf(answer)).await {}
}

/// Ends the client's side and takes what was still on its way.
async fn leave(reader: &mut ReadHalf<DuplexStream>, writer: &mut WriteHalf<DuplexStream>, answer: &mut Vec<u8>) {
    let _ = writer.shutdown().await;
    let _ = reader.read_to_end(answer).await;
}

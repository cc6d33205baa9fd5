//! The listener: accepts connections, bounds their number, and drains them when the server stops.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_util::either::Either;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::Instrument;

use super::Backend;
use super::cancel::{Cancels, Key};
use super::connection::{Connection, Limits};
use super::login::Door;
use super::login::greeting::{Greeting, Packet, greet};
use super::login::tls::Identity;
use super::protocol::{Failure, Input, Output, Plain, Socket};
use super::strangers::Strangers;
use crate::access::Throttle;
use crate::config::TlsPolicy;

/// From the first byte to the end of the login.
const STARTUP_MAX: Duration = Duration::from_secs(30);

/// What a wrong cancel request costs who sent it.
const CANCEL_MISS: Duration = Duration::from_secs(1);

/// A client that says nothing is asked after this long whether it is still there, and again at each interval; one whose
/// machine or network is gone answers nothing and is given up.
const SILENCE_MAX: Duration = Duration::from_secs(60);
const ASK_AGAIN: Duration = Duration::from_secs(10);

/// Pause after a failed accept, which is mostly a lack of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// How the server treats its clients.
#[derive(Clone)]
pub struct Settings {
    pub tls: TlsPolicy,
    /// Needed unless `tls` is off.
    pub identity: Option<Identity>,
    pub connections_max: usize,
    /// `None` is no limit.
    pub idle_max: Option<Duration>,
    /// How long statements may go on after the server was asked to stop.
    pub drain_max: Duration,
}

/// What connections share.
pub(super) struct Server {
    backend: Arc<dyn Backend>,
    settings: Settings,
    throttle: Throttle,
    pub(super) cancels: Cancels,
    connections: Arc<Semaphore>,
    strangers: Strangers,
    shutdown: CancellationToken,
}

/// Serves until `shutdown` is cancelled and its connections are drained.
pub async fn serve(listener: TcpListener, backend: Arc<dyn Backend>, settings: Settings, shutdown: CancellationToken) {
    let server = Arc::new(Server::new(backend, settings, shutdown.clone()));
    let tasks = TaskTracker::new();
    loop {
        let accepted = tokio::select! {
            () = shutdown.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => {
                let server = server.clone();
                let span = tracing::info_span!("connection", %peer);
                prepare(&stream);
                tasks.spawn(async move { server.receive(Box::new(stream), peer).await }.instrument(span));
            }
            Err(error) => {
                tracing::warn!(%error, "accept");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener);
    tasks.close();
    // Connections end by themselves at `shutdown`; what is left after the last cancel is dropped with the runtime.
    let _ = timeout(server.settings.drain_max + Duration::from_secs(1), tasks.wait()).await;
}

/// What a socket is told of packets and of silence; one that is gone already will not be served anyway.
fn prepare(stream: &TcpStream) {
    // Without it the last packet of an answer waits for an acknowledgement.
    let _ = stream.set_nodelay(true);
    let keepalive = TcpKeepalive::new().with_time(SILENCE_MAX).with_interval(ASK_AGAIN);
    let _ = SockRef::from(stream).set_tcp_keepalive(&keepalive);
}

impl Server {
    pub(super) fn new(backend: Arc<dyn Backend>, settings: Settings, shutdown: CancellationToken) -> Self {
        Self {
            backend,
            throttle: Throttle::default(),
            cancels: Cancels::default(),
            connections: Arc::new(Semaphore::new(settings.connections_max)),
            strangers: Strangers::default(),
            shutdown,
            settings,
        }
    }

    /// Serves one client to its end.
    pub(super) async fn receive(&self, stream: Plain, peer: SocketAddr) {
        let visit = self.strangers.enter(peer.ip());
        let started = tokio::select! {
            started = timeout(STARTUP_MAX, self.start(stream, peer)) => started,
            () = visit.is_over() => {
                tracing::info!("start-up gave way to that of another connection");
                return;
            }
            () = self.shutdown.cancelled() => return,
        };
        drop(visit);
        match started {
            Ok(Some(connection)) => connection.converse().await,
            Ok(None) => {}
            Err(_) => tracing::info!("start-up took too long"),
        }
    }

    async fn start(&self, stream: Plain, peer: SocketAddr) -> Option<Connection> {
        let identity = match self.settings.tls {
            TlsPolicy::Off => None,
            TlsPolicy::Allow | TlsPolicy::Require => self.settings.identity.as_ref(),
        };
        match greet(stream, identity).await {
            Ok(Greeting::Session { socket, packet }) => self.log_in(socket, packet, peer).await,
            Ok(Greeting::Cancel { mut socket, pid, secret }) => {
                if !self.cancels.cancel(Key { pid, secret }) {
                    tokio::time::sleep(CANCEL_MISS).await;
                }
                // An encrypted socket that just breaks off looks like a failed cancel to libpq.
                let _ = socket.shutdown().await;
                None
            }
            Err(_) => None,
        }
    }

    async fn log_in(&self, socket: Socket, packet: Packet, peer: SocketAddr) -> Option<Connection> {
        let encrypted = matches!(socket, Either::Right(_));
        let endpoint = self.settings.identity.as_ref().filter(|_| encrypted).and_then(|identity| identity.endpoint);
        let (reading, writing) = tokio::io::split(socket);
        let (mut input, mut output) = (Input::new(reading, 0), Output::new(writing));
        let registration = self.cancels.register();
        let pid = registration.key().pid;
        let door = Door { backend: &*self.backend, throttle: &self.throttle, peer, encrypted, endpoint, pid };
        let entered = async {
            self.admit(encrypted, peer)?;
            let place = self.connections.clone().try_acquire_owned();
            let place = place.map_err(|_| Failure::fatal("53300", "sorry, too many clients already"))?;
            Ok((door.enter(&mut input, &mut output, packet).await?, place))
        };
        match entered.await {
            Ok((session, place)) => {
                registration.attach(session.canceller());
                let limits = Limits { idle_max: self.settings.idle_max, drain_max: self.settings.drain_max };
                Some(Connection::new(input, output, session, registration, limits, self.shutdown.clone(), place))
            }
            Err(failure) => {
                if let Failure::Fatal(fatal) = failure {
                    tracing::info!(sqlstate = fatal.sqlstate, "login refused");
                    if output.put_fatal(&fatal).is_ok() {
                        let _ = output.close().await;
                    }
                }
                None
            }
        }
    }

    /// Plain text is for loopback; see the setting `tls`.
    fn admit(&self, encrypted: bool, peer: SocketAddr) -> Result<(), Failure> {
        let admitted = encrypted
            || match self.settings.tls {
                TlsPolicy::Require => false,
                TlsPolicy::Allow | TlsPolicy::Off => peer.ip().to_canonical().is_loopback(),
            };
        let message = format!("no entry for host \"{}\" without encryption", peer.ip());
        if admitted { Ok(()) } else { Err(Failure::fatal("28000", message)) }
    }
}

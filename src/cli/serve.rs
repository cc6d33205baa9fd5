//! `henna serve`: the server, until it is asked to stop.

use std::net::SocketAddr;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use async_trait::async_trait;
use clap::Args;
use futures::future::OptionFuture;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::config::{Config, TlsPolicy};
use crate::error::{Error, Reason, Result};
use crate::query::{Lake, Opening, Session, Upkeep};
use crate::web;
use crate::wire::{self, Backend, ScramVerifier, Startup};

/// The value of the setting `web` that leaves it out.
const WEB_OFF: &str = "off";
/// Folder of the certificate, within the lake.
const TLS_FOLDER: &str = "tls";

#[derive(Debug, Args)]
pub struct ServeArgs {
    /// Address of the Postgres wire [setting: listen]
    #[arg(long, value_name = "ADDR")]
    pub listen: Option<String>,
    /// Address of the web, or off [setting: web]
    #[arg(long, value_name = "ADDR|off")]
    pub web: Option<String>,
}

pub async fn run(config: &Config) -> Result<ExitCode> {
    let lake = Lake::open_with(&config.lake, super::limits(config)).await?;
    let doors = Doors::open(config).await?;
    println!("serving the lake {} on {}   (Ctrl-C ends it)", config.lake, doors.address);
    if let Some(web) = doors.web_address {
        println!("boards on http://{web}");
    }
    doors.serve(lake, config).await
}

/// Listening sockets, bound before anything else is promised.
pub struct Doors {
    /// Of the Postgres wire.
    pub address: SocketAddr,
    /// Of the web, unless it is off.
    pub web_address: Option<SocketAddr>,
    listener: TcpListener,
    web_listener: Option<TcpListener>,
}

impl Doors {
    pub async fn open(config: &Config) -> Result<Self> {
        let (listener, address) = bind("listen", &config.listen).await?;
        if config.tls == TlsPolicy::Off && !address.ip().is_loopback() {
            let text = format!("tls = off would send passwords in plain text on {address}");
            return Err(Error::new(Reason::Configuration, text).with_hint("listen on 127.0.0.1, or set tls = require"));
        }
        let (web_listener, web_address) = match config.web.as_str() {
            WEB_OFF => (None, None),
            web => {
                let (listener, address) = bind("web", web).await?;
                (Some(listener), Some(address))
            }
        };
        if let Some(web) = web_address.filter(|web| !web.ip().is_loopback()) {
            let text = format!("the web would send passwords in plain text on {web}");
            let hint = "let it listen on 127.0.0.1 and put a proxy with TLS before it, or set web = off";
            return Err(Error::new(Reason::Configuration, text).with_hint(hint));
        }
        Ok(Self { address, web_address, listener, web_listener })
    }

    /// Serves until Ctrl-C or SIGTERM, then lets running statements end.
    pub async fn serve(self, lake: Lake, config: &Config) -> Result<ExitCode> {
        let identity = match config.tls {
            TlsPolicy::Off => None,
            TlsPolicy::Allow | TlsPolicy::Require => {
                Some(wire::tls::certificate(&Path::new(&config.lake).join(TLS_FOLDER))?)
            }
        };
        let settings = wire::Settings {
            tls: config.tls,
            identity,
            connections_max: config.connections_max,
            idle_max: config.idle_timeout.0,
            drain_max: config.drain_timeout.0.unwrap_or_default(),
        };
        let drain_max = settings.drain_max;
        let shutdown = CancellationToken::new();
        let (audit, query_log) = (Arc::clone(lake.audit()), Arc::clone(lake.query_log()));
        let web = self.web_listener.map(|listener| web::serve(listener, lake.clone(), drain_max, shutdown.clone()));
        let upkeep = upkeep(config).map(|upkeep| {
            let (lake, shutdown) = (lake.clone(), shutdown.clone());
            async move { lake.keep_up(upkeep, shutdown).await }
        });
        let backend = Arc::new(LakeBackend::new(lake, config.statement_timeout.0));
        let wire = wire::serve(self.listener, backend, settings, shutdown.clone());
        let serving = async { tokio::join!(wire, OptionFuture::from(web), OptionFuture::from(upkeep)) };
        tokio::pin!(serving);
        tokio::select! {
            _ = &mut serving => {}
            () = asked_to_stop() => {
                tracing::info!("stopping: running statements may end");
                shutdown.cancel();
                serving.await;
            }
        }
        // Connections that were cut off may still hold the lake: its end is not waited for.
        audit.flush().await;
        query_log.flush().await;
        Ok(ExitCode::SUCCESS)
    }
}

fn upkeep(config: &Config) -> Option<Upkeep> {
    let every = config.upkeep.0?;
    Some(Upkeep { every, retain: config.version_retention.0.unwrap_or_default() })
}

/// Binds a socket; an address that is taken says which setting to change.
async fn bind(setting: &str, address: &str) -> Result<(TcpListener, SocketAddr)> {
    let listener = TcpListener::bind(address).await.map_err(|error| {
        let text = format!("cannot listen on {address}: {error}");
        let hint = format!("another program may hold the port: choose another with --{setting}");
        Error::new(Reason::Configuration, text).with_hint(hint)
    })?;
    let address = listener.local_addr().map_err(|error| Error::of(Reason::Io, error))?;
    Ok((listener, address))
}

async fn asked_to_stop() {
    let interrupted = tokio::signal::ctrl_c();
    match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
        Ok(mut terminated) => {
            tokio::select! {
                _ = interrupted => {}
                _ = terminated.recv() => {}
            }
        }
        Err(error) => {
            tracing::warn!(%error, "SIGTERM cannot be heard");
            // An error here would mean that Ctrl-C cannot be heard either: then the server just goes on.
            let _ = interrupted.await;
        }
    }
}

/// The lake as the wire sees it.
pub struct LakeBackend {
    lake: Lake,
    statement_timeout: Option<std::time::Duration>,
}

impl LakeBackend {
    /// `statement_timeout` is that of sessions that set none; `None` is no limit.
    pub fn new(lake: Lake, statement_timeout: Option<std::time::Duration>) -> Self {
        Self { lake, statement_timeout }
    }
}

#[async_trait]
impl Backend for LakeBackend {
    async fn verifier(&self, user: &str) -> ScramVerifier {
        // Users that another process made are known at their next login.
        if let Err(error) = self.lake.follow().await {
            tracing::warn!(%error, "security log");
        }
        let verifier = self.lake.security().verifier(user);
        ScramVerifier {
            salt: verifier.salt().to_vec(),
            iterations: verifier.iterations(),
            stored_key: verifier.stored_key(),
            server_key: verifier.server_key(),
        }
    }

    async fn open(&self, user: &str, startup: Startup) -> Result<Session> {
        if !["henna", "postgres"].contains(&startup.database.as_str()) {
            let text = format!("database \"{}\" does not exist", startup.database);
            return Err(Error::new(Reason::UndefinedDatabase, text));
        }
        let principal = self.lake.security().login(user)?;
        let opening = Opening {
            application_name: startup.application_name,
            options: startup.options,
            client_address: Some((startup.peer.ip().to_string(), startup.peer.port())),
            pid: Some(startup.pid),
            statement_timeout: self.statement_timeout,
        };
        let session = self.lake.session_with(principal, opening).await?;
        self.require_place(user)?;
        Ok(session)
    }

    fn tell_login(&self, user: &str, peer: SocketAddr, outcome: Result<(), Reason>) {
        self.lake.tell_login("wire", user, peer.ip(), outcome);
    }
}

impl LakeBackend {
    /// The limit of a role that is no superuser. The new session is counted: of two that come at once, none slips through.
    fn require_place(&self, user: &str) -> Result<()> {
        let security = self.lake.security().snapshot();
        let Some(role) = security.role_named(user).filter(|role| !role.superuser) else { return Ok(()) };
        match usize::try_from(role.connection_limit) {
            Ok(limit) if self.lake.session_count_of(user) > limit => {
                let text = format!("too many connections for role \"{user}\"");
                Err(Error::new(Reason::ConnectionsExhausted, text))
            }
            _ => Ok(()),
        }
    }
}

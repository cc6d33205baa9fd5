//! A conversation: messages in, answers out, until either side ends it.

use std::future::Future;
use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt;
use pgwire::messages::startup::{BackendKeyData, SecretKey};
use tokio::io::{ReadHalf, WriteHalf};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::cancel::Registration;
use super::encode::Style;
use super::extended::Portals;
use super::protocol::{Failure, Frame, Input, Output, Socket};
use crate::error::{Error, Reason, Result};
use crate::query::{Canceller, Session, TransactionStatus};

/// The longest message of a client that has logged in; it bounds statements, parameters and rows of COPY.
const MESSAGE_BYTES_MAX: usize = 64 << 20;

/// How long a client may take to hear the last message.
const FAREWELL_MAX: Duration = Duration::from_secs(2);

/// The waits of a connection.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    pub idle_max: Option<Duration>,
    pub drain_max: Duration,
}

/// A client that has logged in.
pub struct Connection {
    pub(super) input: Input<ReadHalf<Socket>>,
    pub(super) output: Output<WriteHalf<Socket>>,
    pub(super) session: Session,
    pub(super) canceller: Canceller,
    pub(super) portals: Portals,
    pub(super) style: Style,
    /// After an error in the extended protocol everything up to the next Sync is passed over.
    skipping: bool,
    registration: Registration,
    limits: Limits,
    shutdown: CancellationToken,
    _place: OwnedSemaphorePermit,
}

impl Connection {
    pub fn new(
        mut input: Input<ReadHalf<Socket>>,
        output: Output<WriteHalf<Socket>>,
        session: Session,
        registration: Registration,
        limits: Limits,
        shutdown: CancellationToken,
        place: OwnedSemaphorePermit,
    ) -> Self {
        input.set_body_bytes_max(MESSAGE_BYTES_MAX);
        Self {
            input,
            output,
            canceller: session.canceller(),
            session,
            portals: Portals::default(),
            style: Style::default(),
            skipping: false,
            registration,
            limits,
            shutdown,
            _place: place,
        }
    }

    /// Talks until the end; every way out closes the socket.
    pub async fn converse(mut self) {
        let end = self.conversation().await;
        if let Err(Failure::Fatal(fatal)) = &end {
            tracing::info!(sqlstate = fatal.sqlstate, "connection ended: {}", fatal.message);
            let _ = self.output.put_fatal(fatal);
        }
        let _ = timeout(FAREWELL_MAX, self.output.close()).await;
    }

    async fn conversation(&mut self) -> Result<(), Failure> {
        self.welcome().await.map_err(Failure::at_startup)?;
        loop {
            let frame = self.next().await?;
            if frame.tag == b'X' {
                return Ok(());
            }
            let sync = frame.tag == b'S';
            if self.skipping && !sync {
                continue;
            }
            if let Err(failure) = self.step(frame).await {
                match failure {
                    Failure::Statement(error) if sync => return Err(Failure::Statement(error).at_startup()),
                    Failure::Statement(error) => self.fail(&error)?,
                    other => return Err(other),
                }
                // A client may wait for the error before it sends the Sync that ends it.
                self.deliver().await?;
                self.skipping = true;
            }
            if self.output.is_full() {
                self.deliver().await?;
            }
        }
    }

    /// One message. An error here is one of the extended protocol; those of simple queries are answered there.
    async fn step(&mut self, frame: Frame) -> Result<(), Failure> {
        let Frame { tag, body } = frame;
        match tag {
            b'Q' => self.simple(body).await,
            b'P' => self.parse(body).await,
            b'B' => self.bind(body),
            b'D' => self.describe(body),
            b'E' => self.execute(body).await,
            b'C' => self.close(body),
            b'H' => self.deliver().await,
            b'S' => self.sync().await,
            b'F' => self.function_call(body).await,
            // What is left of a COPY that has failed.
            b'd' | b'c' | b'f' => Ok(()),
            other => Err(Failure::broken(format!("invalid frontend message type {other}"))),
        }
    }

    /// The next message; a client that is silent too long, or a server that stops, ends the conversation.
    async fn next(&mut self) -> Result<Frame, Failure> {
        if !self.shutdown.is_cancelled()
            && !self.canceller.is_terminated()
            && let Some(frame) = self.input.take()?
        {
            // Who sends much at once has its turn like the others.
            tokio::task::coop::consume_budget().await;
            return Ok(frame);
        }
        let idle = self.idle();
        tokio::select! {
            biased;
            () = self.shutdown.cancelled() => Err(stopping()),
            () = self.canceller.terminated() => Err(stopping()),
            frame = self.input.frame() => frame,
            failure = idle => Err(failure),
        }
    }

    /// Sends what is pending. A client that takes nothing is as idle as one that says nothing; a server that stops gives it
    /// the time of a farewell.
    pub(super) async fn deliver(&mut self) -> Result<(), Failure> {
        if let Some(sent) = self.output.flush().now_or_never() {
            return Ok(sent?);
        }
        let idle = self.idle();
        let stopped = async {
            self.shutdown.cancelled().await;
            sleep(FAREWELL_MAX).await;
        };
        tokio::select! {
            biased;
            sent = self.output.flush() => Ok(sent?),
            () = self.canceller.terminated() => Err(stopping()),
            () = stopped => Err(stopping()),
            failure = idle => Err(failure),
        }
    }

    /// Ends, and with what, when the client has been idle for too long.
    fn idle(&self) -> impl Future<Output = Failure> + use<> {
        let (own, of_server) = (self.session.idle_max(), self.limits.idle_max);
        let in_transaction = self.session.transaction() != TransactionStatus::Idle;
        async move {
            match own.into_iter().chain(of_server).min() {
                Some(span) => sleep(span).await,
                None => std::future::pending().await,
            }
            match in_transaction && own.is_some() {
                true => Failure::fatal("25P03", "terminating connection due to idle-in-transaction timeout"),
                false => Failure::fatal("57P05", "terminating connection due to idle-session timeout"),
            }
        }
    }

    async fn welcome(&mut self) -> Result<(), Failure> {
        let key = self.registration.key();
        self.put_parameters()?;
        self.output.put(&BackendKeyData::new(key.pid, SecretKey::I32(key.secret)))?;
        self.ready().await
    }

    /// Sync: the end of a series of extended messages, with or without an error.
    async fn sync(&mut self) -> Result<(), Failure> {
        self.skipping = false;
        self.ready().await
    }

    async fn function_call(&mut self, _: Bytes) -> Result<(), Failure> {
        self.fail(&Error::new(Reason::Unsupported, "function calls of the protocol are not supported"))?;
        self.ready().await
    }

    /// Tells the client that its turn has come, and sends everything that is pending.
    pub(super) async fn ready(&mut self) -> Result<(), Failure> {
        let status = self.session.transaction();
        if status == TransactionStatus::Idle {
            // A portal lives no longer than its transaction.
            self.portals.end_transaction();
        }
        self.put_notices()?;
        self.put_parameters()?;
        self.output.put_ready(status)?;
        self.deliver().await
    }

    /// Tells the client of a failed statement.
    pub(super) fn fail(&mut self, error: &Error) -> Result<(), Failure> {
        self.session.fail_transaction();
        self.put_notices()?;
        Ok(self.output.put_error(error)?)
    }

    pub(super) fn put_notices(&mut self) -> Result<()> {
        self.session.take_notices().iter().try_for_each(|notice| self.output.put_notice(notice))
    }

    pub(super) fn put_parameters(&mut self) -> Result<()> {
        for (name, value) in self.session.take_parameter_changes() {
            self.style.set(&name, &value);
            self.output.put_parameter(&name, &value)?;
        }
        Ok(())
    }
}

/// Runs the work of a statement while its client is there and the server may wait for it.
pub(super) struct Attendance<'a> {
    pub input: &'a mut Input<ReadHalf<Socket>>,
    pub canceller: &'a Canceller,
    pub shutdown: &'a CancellationToken,
    pub drain_max: Duration,
}

impl Attendance<'_> {
    pub async fn run<T, F>(self, work: F) -> Result<T, Failure>
    where
        F: Future<Output = Result<T, Failure>>,
    {
        let Attendance { input, canceller, shutdown, drain_max } = self;
        let stopped = async {
            shutdown.cancelled().await;
            sleep(drain_max).await;
        };
        let outcome = tokio::select! {
            biased;
            // First: what is done at once needs no watching.
            outcome = work => outcome,
            () = canceller.terminated() => Err(stopping()),
            () = input.gone() => {
                canceller.cancel();
                Err(Failure::Gone)
            }
            () = stopped => {
                canceller.cancel();
                Err(stopping())
            }
        };
        canceller.finish();
        outcome
    }
}

impl Connection {
    /// The parts of a connection that a statement works with, and those that watch over it.
    pub(super) fn parts(&mut self) -> (Attendance<'_>, &Session, &mut Output<WriteHalf<Socket>>, &mut Portals, &Style) {
        let attendance = Attendance {
            input: &mut self.input,
            canceller: &self.canceller,
            shutdown: &self.shutdown,
            drain_max: self.limits.drain_max,
        };
        (attendance, &self.session, &mut self.output, &mut self.portals, &self.style)
    }
}

pub(super) fn stopping() -> Failure {
    Failure::fatal("57P01", "terminating connection due to administrator command")
}

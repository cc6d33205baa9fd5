//! The login: from the first packet to a session that belongs to a proven user.

pub mod greeting;
pub mod options;
pub mod scram;
pub mod tls;

use std::time::Instant;

use bytes::Bytes;
use pgwire::messages::startup::{Authentication, NegotiateProtocolVersion};
use tokio::io::{AsyncRead, AsyncWrite};

use self::greeting::Packet;
use self::options::Request;
use self::scram::{Binding, Exchange, MECHANISM, MECHANISM_PLUS, ScramError, ScramVerifier};
use super::protocol::message::{Reader, utf8};
use super::protocol::{Failure, Input, Output};
use super::{Backend, Startup};
use crate::access::Throttle;
use crate::error::{Error, Reason};
use crate::query::Session;

/// The longest SCRAM message; nobody is known yet who could be trusted with more.
const ANSWER_BYTES_MAX: usize = 4096;

const PROTOCOL_3_0: i32 = 3 << 16;

/// What a login is checked against.
pub struct Door<'a> {
    pub backend: &'a dyn Backend,
    pub throttle: &'a Throttle,
    pub peer: std::net::SocketAddr,
    pub encrypted: bool,
    /// The hash of the certificate, where the socket is encrypted and SCRAM can bind to it.
    pub endpoint: Option<[u8; 32]>,
    pub pid: i32,
}

impl Door<'_> {
    /// Every failure of it is fatal: there is no session to go on with.
    pub async fn enter<R, W>(
        &self,
        input: &mut Input<R>,
        output: &mut Output<W>,
        packet: Packet,
    ) -> Result<Session, Failure>
    where
        R: AsyncRead + Unpin,
        W: AsyncWrite + Unpin,
    {
        self.steps(input, output, packet).await.map_err(Failure::at_startup)
    }

    async fn steps<R, W>(
        &self,
        input: &mut Input<R>,
        output: &mut Output<W>,
        packet: Packet,
    ) -> Result<Session, Failure>
    where
        R: AsyncRead + Unpin,
        W: AsyncWrite + Unpin,
    {
        let request = Request::of(packet)?;
        if request.minor_version > 0 || !request.extensions.is_empty() {
            output.put(&NegotiateProtocolVersion::new(PROTOCOL_3_0, request.extensions.clone()))?;
        }
        input.set_body_bytes_max(ANSWER_BYTES_MAX);
        let user = request.user.clone();
        let opened = self.open(input, output, request).await;
        match &opened {
            Ok(_) => self.backend.tell_login(&user, self.peer, Ok(())),
            Err(Failure::Statement(error)) => self.backend.tell_login(&user, self.peer, Err(error.reason())),
            // Nobody's password was judged.
            Err(_) => {}
        }
        opened
    }

    async fn open<R, W>(
        &self,
        input: &mut Input<R>,
        output: &mut Output<W>,
        request: Request,
    ) -> Result<Session, Failure>
    where
        R: AsyncRead + Unpin,
        W: AsyncWrite + Unpin,
    {
        self.authenticate(input, output, &request.user).await?;
        output.put(&Authentication::Ok)?;
        let startup = Startup {
            database: database(&request.database)?,
            application_name: request.application_name,
            options: request.options,
            peer: self.peer,
            encrypted: self.encrypted,
            pid: self.pid,
        };
        Ok(self.backend.open(&request.user, startup).await?)
    }

    async fn authenticate<R, W>(&self, input: &mut Input<R>, output: &mut Output<W>, user: &str) -> Result<(), Failure>
    where
        R: AsyncRead + Unpin,
        W: AsyncWrite + Unpin,
    {
        let attempt = self.throttle.begin(self.peer.ip(), user).await.map_err(|wait| {
            let seconds = wait.as_secs() + 1;
            Error::new(Reason::LoginThrottled, format!("too many failed logins of user \"{user}\""))
                .with_hint(format!("Try again in {seconds} seconds."))
        })?;
        let outcome = self.exchange(input, output, user).await;
        match &outcome {
            Ok(()) => attempt.succeeded(),
            Err(Failure::Statement(error)) if error.reason() == Reason::Authentication => {
                attempt.failed(Instant::now());
            }
            Err(_) => {}
        }
        outcome
    }

    async fn exchange<R, W>(&self, input: &mut Input<R>, output: &mut Output<W>, user: &str) -> Result<(), Failure>
    where
        R: AsyncRead + Unpin,
        W: AsyncWrite + Unpin,
    {
        let refused = |error: ScramError| match error {
            ScramError::Proof => {
                Error::new(Reason::Authentication, format!("password authentication failed for user \"{user}\""))
            }
            ScramError::Malformed | ScramError::Binding => Error::new(Reason::Protocol, error.to_string()),
        };
        let mechanisms = match self.endpoint {
            Some(_) => vec![MECHANISM_PLUS.to_owned(), MECHANISM.to_owned()],
            None => vec![MECHANISM.to_owned()],
        };
        output.put(&Authentication::SASL(mechanisms))?;
        let mut reader = Reader(answer(input, output).await?);
        let binding = self.binding(&reader.string()?)?;
        let length = usize::try_from(reader.i32()?).map_err(|_| refused(ScramError::Malformed))?;
        let first = reader.bytes(length)?;
        let verifier: ScramVerifier = self.backend.verifier(user).await;
        let exchange = Exchange::begin(utf8(&first)?, verifier, binding).map_err(refused)?;
        output.put(&Authentication::SASLContinue(Bytes::copy_from_slice(exchange.server_first().as_bytes())))?;
        let last = answer(input, output).await?;
        let server_final = exchange.finish(utf8(&last)?).map_err(refused)?;
        output.put(&Authentication::SASLFinal(Bytes::from(server_final)))?;
        Ok(())
    }

    fn binding(&self, mechanism: &str) -> Result<Binding<'_>, Error> {
        match (mechanism, &self.endpoint) {
            (MECHANISM, endpoint) => Ok(Binding::Without { offered: endpoint.is_some() }),
            (MECHANISM_PLUS, Some(endpoint)) => Ok(Binding::Certificate(endpoint)),
            _ => Err(Error::new(Reason::Protocol, "client selected an invalid SASL authentication mechanism")),
        }
    }
}

/// Sends what is pending and takes the client's next answer to it.
async fn answer<R, W>(input: &mut Input<R>, output: &mut Output<W>) -> Result<Bytes, Failure>
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    output.flush().await?;
    let frame = input.frame().await?;
    if frame.tag == b'p' {
        Ok(frame.body)
    } else {
        Err(Failure::broken(format!("expected SASL response, got message type {}", frame.tag)))
    }
}

/// One database under two names; tools that ask for `postgres` first find it.
fn database(name: &str) -> Result<String, Error> {
    match name {
        "henna" | "postgres" => Ok(name.to_owned()),
        other => Err(Error::new(Reason::UndefinedDatabase, format!("database \"{other}\" does not exist"))
            .with_hint("The database is named \"henna\".")),
    }
}

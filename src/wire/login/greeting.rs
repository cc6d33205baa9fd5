//! The first packets of a connection: encryption asked for, a cancel request, or the start of a session.

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio_util::either::Either;

use super::tls::Identity;
use crate::wire::protocol::message::Reader;
use crate::wire::protocol::{Failure, Output, Plain, Socket};

const SSL_REQUEST: u32 = 80_877_103;
const GSS_REQUEST: u32 = 80_877_104;
const CANCEL_REQUEST: u32 = 80_877_102;

/// PostgreSQL's own bound on a packet before the login.
const PACKET_BYTES_MAX: usize = 10_000;

/// What a client wants.
pub enum Greeting {
    /// Who sent it waits for the socket to be closed in order.
    Cancel {
        socket: Socket,
        pid: i32,
        secret: i32,
    },
    Session {
        socket: Socket,
        packet: Packet,
    },
}

/// The packet that starts a session.
#[derive(Debug, PartialEq, Eq)]
pub struct Packet {
    pub minor_version: u16,
    pub parameters: Vec<(String, String)>,
}

/// Answers requests for encryption until the client says what it wants.
///
/// Each packet is read by its exact length, so nothing sent in plain text can slip into the encrypted stream.
pub async fn greet(stream: Plain, identity: Option<&Identity>) -> Result<Greeting, Failure> {
    let mut socket: Socket = Either::Left(stream);
    let (mut asked_ssl, mut asked_gss) = (false, false);
    loop {
        let (code, rest) = match packet(&mut socket).await {
            Ok(packet) => packet,
            Err(failure) => return Err(tell(socket, failure).await),
        };
        match (code, socket) {
            (SSL_REQUEST, Either::Left(mut stream)) if !asked_ssl => {
                asked_ssl = true;
                socket = match identity {
                    Some(identity) => {
                        stream.write_all(b"S").await?;
                        Either::Right(Box::new(identity.acceptor.accept(stream).await?))
                    }
                    None => {
                        stream.write_all(b"N").await?;
                        Either::Left(stream)
                    }
                };
            }
            (GSS_REQUEST, Either::Left(mut stream)) if !asked_gss => {
                asked_gss = true;
                stream.write_all(b"N").await?;
                socket = Either::Left(stream);
            }
            (CANCEL_REQUEST, socket) => {
                let mut reader = Reader(rest);
                return Ok(Greeting::Cancel { socket, pid: reader.i32()?, secret: reader.i32()? });
            }
            (code, socket) => {
                return match session(code, rest) {
                    Ok(packet) => Ok(Greeting::Session { socket, packet }),
                    Err(failure) => Err(tell(socket, failure).await),
                };
            }
        }
    }
}

/// A client whose packet is refused hears why; the failure goes on to the caller.
async fn tell(socket: Socket, failure: Failure) -> Failure {
    if let Failure::Fatal(fatal) = &failure {
        let mut output = Output::new(socket);
        if output.put_fatal(fatal).is_ok() {
            let _ = output.close().await;
        }
    }
    failure
}

/// A packet without a tag: its length, a code, the rest.
async fn packet(socket: &mut (impl AsyncRead + Unpin)) -> Result<(u32, Bytes), Failure> {
    let length = socket.read_u32().await? as usize;
    if !(8..=PACKET_BYTES_MAX).contains(&length) {
        return Err(Failure::broken("invalid length of startup packet"));
    }
    let mut body = vec![0; length - 4];
    socket.read_exact(&mut body).await?;
    let mut body = Bytes::from(body);
    Ok((body.get_u32(), body))
}

fn session(version: u32, rest: Bytes) -> Result<Packet, Failure> {
    let (major, minor) = (version >> 16, (version & 0xffff) as u16);
    if major != 3 {
        let message = format!("unsupported frontend protocol {major}.{minor}: server supports 3.0");
        return Err(Failure::fatal("0A000", message));
    }
    let mut reader = Reader(rest);
    let mut parameters = Vec::new();
    loop {
        let name = reader.string().map_err(|_| layout())?;
        if name.is_empty() {
            break;
        }
        parameters.push((name, reader.string().map_err(|_| layout())?));
    }
    reader.end().map_err(|_| layout())?;
    Ok(Packet { minor_version: minor, parameters })
}

fn layout() -> Failure {
    Failure::broken("invalid startup packet layout: expected terminator as last byte")
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    const THREE: u32 = 3 << 16;

    #[test]
    fn a_session_packet_is_its_parameters() {
        let packet = session(THREE, Bytes::from_static(b"user\0hq\0database\0henna\0\0")).unwrap();
        let expected = [("user", "hq"), ("database", "henna")].map(|(name, value)| (name.into(), value.into()));
        assert_eq!(packet, Packet { minor_version: 0, parameters: expected.to_vec() });
    }

    #[test]
    fn another_protocol_and_a_torn_packet_are_fatal() {
        let fatal = |version, body| match session(version, Bytes::from_static(body)) {
            Err(Failure::Fatal(fatal)) => fatal.sqlstate,
            other => panic!("{other:?}"),
        };
        assert_eq!(fatal(2 << 16, b"\0"), "0A000");
        assert_eq!(fatal(THREE, b"user\0hq\0"), "08P01");
        assert_eq!(fatal(THREE, b"user"), "08P01");
        assert_eq!(fatal(THREE, b"\0more"), "08P01");
    }
}

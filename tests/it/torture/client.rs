//! A client that speaks in bytes, and does not have to speak well.

use std::collections::HashMap;
use std::io;
use std::sync::{LazyLock, Mutex};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::support::ADMIN_PASSWORD;

/// No answer of a server that lives takes longer.
pub const ANSWER_MAX: Duration = Duration::from_secs(60);

pub struct Raw {
    pub socket: TcpStream,
}

pub fn message(tag: u8, body: &[u8]) -> Vec<u8> {
    [&[tag][..], &(body.len() as i32 + 4).to_be_bytes(), body].concat()
}

pub fn packet(code: u32, body: &[u8]) -> Vec<u8> {
    [&(body.len() as u32 + 8).to_be_bytes()[..], &code.to_be_bytes(), body].concat()
}

pub fn start() -> Vec<u8> {
    packet(3 << 16, b"user\0admin\0database\0henna\0\0")
}

pub fn query(sql: &str) -> Vec<u8> {
    message(b'Q', &[sql.as_bytes(), &[0]].concat())
}

pub fn parse(sql: &str) -> Vec<u8> {
    message(b'P', &[&[0], sql.as_bytes(), &[0, 0, 0]].concat())
}

pub fn bind() -> Vec<u8> {
    message(b'B', &[0; 8])
}

pub fn execute(rows_max: i32) -> Vec<u8> {
    message(b'E', &[&[0][..], &rows_max.to_be_bytes()].concat())
}

pub fn sync() -> Vec<u8> {
    message(b'S', &[])
}

/// The client's first message of SCRAM.
pub fn first() -> Vec<u8> {
    const FIRST: &[u8] = b"n,,n=,r=nonce";
    message(b'p', &[b"SCRAM-SHA-256\0", &(FIRST.len() as i32).to_be_bytes()[..], FIRST].concat())
}

/// Its last one (RFC 5802, section 3), after what the server said to the first.
pub fn last(server_first: &str) -> Vec<u8> {
    let attribute = |at: usize| &server_first.split(',').nth(at).unwrap()[2..];
    let hmac = |key: &[u8], text: &str| -> [u8; 32] {
        Hmac::<Sha256>::new_from_slice(key).unwrap().chain_update(text).finalize().into_bytes().into()
    };
    let client_key = hmac(&salted(attribute(1), attribute(2).parse().unwrap()), "Client Key");
    let without_proof = format!("c=biws,r={}", attribute(0));
    let signature = hmac(&Sha256::digest(client_key), &format!("n=,r=nonce,{server_first},{without_proof}"));
    let proof: Vec<u8> = client_key.iter().zip(signature).map(|(key, mask)| key ^ mask).collect();
    message(b'p', format!("{without_proof},p={}", BASE64.encode(proof)).as_bytes())
}

/// The password with its salt: slow by design, so each is worked out once.
fn salted(salt: &str, iterations: u32) -> [u8; 32] {
    static KNOWN: LazyLock<Mutex<HashMap<String, [u8; 32]>>> = LazyLock::new(Mutex::default);
    *KNOWN.lock().unwrap().entry(salt.to_owned()).or_insert_with(|| {
        let salt = BASE64.decode(salt).unwrap();
        pbkdf2::pbkdf2_hmac_array::<Sha256, 32>(ADMIN_PASSWORD.as_bytes(), &salt, iterations)
    })
}

impl Raw {
    pub async fn connect(port: u16) -> Self {
        let socket = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        socket.set_nodelay(true).unwrap();
        Self { socket }
    }

    /// A client that has logged in.
    pub async fn enter(port: u16) -> Self {
        let mut raw = Self::connect(port).await;
        raw.send(&start()).await.unwrap();
        raw.receive().await.unwrap();
        raw.send(&first()).await.unwrap();
        let (_, answer) = raw.receive().await.unwrap();
        raw.send(&last(std::str::from_utf8(&answer[4..]).unwrap())).await.unwrap();
        assert!(raw.until_ready().await.unwrap().ends_with("ZI"));
        raw
    }

    pub async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.socket.write_all(bytes).await
    }

    /// Sends the first `cut` bytes, and the others when the server has had time to see them.
    pub async fn send_cut(&mut self, bytes: &[u8], cut: usize) -> io::Result<()> {
        self.send(&bytes[..cut]).await?;
        // Two packets, whatever the machine does: the first is away when the other side has had its turn.
        tokio::task::yield_now().await;
        self.send(&bytes[cut..]).await
    }

    pub async fn receive(&mut self) -> io::Result<(u8, Vec<u8>)> {
        let whole = async {
            let tag = self.socket.read_u8().await?;
            let length = self.socket.read_i32().await?;
            let length = usize::try_from(length).ok().and_then(|length| length.checked_sub(4));
            let mut body = vec![0; length.ok_or_else(|| io::Error::other("a length below itself"))?];
            self.socket.read_exact(&mut body).await?;
            Ok((tag, body))
        };
        timeout(ANSWER_MAX, whole).await.map_err(|_| io::Error::other("the server says nothing"))?
    }

    /// The kinds of the messages up to ReadyForQuery; errors with their SQLSTATE, without ParameterStatus.
    pub async fn until_ready(&mut self) -> io::Result<String> {
        let mut told = String::new();
        loop {
            let (tag, body) = self.receive().await?;
            match tag {
                b'S' => {}
                b'E' => told.push_str(&format!("E{} ", sqlstate(&body))),
                b'Z' => {
                    told.push_str(&format!("Z{}", char::from(body[0])));
                    return Ok(told);
                }
                tag => told.push(char::from(tag)),
            }
        }
    }

    /// All that the server still says.
    pub async fn until_end(&mut self) -> Vec<u8> {
        let mut answer = Vec::new();
        let reading = self.socket.read_to_end(&mut answer);
        // A connection that is reset has ended, too.
        let _ = timeout(ANSWER_MAX, reading).await.expect("the server does not end the connection");
        answer
    }
}

pub fn sqlstate(body: &[u8]) -> String {
    let field = body.split(|byte| *byte == 0).find(|field| field.first() == Some(&b'C'));
    field.map_or_else(String::new, |field| String::from_utf8_lossy(&field[1..]).into_owned())
}

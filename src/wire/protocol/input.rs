//! Frames from a client: read as they come, bounded, never allocated by a number that the client sent.

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt};

use super::failure::Failure;

/// The tag and the length before a body.
const HEAD_BYTES: usize = 5;

/// How far a client may pipeline while a statement runs before its socket is left to push back.
const AHEAD_BYTES_MAX: usize = 1 << 20;

const READ_BYTES: usize = 8 << 10;

/// Longer messages take their room with them.
const KEPT_BYTES_MAX: usize = 64 << 10;

/// One message of a client, whole.
#[derive(Debug)]
pub struct Frame {
    pub tag: u8,
    pub body: Bytes,
}

/// The reading half of a connection. Each method may be dropped at an `.await` without losing bytes.
pub struct Input<R> {
    half: R,
    buffer: BytesMut,
    body_bytes_max: usize,
    ended: bool,
}

impl<R: AsyncRead + Unpin> Input<R> {
    pub fn new(half: R, body_bytes_max: usize) -> Self {
        Self { half, buffer: BytesMut::new(), body_bytes_max, ended: false }
    }

    pub fn set_body_bytes_max(&mut self, body_bytes_max: usize) {
        self.body_bytes_max = body_bytes_max;
    }

    /// The next frame; `Gone` where the client ended instead.
    pub async fn frame(&mut self) -> Result<Frame, Failure> {
        loop {
            if let Some(frame) = self.take()? {
                return Ok(frame);
            }
            if !self.fill().await {
                return Err(Failure::Gone);
            }
        }
    }

    /// Ends when the client has gone; what it sends meanwhile is kept for [`Input::frame`].
    pub async fn gone(&mut self) {
        while self.buffer.len() < AHEAD_BYTES_MAX {
            if !self.fill().await {
                return;
            }
        }
        std::future::pending().await
    }

    /// The next frame, if it has come.
    pub fn take(&mut self) -> Result<Option<Frame>, Failure> {
        if self.buffer.len() < HEAD_BYTES {
            return Ok(None);
        }
        let tag = self.buffer[0];
        let length = (&self.buffer[1..HEAD_BYTES]).get_i32();
        let body_bytes = match usize::try_from(length) {
            Ok(bytes) if bytes >= 4 && bytes - 4 <= self.body_bytes_max => bytes - 4,
            _ => return Err(Failure::broken(format!("invalid message length {length}"))),
        };
        if self.buffer.len() < HEAD_BYTES + body_bytes {
            return Ok(None);
        }
        self.buffer.advance(HEAD_BYTES);
        let body = self.buffer.split_to(body_bytes).freeze();
        if body_bytes > KEPT_BYTES_MAX {
            // The body alone holds on to the room that it took.
            self.buffer = BytesMut::from(&self.buffer[..]);
        }
        Ok(Some(Frame { tag, body }))
    }

    /// Reads what is there; false at the end.
    async fn fill(&mut self) -> bool {
        if self.ended {
            return false;
        }
        self.buffer.reserve(READ_BYTES);
        let alive = matches!(self.half.read_buf(&mut self.buffer).await, Ok(bytes) if bytes > 0);
        self.ended = !alive;
        alive
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    async fn first(bytes: &[u8]) -> Result<Frame, Failure> {
        Input::new(bytes, 16).frame().await
    }

    #[tokio::test]
    async fn a_frame_is_its_tag_and_its_body() {
        let frame = first(b"Q\0\0\0\x06a\0rest").await.unwrap();
        assert_eq!((frame.tag, &frame.body[..]), (b'Q', &b"a\0"[..]));
    }

    #[tokio::test]
    async fn a_length_below_itself_or_above_the_bound_breaks_the_connection() {
        for head in [b"Q\0\0\0\x03", b"Q\0\0\0\x15", b"Q\xff\xff\xff\xff", b"Q\x7f\xff\xff\xff"] {
            assert!(matches!(first(head).await, Err(Failure::Fatal(fatal)) if fatal.sqlstate == "08P01"));
        }
    }

    #[tokio::test]
    async fn a_long_message_leaves_no_long_buffer_behind() {
        let mut bytes = vec![b'Q'];
        bytes.extend_from_slice(&(4 + (1_i32 << 20)).to_be_bytes());
        bytes.resize(5 + (1 << 20), b'x');
        bytes.extend_from_slice(b"S\0\0\0\x04");
        let mut input = Input::new(&bytes[..], 2 << 20);
        assert_eq!(input.frame().await.unwrap().body.len(), 1 << 20);
        assert_eq!(input.frame().await.unwrap().tag, b'S');
        assert!(input.buffer.capacity() <= KEPT_BYTES_MAX, "{}", input.buffer.capacity());
    }

    #[tokio::test]
    async fn an_end_in_the_middle_of_a_frame_is_a_client_gone() {
        assert!(matches!(first(b"Q\0\0\0\x06a").await, Err(Failure::Gone)));
    }
}

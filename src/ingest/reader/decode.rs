//! A text file of any encoding as UTF-8. What is no text in its encoding comes out as a byte that is none in UTF-8, so that the
//! row which holds it is refused and nothing is replaced in silence.

use std::io::{self, Cursor, Read};

use encoding_rs::{Decoder, DecoderResult, Encoding, UTF_8};

const BLOCK_BYTES: usize = 1 << 16;
/// Stands in no UTF-8 text.
const STRANGE: u8 = 0xFF;

/// The stream as UTF-8. A byte order mark tells the encoding, and goes. Without one a text that reads as UTF-8 is UTF-8, another
/// is of the encoding that `label` names.
pub fn utf8(mut input: Box<dyn Read + Send>, label: Option<&str>) -> io::Result<Box<dyn Read + Send>> {
    let mut start = Vec::with_capacity(BLOCK_BYTES);
    input.by_ref().take(BLOCK_BYTES as u64).read_to_end(&mut start)?;
    let (encoding, mark_bytes) = match Encoding::for_bom(&start) {
        Some((encoding, bytes)) => (encoding, bytes),
        None => (named(label).filter(|_| !is_utf8(&start)).unwrap_or(UTF_8), 0),
    };
    start.drain(..mark_bytes);
    let whole = Cursor::new(start).chain(input);
    if encoding == UTF_8 {
        return Ok(Box::new(whole));
    }
    let (decoder, raw, text) = (encoding.new_decoder_without_bom_handling(), vec![0; BLOCK_BYTES], Vec::new());
    Ok(Box::new(Decoded { input: whole, decoder, raw, unread: 0..0, text, given: 0, ended: false }))
}

fn named(label: Option<&str>) -> Option<&'static Encoding> {
    Encoding::for_label(label?.as_bytes())
}

/// Whether a beginning is UTF-8 and more than ASCII, which other encodings share.
fn is_utf8(start: &[u8]) -> bool {
    let valid = match std::str::from_utf8(start) {
        Ok(_) => true,
        Err(error) => error.error_len().is_none(),
    };
    valid && !start.is_ascii()
}

struct Decoded<R> {
    input: R,
    decoder: Decoder,
    raw: Vec<u8>,
    /// Of `raw`.
    unread: std::ops::Range<usize>,
    text: Vec<u8>,
    given: usize,
    ended: bool,
}

impl<R: Read> Decoded<R> {
    fn fill(&mut self) -> io::Result<()> {
        let mut last = false;
        if self.unread.is_empty() {
            let read = self.input.read(&mut self.raw)?;
            (self.unread, last) = (0..read, read == 0);
        }
        self.text.resize(BLOCK_BYTES, 0);
        let raw = &self.raw[self.unread.clone()];
        let (result, read, written) = self.decoder.decode_to_utf8_without_replacement(raw, &mut self.text, last);
        self.unread.start += read;
        self.text.truncate(written);
        self.given = 0;
        match result {
            DecoderResult::Malformed(..) => self.text.push(STRANGE),
            DecoderResult::InputEmpty => self.ended = last,
            DecoderResult::OutputFull => {}
        }
        Ok(())
    }
}

impl<R: Read> Read for Decoded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.given == self.text.len() {
            if self.ended {
                return Ok(0);
            }
            self.fill()?;
        }
        let len = buffer.len().min(self.text.len() - self.given);
        buffer[..len].copy_from_slice(&self.text[self.given..self.given + len]);
        self.given += len;
        Ok(len)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    fn read(bytes: &[u8], label: Option<&str>) -> Vec<u8> {
        let mut text = Vec::new();
        utf8(Box::new(Cursor::new(bytes.to_vec())), label).unwrap().read_to_end(&mut text).unwrap();
        text
    }

    /// Python: '订单,𠮷'.encode('gb18030').
    const ORDERS: &[u8] = b"\xb6\xa9\xb5\xa5,\x954\xb25";

    #[test]
    fn a_text_is_read_in_its_encoding() {
        assert_eq!(read(ORDERS, Some("gb18030")), "订单,𠮷".as_bytes());
        assert_eq!(read("订单".as_bytes(), Some("gb18030")), "订单".as_bytes());
        assert_eq!(read(b"\xEF\xBB\xBFa,b", Some("gb18030")), b"a,b");
        assert_eq!(read(b"\xFF\xFEa\0,\0-N", None), "a,中".as_bytes());
    }

    #[test]
    fn what_is_no_text_stays_strange_and_takes_no_neighbour_with_it() {
        assert_eq!(read(b"\xb6\xa9\xff\n\xb5\xa5", Some("gb18030")), b"\xe8\xae\xa2\xff\n\xe5\x8d\x95");
        assert_eq!(read(b"\xb6\xa9,\xb5", Some("gb18030")), b"\xe8\xae\xa2,\xff");
    }

    #[test]
    fn texts_longer_than_a_block_are_whole() {
        let long: String = (0..70_000).map(|nth| if nth % 3 == 0 { '订' } else { 'x' }).collect();
        let (bytes, _, _) = encoding_rs::GB18030.encode(&long);
        assert_eq!(read(&bytes, Some("gbk")), long.as_bytes());
    }
}

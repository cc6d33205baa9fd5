//! A byte stream in blocks that end between rows: what is left of the last row goes into the next block.

use std::io::{self, Read};

/// Bytes read at once. Large enough that the cost of a block vanishes, small enough that rows in flight stay few.
const BLOCK_BYTES: usize = 1 << 20;
/// A row longer than this is taken for a quote left open.
pub const ROW_BYTES_MAX: usize = 16 << 20;

pub struct Blocks {
    input: Box<dyn Read + Send>,
    rest: Vec<u8>,
    at_end: bool,
}

/// What [`Blocks::next`] found.
pub enum Block {
    /// `last` where nothing follows.
    Bytes {
        bytes: Vec<u8>,
        last: bool,
    },
    End,
}

impl Blocks {
    pub fn new(input: Box<dyn Read + Send>) -> Self {
        Self { input, rest: Vec::new(), at_end: false }
    }

    /// The bytes kept back and at least one block more, where there is more.
    pub fn next(&mut self) -> io::Result<Block> {
        let mut bytes = std::mem::take(&mut self.rest);
        let wanted = bytes.len() + BLOCK_BYTES;
        let mut filled = bytes.len();
        bytes.resize(wanted, 0);
        while !self.at_end && filled < wanted {
            match self.input.read(&mut bytes[filled..]) {
                Ok(0) => self.at_end = true,
                Ok(read) => filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        bytes.truncate(filled);
        if bytes.is_empty() { Ok(Block::End) } else { Ok(Block::Bytes { bytes, last: self.at_end }) }
    }

    /// Keeps back what did not make a whole row.
    pub fn keep(&mut self, rest: &[u8]) {
        self.rest = rest.to_vec();
    }
}

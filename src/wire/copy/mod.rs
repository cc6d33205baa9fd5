//! COPY between a client and the server: [`out`] writes rows, [`input`] takes them, [`records`] tells them apart.

pub mod input;
pub mod out;
mod records;

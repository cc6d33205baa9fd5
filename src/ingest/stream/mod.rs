//! Small loads that come over a socket: those that wait for one table are committed together, each with its own report.
//!
//! `body` reads the bytes of one load into rows, several at a time; `queue` lets them wait, a bounded number of bytes in
//! all; `group` takes what waits through the walk of every load: persons, checks, rejects, identities, one durable commit.
//! Nobody is answered before that commit, and a load with a key that is repeated is answered by what the first one did.

mod body;
mod group;
mod member;
mod persons;
mod queue;

pub use body::{BodyFormat, BodyKind};
pub use member::{Bound, StreamRequest};
pub use queue::{Busy, Room, Streams};

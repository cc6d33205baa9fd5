//! One person, one `one_id`: columns `id_<type>` of a file identify the row's person, and those that occur together are
//! one person's.
//!
//! 1. `normal` makes one text of the ways to write an identifier, and drops what names nobody.
//! 2. `key` hashes it with the lake's secret: nothing else of it is ever stored.
//! 3. `resolve` puts the identifiers of a whole load into the `graph`, which joins them over what is `stored`: of a large
//!    lake only what the load names is read.
//! 4. `commit` makes rows of what is new; they are durable before the rows that refer to them are.
//!
//! A person that turns out to be another is not rewritten: a row of type `_merged` says so, and reads follow [`merges`]. Persons
//! that an operator parted have a row of type `_parted`: no load joins them again.

mod commit;
mod graph;
mod key;
mod normal;
mod parted;
mod resolve;
mod stored;

pub use commit::{Lesson, Row, SORTED_BY, batch, conflict_rows, identity_rows_of};
pub use graph::Graph;
pub use key::{IdentityKey, parsed as parsed_hash, shown as shown_hash};
pub use normal::normal;
pub use parted::{PARTED, pair as parted_pair, shown as shown_pair};
pub use resolve::{Gathered, Hashes, Resolved, Resolver, gather, is_identifier, may_identify, types};
pub use stored::{FORGOTTEN, MERGED, Stored, merges, steps};

use crate::dataset::{Contract, SqlType};

/// The table of identities.
pub const IDENTITIES: &str = "identities";

/// Whether an identifier, as it stands in a file, can be a person's.
pub fn identifies(id_type: &str, text: &str) -> bool {
    normal::normal(id_type, text).is_some()
}

/// Whether a table of this contract can keep identities.
pub fn keeps_identities(contract: &Contract) -> bool {
    let is = |name: &str, sql_type: &SqlType| contract.column(name).is_some_and(|column| column.sql_type == *sql_type);
    let texts = ["id_type", "id_value", "source"];
    let times = ["first_seen", "last_seen"];
    texts.iter().all(|name| is(name, &SqlType::Text))
        && times.iter().all(|name| is(name, &SqlType::TimestampTz))
        && is("one_id", &SqlType::BigInt)
}

//! How large a statement may be before it is planned: trees are walked by recursion, and a name may stand for much.

mod chain;
mod expansion;

pub use self::chain::require_short_chains;
pub use self::expansion::require_small;

use crate::error::{Error, Reason};

fn too_complex(text: String) -> Error {
    Error::new(Reason::TooComplex, text)
}

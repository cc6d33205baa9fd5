//! What the room knows at one moment, as plain immutable values.

pub mod change;
pub mod grant;
pub mod inquiry;
pub mod mask;
pub mod membership;
pub mod object;
pub mod policy;
pub mod role;
pub mod snapshot;
pub mod visible;

//! Customer lifetime: models of buying until an unseen end.

mod bgnbd;
mod bgnbd_fit;
mod bgnbd_palive;
mod gamma;
mod minimise;

pub use bgnbd_fit::BgnbdFit;
pub use bgnbd_palive::BgnbdPalive;

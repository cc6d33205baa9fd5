//! Functions whose answer is another each time.

use super::plain::{Outcome, PlainFunction, volatile};

pub const FUNCTIONS: &[PlainFunction] = &[
    volatile("gen_random_uuid", Outcome::Uuid, |_| Ok(uuid::Uuid::new_v4().to_string().into())),
    volatile("timeofday", Outcome::Text, |_| {
        Ok(chrono::Utc::now().format("%a %b %d %H:%M:%S%.6f %Y UTC").to_string().into())
    }),
];

//! RFM: what a customer's orders say about recency, frequency and monetary value.

#[allow(clippy::module_inception)]
mod rfm;
mod rfm_score;
mod rfm_segment;
mod rfm_summary;

pub use rfm::Rfm;
pub use rfm_score::RfmScore;
pub use rfm_segment::RfmSegment;
pub use rfm_summary::RfmSummary;

//! Churn: the customer's own rhythm, and how far behind it the customer is.

mod churn_level;
mod churn_risk;
mod repurchase_cycle;

pub use churn_level::ChurnLevel;
pub use churn_risk::ChurnRisk;
pub use repurchase_cycle::RepurchaseCycle;

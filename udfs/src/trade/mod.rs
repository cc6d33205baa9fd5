//! Measures of the trade, each with its definition in its name or signature.

mod aov_per_buyer;
mod aov_per_order;
mod commission;
mod commission_accrued;
mod commission_payable;
mod coupon_redemption;
mod customers;
mod orders;
mod repurchase_rate;
mod repurchase_within;
mod totals;

use std::sync::Arc;

use datafusion_expr::{AggregateUDF, ScalarUDF};

use crate::definition::{aggregate, scalar};
use orders::Rated;

pub(crate) fn scalars() -> Vec<Arc<ScalarUDF>> {
    vec![scalar::<commission_accrued::CommissionAccrued>(), scalar::<commission_payable::CommissionPayable>()]
}

pub(crate) fn aggregates() -> Vec<Arc<AggregateUDF>> {
    vec![
        aggregate::<Rated<repurchase_rate::RepurchaseRate>>(),
        aggregate::<Rated<repurchase_within::RepurchaseWithin>>(),
        aggregate::<aov_per_order::AovPerOrder>(),
        aggregate::<aov_per_buyer::AovPerBuyer>(),
        aggregate::<coupon_redemption::CouponRedemption>(),
    ]
}

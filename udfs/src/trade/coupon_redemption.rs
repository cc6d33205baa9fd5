//! `coupon_redemption`: how many of the coupons given out were redeemed.

use std::sync::{Arc, LazyLock};

use arrow::array::{Array, ArrayRef, AsArray, Float64Array, Int64Array};
use arrow::datatypes::{DataType, Int64Type};
use datafusion_common::utils::take_function_args;
use datafusion_common::{Result, ScalarValue, exec_err, plan_err};
use datafusion_expr::Documentation;
use datafusion_expr::function::AccumulatorArgs;

use crate::constants::{aggregate_constant, quoted, text};
use crate::definition::AggregateDefinition;
use crate::documents::{Entry, TRADE};
use crate::groups::{GroupStates, Rows};

const NAME: &str = "coupon_redemption";
const RULE: &str = "'kept', 'undone' or 'left_out'";

static DOCUMENTATION: LazyLock<Documentation> = LazyLock::new(|| {
    Entry {
        section: TRADE,
        description: "Share of the coupons given out that were redeemed, DOUBLE from 0 to 1. One row is one coupon of one customer. refunds says what becomes of a redemption whose order was refunded: \
            'kept', it counts as redeemed; 'undone', the coupon counts as not redeemed; 'left_out', the coupon counts neither as redeemed nor as given out. \
            A row with a NULL redeemed is left out, a NULL refunded is false; NULL without a coupon. The state is 24 bytes a group. Source: the definitions in use.",
        syntax: "coupon_redemption(redeemed boolean, refunded boolean, refunds text) -> double precision",
        arguments: &[
            ("redeemed", "Whether an order was paid with the coupon."),
            ("refunded", "Whether that order was refunded."),
            ("refunds", "Constant 'kept', 'undone' or 'left_out'."),
        ],
        example: "SELECT coupon_redemption(redeemed, refunded, 'undone') AS rate FROM (VALUES (true, false), (true, true), (false, false)) AS coupons(redeemed, refunded)",
        related: &["repurchase_rate"],
    }
    .build()
});

/// The aggregate `coupon_redemption(redeemed, refunded, refunds)`.
pub struct CouponRedemption;

impl AggregateDefinition for CouponRedemption {
    const NAME: &'static str = NAME;
    type States = States;

    fn documentation() -> &'static Documentation {
        &DOCUMENTATION
    }

    fn coerce(types: &[DataType]) -> Result<Vec<DataType>> {
        let [redeemed, refunded, _] = take_function_args(NAME, types)?;
        for (argument, data_type) in [("redeemed", redeemed), ("refunded", refunded)] {
            if !matches!(data_type, DataType::Boolean | DataType::Null) {
                return plan_err!("{NAME}: {argument} must be true or false, got {data_type}");
            }
        }
        Ok(vec![DataType::Boolean, DataType::Boolean, DataType::Utf8])
    }

    fn result(_types: &[DataType]) -> Result<DataType> {
        Ok(DataType::Float64)
    }

    fn partials(_types: &[DataType]) -> Result<Vec<(&'static str, DataType)>> {
        Ok(vec![("given", DataType::Int64), ("redeemed", DataType::Int64), ("refunded", DataType::Int64)])
    }

    fn states(args: &AccumulatorArgs) -> Result<Self::States> {
        let refunds = aggregate_constant(args, NAME, 2, "refunds")?.unwrap_or(ScalarValue::Null);
        let refunds = match text(&refunds, NAME, "refunds", RULE)?.as_str() {
            "kept" => Refunds::Kept,
            "undone" => Refunds::Undone,
            "left_out" => Refunds::LeftOut,
            _ => return exec_err!("{NAME}: refunds must be {RULE}, got {}", quoted(&refunds)),
        };
        Ok(States { refunds, groups: Vec::new() })
    }
}

/// What becomes of a redemption whose order was refunded.
#[derive(Debug, Clone, Copy)]
enum Refunds {
    Kept,
    Undone,
    LeftOut,
}

/// Coupons of a group; those refunded are among those redeemed.
#[derive(Debug, Clone, Copy, Default)]
struct Coupons {
    given: i64,
    redeemed: i64,
    refunded: i64,
}

impl Coupons {
    fn share(self, refunds: Refunds) -> Option<f64> {
        let (redeemed, given) = match refunds {
            Refunds::Kept => (self.redeemed, self.given),
            Refunds::Undone => (self.redeemed - self.refunded, self.given),
            Refunds::LeftOut => (self.redeemed - self.refunded, self.given - self.refunded),
        };
        (given > 0).then(|| redeemed as f64 / given as f64)
    }
}

#[derive(Debug)]
pub(crate) struct States {
    refunds: Refunds,
    groups: Vec<Coupons>,
}

impl GroupStates for States {
    fn fresh(&self) -> Self {
        Self { refunds: self.refunds, groups: Vec::new() }
    }

    fn grow(&mut self, groups: usize) {
        if groups > self.groups.len() {
            self.groups.resize(groups, Coupons::default());
        }
    }

    fn update(&mut self, columns: &[ArrayRef], rows: Rows<'_>) -> Result<()> {
        let [redeemed, refunded, _] = take_function_args(NAME, columns)?;
        let (redeemed, refunded) = (redeemed.as_boolean(), refunded.as_boolean());
        for (row, &group) in rows.groups.iter().enumerate() {
            if rows.passes(row) && redeemed.is_valid(row) {
                let coupons = &mut self.groups[group];
                let is_refunded = redeemed.value(row) && refunded.is_valid(row) && refunded.value(row);
                coupons.given += 1;
                coupons.redeemed += i64::from(redeemed.value(row));
                coupons.refunded += i64::from(is_refunded);
            }
        }
        Ok(())
    }

    fn merge(&mut self, partials: &[ArrayRef], rows: Rows<'_>) -> Result<()> {
        let [given, redeemed, refunded] = take_function_args(NAME, partials)?;
        let [given, redeemed, refunded] = [given, redeemed, refunded].map(|column| column.as_primitive::<Int64Type>());
        for (row, &group) in rows.groups.iter().enumerate() {
            if given.is_valid(row) {
                let coupons = &mut self.groups[group];
                coupons.given += given.value(row);
                coupons.redeemed += redeemed.value(row);
                coupons.refunded += refunded.value(row);
            }
        }
        Ok(())
    }

    fn take(&mut self, groups: usize) -> Result<Self> {
        let rest = self.groups.split_off(groups);
        Ok(Self { refunds: self.refunds, groups: std::mem::replace(&mut self.groups, rest) })
    }

    fn partials(&mut self) -> Result<Vec<ArrayRef>> {
        let column = |count: fn(&Coupons) -> i64| -> ArrayRef {
            Arc::new(Int64Array::from_iter_values(self.groups.iter().map(count)))
        };
        Ok(vec![
            column(|coupons| coupons.given),
            column(|coupons| coupons.redeemed),
            column(|coupons| coupons.refunded),
        ])
    }

    fn values(&mut self) -> Result<ArrayRef> {
        let shares = self.groups.iter().map(|coupons| coupons.share(self.refunds));
        Ok(Arc::new(shares.collect::<Float64Array>()))
    }

    fn bytes(&self) -> usize {
        self.groups.capacity() * size_of::<Coupons>()
    }
}

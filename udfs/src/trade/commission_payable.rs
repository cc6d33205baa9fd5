//! `commission_payable`: what of an order's commission is to be paid out by a day.

use std::sync::LazyLock;

use arrow::array::{Array, AsArray};
use arrow::datatypes::{DataType, Int64Type};
use datafusion_common::utils::take_function_args;
use datafusion_common::{Result, exec_err, plan_err};
use datafusion_expr::{ColumnarValue, Documentation, ScalarFunctionArgs};

use super::commission::{coerce_money, columns, commissions};
use crate::amounts::sum_type;
use crate::calendar::{Calendar, Instants, coerce_times};
use crate::definition::ScalarDefinition;
use crate::documents::{Entry, TRADE};
use crate::sums::{Sum, amount_at};

const NAME: &str = "commission_payable";

static DOCUMENTATION: LazyLock<Documentation> = LazyLock::new(|| {
    Entry {
        section: TRADE,
        description: "The commission of an order that is to be paid out: (amount - refund) * rate once the after-sales period is over, 0 before. \
            The period is the given number of local days after the day of receipt, so with 7 days an order received on the 1st is due from the 9th on. \
            Decimals give a decimal of 38 digits at the scale of amount, rounded half away from zero; other amounts give DOUBLE. \
            A refund beyond amount leaves 0. A NULL refund is none; NULL when another argument is NULL (an order that nobody received is not due), or rate or days is negative. \
            Source: definition; seven days are those of Article 25 of the consumer protection law of the People's Republic of China.",
        syntax: "commission_payable(amount numeric, refund numeric, rate numeric, received timestamptz, days integer, as_of date) -> numeric",
        arguments: &[
            ("amount", "What was paid for the order in money, decimal or other number."),
            ("refund", "What was paid back of it, in the same money."),
            ("rate", "The promoter's share: 0.05 is five per cent."),
            ("received", "When the customer received the order, date or timestamp."),
            ("days", "Length of the after-sales period in days, 0 or more."),
            ("as_of", "The day the report is for: date, timestamp or text."),
        ],
        example: "SELECT sum(commission_payable(amount, 0, 0.05, paid_at, 7, DATE '2011-12-10')) AS payable FROM orders",
        related: &["commission_accrued"],
    }
    .build()
});

/// The scalar `commission_payable(amount, refund, rate, received, days, as_of)`.
pub struct CommissionPayable;

impl ScalarDefinition for CommissionPayable {
    const NAME: &'static str = NAME;

    fn documentation() -> &'static Documentation {
        &DOCUMENTATION
    }

    fn coerce(types: &[DataType]) -> Result<Vec<DataType>> {
        let [amount, refund, rate, received, days, as_of] = take_function_args(NAME, types)?;
        if !(refund.is_numeric() || refund.is_null()) {
            return plan_err!("{NAME}: refund must be a number, got {refund}");
        }
        if !(days.is_integer() || days.is_null()) {
            return plan_err!("{NAME}: days must be a whole number, got {days}");
        }
        let [amount, rate] = coerce_money(NAME, amount, rate)?;
        let (received, as_of) = coerce_times(NAME, "received", received, as_of)?;
        // A refund is read at the scale of the amount it takes back.
        Ok(vec![amount.clone(), amount, rate, received, DataType::Int64, as_of])
    }

    fn result(types: &[DataType]) -> Result<DataType> {
        let [amount, ..] = take_function_args::<6, _>(NAME, types)?;
        Ok(sum_type(amount))
    }

    fn invoke(args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let columns = columns(args.args, args.number_rows)?;
        let [amounts, refunds, rates, received, days, as_of] = columns.as_slice() else {
            return exec_err!("{NAME}: 6 arguments are needed, got {}", columns.len());
        };
        let mut received_in = Calendar::of(NAME, received.data_type())?;
        let mut told_in = Calendar::of(NAME, as_of.data_type())?;
        let (received, as_of, days) = (Instants::of(received)?, Instants::of(as_of)?, days.as_primitive::<Int64Type>());
        let kept = |row: usize| {
            let refund = amount_at(refunds, row).unwrap_or(Sum::zero(amounts.data_type()));
            let kept = amount_at(amounts, row)?.less(refund)?;
            Some(if kept.is_negative() { Sum::zero(amounts.data_type()) } else { kept })
        };
        let is_due = |row: usize| {
            let days = (days.is_valid(row) && days.value(row) >= 0).then(|| days.value(row))?;
            (received.is_valid(row) && as_of.is_valid(row)).then(|| {
                let last = i64::from(received_in.day(received.raw[row])).saturating_add(days);
                i64::from(told_in.day(as_of.raw[row])) > last
            })
        };
        commissions(amounts.data_type(), rates, kept, is_due)
    }
}

//! `commission_accrued`: what an order has earned its promoter by a day.

use std::sync::LazyLock;

use arrow::datatypes::DataType;
use datafusion_common::utils::take_function_args;
use datafusion_common::{Result, exec_err};
use datafusion_expr::{ColumnarValue, Documentation, ScalarFunctionArgs};

use super::commission::{coerce_money, columns, commissions};
use crate::amounts::sum_type;
use crate::calendar::{Calendar, Instants, coerce_times};
use crate::definition::ScalarDefinition;
use crate::documents::{Entry, TRADE};
use crate::sums::amount_at;

const NAME: &str = "commission_accrued";

static DOCUMENTATION: LazyLock<Documentation> = LazyLock::new(|| {
    Entry {
        section: TRADE,
        description: "The commission of an order as the books see it: amount * rate from the local day of payment on, 0 before. Refunds do not lessen it; what is paid out in the end says commission_payable. \
            Decimals give a decimal of 38 digits at the scale of amount, rounded half away from zero; other amounts give DOUBLE. \
            NULL when an argument is NULL (an order without a time of payment is not paid), or rate is negative. Source: definition, accrual at payment.",
        syntax: "commission_accrued(amount numeric, rate numeric, pay_time timestamptz, as_of date) -> numeric",
        arguments: &[
            ("amount", "What was paid for the order in money, decimal or other number."),
            ("rate", "The promoter's share: 0.05 is five per cent."),
            ("pay_time", "When the order was paid, date or timestamp."),
            ("as_of", "The day the report is for: date, timestamp or text."),
        ],
        example: "SELECT sum(commission_accrued(amount, 0.05, paid_at, DATE '2011-12-10')) AS accrued FROM orders",
        related: &["commission_payable"],
    }
    .build()
});

/// The scalar `commission_accrued(amount, rate, pay_time, as_of)`.
pub struct CommissionAccrued;

impl ScalarDefinition for CommissionAccrued {
    const NAME: &'static str = NAME;

    fn documentation() -> &'static Documentation {
        &DOCUMENTATION
    }

    fn coerce(types: &[DataType]) -> Result<Vec<DataType>> {
        let [amount, rate, pay_time, as_of] = take_function_args(NAME, types)?;
        let [amount, rate] = coerce_money(NAME, amount, rate)?;
        let (pay_time, as_of) = coerce_times(NAME, "pay_time", pay_time, as_of)?;
        Ok(vec![amount, rate, pay_time, as_of])
    }

    fn result(types: &[DataType]) -> Result<DataType> {
        let [amount, ..] = take_function_args::<4, _>(NAME, types)?;
        Ok(sum_type(amount))
    }

    fn invoke(args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let columns = columns(args.args, args.number_rows)?;
        let [amounts, rates, pay_time, as_of] = columns.as_slice() else {
            return exec_err!("{NAME}: 4 arguments are needed, got {}", columns.len());
        };
        let mut paid_in = Calendar::of(NAME, pay_time.data_type())?;
        let mut told_in = Calendar::of(NAME, as_of.data_type())?;
        let (pay_time, as_of) = (Instants::of(pay_time)?, Instants::of(as_of)?);
        let is_due = |row: usize| {
            (pay_time.is_valid(row) && as_of.is_valid(row))
                .then(|| paid_in.day(pay_time.raw[row]) <= told_in.day(as_of.raw[row]))
        };
        commissions(amounts.data_type(), rates, |row| amount_at(amounts, row), is_due)
    }
}

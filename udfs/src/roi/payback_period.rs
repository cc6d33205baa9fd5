//! `payback_period`: how long it takes until margins have paid a cost back.

use std::sync::{Arc, LazyLock};

use arrow::array::{Array, AsArray, Float64Array};
use arrow::datatypes::{DataType, Field, Float64Type};
use datafusion_common::utils::take_function_args;
use datafusion_common::{Result, plan_err};
use datafusion_expr::{ColumnarValue, Documentation, ScalarFunctionArgs};

use crate::definition::ScalarDefinition;
use crate::documents::{Entry, RETURNS};
use crate::doubles::coerce_double;

const NAME: &str = "payback_period";

static DOCUMENTATION: LazyLock<Documentation> = LazyLock::new(|| {
    Entry {
        section: RETURNS,
        description: "How many periods it takes until the sum of margins reaches cost for the first time, DOUBLE, a part of the last period counted as if its margin came evenly. \
            NULL when it is never reached, when an argument is NULL, or when cost is not above 0. A NULL margin counts as none. Source: definition.",
        syntax: "payback_period(margins json, cost numeric) -> double precision",
        arguments: &[
            ("margins", "List of the margins of consecutive periods in money, negative ones too."),
            ("cost", "What is to be paid back, in the same money."),
        ],
        example: "SELECT payback_period([10, 12, 15, 20], 30) AS periods",
        related: &["cac", "ltv_cac"],
    }
    .build()
});

/// The scalar `payback_period(margins, cost)`.
pub struct PaybackPeriod;

impl ScalarDefinition for PaybackPeriod {
    const NAME: &'static str = NAME;

    fn documentation() -> &'static Documentation {
        &DOCUMENTATION
    }

    fn coerce(types: &[DataType]) -> Result<Vec<DataType>> {
        let [margins, cost] = take_function_args(NAME, types)?;
        let item = match margins {
            DataType::List(item) | DataType::LargeList(item) | DataType::FixedSizeList(item, _) => {
                coerce_double(NAME, "a margin", item.data_type())?
            }
            DataType::Null => DataType::Float64,
            other => return plan_err!("{NAME}: margins must be a list of numbers, got {other}"),
        };
        let list = DataType::List(Arc::new(Field::new("item", item, true)));
        Ok(vec![list, coerce_double(NAME, "cost", cost)?])
    }

    fn result(_types: &[DataType]) -> Result<DataType> {
        Ok(DataType::Float64)
    }

    fn invoke(args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [margins, cost] = take_function_args(NAME, args.args)?;
        let (margins, cost) = (margins.to_array(args.number_rows)?, cost.to_array(args.number_rows)?);
        let (lists, costs) = (margins.as_list::<i32>(), cost.as_primitive::<Float64Type>());
        let periods = (0..args.number_rows).map(|row| {
            if lists.is_null(row) || costs.is_null(row) {
                return None;
            }
            periods(lists.value(row).as_primitive::<Float64Type>(), costs.value(row))
        });
        Ok(ColumnarValue::Array(Arc::new(periods.collect::<Float64Array>())))
    }
}

fn periods(margins: &Float64Array, cost: f64) -> Option<f64> {
    if !(cost > 0.0 && cost.is_finite()) {
        return None;
    }
    let mut paid = 0.0;
    for (period, margin) in margins.iter().enumerate() {
        let margin = margin.filter(|margin| margin.is_finite()).unwrap_or(0.0);
        if paid + margin >= cost {
            return Some(period as f64 + (cost - paid) / margin);
        }
        paid += margin;
    }
    None
}

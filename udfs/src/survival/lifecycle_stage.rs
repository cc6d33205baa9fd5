//! `lifecycle_stage`: where in the customer's life with the brand the customer stands.

use std::sync::{Arc, LazyLock};

use arrow::array::{Array, AsArray, StringArray};
use arrow::datatypes::{DataType, Float64Type};
use datafusion_common::{Result, ScalarValue, exec_err};
use datafusion_expr::{ColumnarValue, Documentation, ScalarFunctionArgs};

use crate::calendar::{Calendar, Instants, coerce_time, coerce_times};
use crate::definition::{ScalarDefinition, expect_arguments};
use crate::documents::{Entry, SURVIVAL};
use crate::doubles::{argument_or, coerce_double, constant_double};

const NAME: &str = "lifecycle_stage";
const CYCLE_DAYS: f64 = 90.0;
/// A single purchase is new for this part of a cycle.
const NEW_CYCLES: f64 = 1.0 / 3.0;
/// Silences in cycles from which on a customer is at risk, dormant, lost.
const SILENT_CYCLES: [f64; 3] = [1.0, 2.0, 4.0];
const LOYAL_PURCHASES: f64 = 5.0;

static DOCUMENTATION: LazyLock<Documentation> = LazyLock::new(|| {
    Entry {
        section: SURVIVAL,
        description: "Stage of the customer's life with the brand, TEXT: 'lead' without a purchase; after a silence of more than one, two or four cycles since the last one \
            'at_risk', 'dormant' or 'lost'; else with one purchase 'new' for a third of a cycle and 'first_purchase' after that, with two to four 'repeat', with five or more 'loyal'. \
            NULL when as_of or n is NULL, n is negative, first or last is NULL though n is above 0, or first, last and as_of are not in that order. \
            Source: own definition; the cycle and the numbers are a choice, not a law of the trade.",
        syntax: "lifecycle_stage(first timestamptz, last timestamptz, n bigint, as_of date [, cycle double precision]) -> text",
        arguments: &[
            ("first", "Time of the first purchase; its day counts."),
            ("last", "Time of the last purchase."),
            ("n", "Number of purchases."),
            ("as_of", "The day that counts as today."),
            ("cycle", "Days between purchases that are usual, above 0: a constant, or the customer's own of repurchase_cycle. Default 90."),
        ],
        example: "SELECT one_id, lifecycle_stage(min(paid_at), max(paid_at), count(*), DATE '2011-06-01') AS stage FROM orders GROUP BY one_id",
        related: &["repurchase_cycle", "churn_level"],
    }
    .build()
});

/// The scalar `lifecycle_stage(first, last, n, as_of [, cycle])`.
pub struct LifecycleStage;

impl ScalarDefinition for LifecycleStage {
    const NAME: &'static str = NAME;

    fn documentation() -> &'static Documentation {
        &DOCUMENTATION
    }

    fn coerce(types: &[DataType]) -> Result<Vec<DataType>> {
        expect_arguments(NAME, types, 4, 5)?;
        let (_, as_of) = coerce_times(NAME, "last", &types[1], &types[3])?;
        let mut coerced = vec![
            coerce_time(NAME, "first", &types[0])?,
            coerce_time(NAME, "last", &types[1])?,
            coerce_double(NAME, "n", &types[2])?,
            as_of,
        ];
        for cycle in &types[4..] {
            coerced.push(coerce_double(NAME, "cycle", cycle)?);
        }
        Ok(coerced)
    }

    fn result(_types: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8)
    }

    fn invoke(args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let cycle = argument_or(&args, 4, CYCLE_DAYS);
        if let Some(days) = constant_double(&cycle).filter(|days| !is_cycle(*days)) {
            return exec_err!("{NAME}: cycle must be above 0, got \"{days}\"");
        }
        let rows = args.number_rows;
        let [first, last, n, as_of, ..] = args.args.as_slice() else {
            return exec_err!("{NAME}: 4 or 5 arguments are needed, got {}", args.args.len());
        };
        let (n, cycle) = (n.to_array(rows)?, cycle.to_array(rows)?);
        let (n, cycle) = (n.as_primitive::<Float64Type>(), cycle.as_primitive::<Float64Type>());
        let (mut first, mut last, mut as_of) = (Days::of(first, rows)?, Days::of(last, rows)?, Days::of(as_of, rows)?);
        let stages = (0..rows).map(|row| {
            if n.is_null(row) || cycle.is_null(row) || !is_cycle(cycle.value(row)) {
                return None;
            }
            stage(first.at(row), last.at(row), n.value(row), as_of.at(row)?, cycle.value(row))
        });
        let stages: StringArray = stages.collect();
        let is_constant = args.args.iter().all(|argument| matches!(argument, ColumnarValue::Scalar(_)));
        if is_constant && rows > 0 {
            return Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&stages, 0)?));
        }
        Ok(ColumnarValue::Array(Arc::new(stages)))
    }
}

fn is_cycle(days: f64) -> bool {
    days.is_finite() && days > 0.0
}

/// Local days of a column of times.
struct Days {
    calendar: Calendar,
    instants: Instants,
}

impl Days {
    fn of(times: &ColumnarValue, rows: usize) -> Result<Self> {
        let calendar = Calendar::of(NAME, &times.data_type())?;
        Ok(Self { calendar, instants: Instants::of(&times.to_array(rows)?)? })
    }

    fn at(&mut self, row: usize) -> Option<f64> {
        self.instants.is_valid(row).then(|| f64::from(self.calendar.day(self.instants.raw[row])))
    }
}

fn stage(first: Option<f64>, last: Option<f64>, n: f64, as_of: f64, cycle: f64) -> Option<&'static str> {
    if n == 0.0 {
        return Some("lead");
    }
    let (first, last) = (first?, last?);
    if !(n > 0.0 && first <= last && last <= as_of) {
        return None;
    }
    let [at_risk, dormant, lost] = SILENT_CYCLES.map(|cycles| cycles * cycle);
    Some(match as_of - last {
        silence if silence > lost => "lost",
        silence if silence > dormant => "dormant",
        silence if silence > at_risk => "at_risk",
        _ if n >= LOYAL_PURCHASES => "loyal",
        _ if n > 1.0 => "repeat",
        silence if silence <= NEW_CYCLES * cycle => "new",
        _ => "first_purchase",
    })
}

//! `generate_series` as a column: integers, numerics, or moments a step of an interval apart. Each list is made whole before
//! the first row leaves it, so it is bounded; in FROM, with integers that stand in the statement, it streams and has no bound.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Decimal128Array, Int64Array, ListArray, PrimitiveArray, TimestampMicrosecondArray,
};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::compute::cast;
use arrow::datatypes::{
    DataType, Decimal128Type, Field, Int64Type, IntervalMonthDayNano, IntervalMonthDayNanoType, IntervalUnit, TimeUnit,
    TimestampMicrosecondType,
};
use datafusion::common::plan_err;
use datafusion::config::ConfigOptions;
use datafusion::error::Result;
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};

use super::casts::is_text;
use super::clocks;
use super::texts::{answer, outward, zone};
use crate::error::{Error, Reason};
use crate::forms::datetime::{Civil, MICROS_A_DAY, MICROS_A_SECOND};
use crate::forms::zone::Zone;

/// Values of one batch: 80 MB.
const VALUES_MAX: usize = 10_000_000;

const INTERVAL: DataType = DataType::Interval(IntervalUnit::MonthDayNano);

pub fn functions() -> Vec<ScalarUDF> {
    vec![in_session("UTC")]
}

fn in_session(zone: &str) -> ScalarUDF {
    let signature = Signature::user_defined(Volatility::Stable);
    ScalarUDF::new_from_impl(GenerateSeries { zone: zone.into(), signature })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct GenerateSeries {
    /// That of the session, in which a day has its midnight.
    zone: Arc<str>,
    signature: Signature,
}

fn no_series(types: &[DataType]) -> Error {
    let names: Vec<String> = types.iter().map(ToString::to_string).collect();
    Error::new(Reason::UndefinedFunction, format!("no function generate_series takes ({})", names.join(", ")))
        .with_hint("It takes integers, numerics, or two moments and an interval.")
}

impl ScalarUDFImpl for GenerateSeries {
    fn name(&self) -> &str {
        "generate_series"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    /// Texts become what stands beside them, as literals do in PostgreSQL.
    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let all = |test: fn(&DataType) -> bool| types.iter().all(|data_type| test(data_type) || data_type.is_null());
        let refused = || outward(no_series(types));
        if !(2..=3).contains(&types.len()) {
            return Err(refused());
        }
        if all(DataType::is_integer) {
            let is_wide = types.contains(&DataType::Int64) || types.iter().all(DataType::is_null);
            let width = if is_wide { DataType::Int64 } else { DataType::Int32 };
            return Ok(vec![width; types.len()]);
        }
        if all(|data_type| data_type.is_integer() || matches!(data_type, DataType::Decimal128(..))) {
            let scale = types.iter().map(scale_of).max().unwrap_or(0);
            return Ok(vec![DataType::Decimal128(38, scale); types.len()]);
        }
        let [start, stop, step] = types else { return Err(refused()) };
        if !(is_text(step) || step.is_null() || matches!(step, DataType::Interval(_) | DataType::Duration(_))) {
            return Err(refused());
        }
        let bounds = [start, stop];
        let is_moment = |data_type: &&DataType| is_text(data_type) || data_type.is_null() || data_type.is_temporal();
        if !bounds.iter().all(is_moment) {
            return Err(refused());
        }
        let with_zone = bounds.iter().find(|data_type| matches!(data_type, DataType::Timestamp(_, Some(_))));
        let bare = bounds.iter().find(|data_type| matches!(data_type, DataType::Timestamp(_, None)));
        let bound = match (with_zone, bare) {
            (Some(_), _) => DataType::Timestamp(TimeUnit::Microsecond, Some(Arc::clone(&self.zone))),
            (None, Some(_)) => DataType::Timestamp(TimeUnit::Microsecond, None),
            (None, None) => DataType::Date32,
        };
        Ok(vec![bound.clone(), bound, INTERVAL])
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        let item = match types.first() {
            Some(DataType::Date32) => DataType::Timestamp(TimeUnit::Microsecond, Some(Arc::clone(&self.zone))),
            Some(other) => other.clone(),
            None => return Err(outward(no_series(types))),
        };
        Ok(DataType::List(Arc::new(Field::new_list_field(item, true))))
    }

    fn with_updated_config(&self, config: &ConfigOptions) -> Option<ScalarUDF> {
        Some(in_session(config.execution.time_zone.as_deref().unwrap_or("UTC")))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let is_constant = args.args.iter().all(|argument| matches!(argument, ColumnarValue::Scalar(_)));
        let rows = if is_constant { 1 } else { args.number_rows };
        let columns = args.args.iter().map(|argument| argument.to_array(rows)).collect::<Result<Vec<_>>>()?;
        let [start, stop, step @ ..] = columns.as_slice() else { return plan_err!("generate_series takes two bounds") };
        let step = step.first();
        let (lists, items): (Lists, ArrayRef) = match start.data_type() {
            DataType::Int32 | DataType::Int64 => {
                let column = |column: &ArrayRef| -> Result<Int64Array> {
                    Ok(cast(column, &DataType::Int64)?.as_primitive::<Int64Type>().clone())
                };
                let (start, stop) = (column(start)?, column(stop)?);
                let step = step.map(column).transpose()?.unwrap_or_else(|| Int64Array::from(vec![1; rows]));
                let (lists, items) = stepped(&start, &stop, &step, i64::checked_add, |step| step.signum())?;
                (lists, cast(&Int64Array::from(items), columns[0].data_type())?)
            }
            DataType::Decimal128(digits, scale) => {
                let column = |column: &ArrayRef| column.as_primitive::<Decimal128Type>().clone();
                let one = 10_i128.checked_pow(u32::from(scale.unsigned_abs())).unwrap_or(1);
                let step = step.map(column).unwrap_or_else(|| Decimal128Array::from(vec![one; rows]));
                let (lists, items) =
                    stepped(&column(start), &column(stop), &step, i128::checked_add, |step| step.signum() as i64)?;
                (lists, Arc::new(Decimal128Array::from(items).with_precision_and_scale(*digits, *scale)?))
            }
            _ => {
                let bound = |column: &ArrayRef| -> Result<TimestampMicrosecondArray> {
                    let column = match column.data_type() {
                        DataType::Date32 => clocks::instants(column, &self.zone)?,
                        _ => Arc::clone(column),
                    };
                    Ok(column.as_primitive::<TimestampMicrosecondType>().clone())
                };
                let (start, stop) = (bound(start)?, bound(stop)?);
                let Some(step) = step else { return plan_err!("generate_series of moments takes a step") };
                let session = start.timezone().map(|_| zone(&args.config_options));
                let step = step.as_primitive::<IntervalMonthDayNanoType>();
                let add = |micros: i64, step: IntervalMonthDayNano| later(micros, step, session);
                let (lists, items) = stepped(&start, &stop, step, add, direction)?;
                let zone = start.timezone().map(Arc::from);
                (lists, Arc::new(TimestampMicrosecondArray::from(items).with_timezone_opt(zone)))
            }
        };
        let DataType::List(item) = args.return_type() else { return plan_err!("generate_series gives a list") };
        let list =
            ListArray::try_new(Arc::clone(item), OffsetBuffer::from_lengths(lists.lengths), items, Some(lists.valid))?;
        answer(&args.args, Arc::new(list))
    }
}

fn scale_of(data_type: &DataType) -> i8 {
    match data_type {
        DataType::Decimal128(_, scale) => *scale,
        _ => 0,
    }
}

/// How long each list is, and which are not NULL.
struct Lists {
    lengths: Vec<usize>,
    valid: NullBuffer,
}

/// The values from each start to its stop, by steps; where the next would run over, the series has ended.
fn stepped<B, S>(
    start: &PrimitiveArray<B>,
    stop: &PrimitiveArray<B>,
    step: &PrimitiveArray<S>,
    add: impl Fn(B::Native, S::Native) -> Option<B::Native>,
    direction: impl Fn(S::Native) -> i64,
) -> Result<(Lists, Vec<B::Native>)>
where
    B: arrow::datatypes::ArrowPrimitiveType,
    S: arrow::datatypes::ArrowPrimitiveType,
    B::Native: PartialOrd,
{
    let (mut lengths, mut valid, mut items) = (Vec::new(), Vec::new(), Vec::new());
    for ((start, stop), step) in start.iter().zip(stop).zip(step) {
        let (Some(mut at), Some(stop), Some(step)) = (start, stop, step) else {
            lengths.push(0);
            valid.push(false);
            continue;
        };
        let direction = direction(step);
        if direction == 0 {
            return Err(outward(Error::new(Reason::InvalidParameter, "step size cannot equal zero")));
        }
        let from = items.len();
        while (direction > 0 && at <= stop) || (direction < 0 && at >= stop) {
            if items.len() >= VALUES_MAX {
                return Err(outward(too_many()));
            }
            items.push(at);
            match add(at, step) {
                Some(next) => at = next,
                None => break,
            }
        }
        lengths.push(items.len() - from);
        valid.push(true);
    }
    Ok((Lists { lengths, valid: NullBuffer::from(valid) }, items))
}

fn too_many() -> Error {
    let text = format!("generate_series would give more than {VALUES_MAX} values at once");
    Error::new(Reason::LimitExceeded, text).with_hint("in FROM, with constant bounds, it streams its rows")
}

/// Whether a step leads forwards: a month is thirty days.
fn direction(step: IntervalMonthDayNano) -> i64 {
    let days = i128::from(step.months) * 30 + i128::from(step.days);
    (days * i128::from(MICROS_A_DAY) * 1000 + i128::from(step.nanoseconds)).signum() as i64
}

/// The moment a step later. Months and days are counted by the calendar, of instants that of their zone.
fn later(micros: i64, step: IntervalMonthDayNano, zone: Option<Zone>) -> Option<i64> {
    let mut at = micros;
    if step.months != 0 || step.days != 0 {
        let offset = zone.map_or(0, |zone| zone.offset_seconds(at.div_euclid(MICROS_A_SECOND)));
        let local = at.checked_add(i64::from(offset) * MICROS_A_SECOND)?;
        let civil = Civil::of_days(local.div_euclid(MICROS_A_DAY));
        let months = civil.year * 12 + i64::from(civil.month) - 1 + i64::from(step.months);
        let first = Civil { year: months.div_euclid(12), month: months.rem_euclid(12) as u32 + 1, day: 1 };
        let next = match first.month {
            12 => Civil { year: first.year + 1, month: 1, day: 1 },
            month => Civil { month: month + 1, ..first },
        };
        // The last day of a shorter month stands for a day that it has not.
        let day = i64::from(civil.day).min(next.days() - first.days());
        let days = first.days() + day - 1 + i64::from(step.days);
        let local = days.checked_mul(MICROS_A_DAY)?.checked_add(local.rem_euclid(MICROS_A_DAY))?;
        let offset = zone.map_or(0, |zone| zone.offset_of_local(local.div_euclid(MICROS_A_SECOND)));
        at = local.checked_sub(i64::from(offset) * MICROS_A_SECOND)?;
    }
    at.checked_add(step.nanoseconds / 1000)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;
    use crate::forms::read::datetime::{instant, timestamp};

    // What PostgreSQL 15 gives: timestamp text + interval.
    #[test]
    fn a_step_goes_by_the_calendar() {
        for (from, months, days, expected) in [
            ("2024-01-31", 1, 0, "2024-02-29"),
            ("2024-12-31", 2, 0, "2025-02-28"),
            ("2024-03-31 10:00", -1, 0, "2024-02-29 10:00"),
            ("2024-02-28", 0, 2, "2024-03-01"),
        ] {
            let got = later(timestamp(from).unwrap(), IntervalMonthDayNano::new(months, days, 0), None);
            assert_eq!(got, timestamp(expected).ok(), "{from}");
        }
        let paris = Zone::parse("Europe/Paris").unwrap();
        let got = later(instant("2024-03-30 12:00", paris).unwrap(), IntervalMonthDayNano::new(0, 1, 0), Some(paris));
        assert_eq!(got, instant("2024-03-31 12:00", paris).ok());
    }

    #[test]
    fn a_series_ends_where_its_type_does() {
        let one = |number: i64| Int64Array::from(vec![number]);
        let (lists, items) =
            stepped(&one(i64::MAX - 1), &one(i64::MAX), &one(3), i64::checked_add, |step| step.signum()).unwrap();
        assert_eq!((lists.lengths, items), (vec![1], vec![i64::MAX - 1]));
        assert!(stepped(&one(0), &one(i64::MAX), &one(1), i64::checked_add, |step| step.signum()).is_err());
        assert!(stepped(&one(0), &one(1), &one(0), i64::checked_add, |step| step.signum()).is_err());
    }
}

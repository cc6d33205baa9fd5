//! Functions of numbers whose answers are exact: signs, whole quotients, places, buckets, divisors, factorials.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Decimal128Array, Decimal128Builder, Float64Array, Int32Builder, Int64Builder,
};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Decimal128Type, Field, FieldRef, Float64Type, Int64Type};
use datafusion::common::{ScalarValue, plan_err};
use datafusion::error::Result;
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, TypeSignature, Volatility,
};

use super::texts::{answer, outward, strict_cast};
use crate::error::{Error, Reason};

/// The digits of the widest numeric.
const DIGITS: u8 = 38;
const WHOLE: DataType = DataType::Decimal128(DIGITS, 0);

pub fn functions() -> Vec<ScalarUDF> {
    use Kind::*;
    let of = |kind: Kind| {
        let counts = kind.counts().iter().map(|count| TypeSignature::Any(*count)).collect();
        ScalarUDF::new_from_impl(Number { kind, signature: Signature::one_of(counts, Volatility::Immutable) })
    };
    [Sign, Trunc, Div, WidthBucket, Scale, MinScale, TrimScale, Gcd, Lcm, Factorial].map(of).into()
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Kind {
    Sign,
    Trunc,
    /// The whole quotient, cut off.
    Div,
    WidthBucket,
    Scale,
    MinScale,
    /// A column's numbers have one scale, so here it keeps it.
    TrimScale,
    Gcd,
    Lcm,
    Factorial,
}

impl Kind {
    fn counts(self) -> &'static [usize] {
        match self {
            Self::Sign | Self::Scale | Self::MinScale | Self::TrimScale | Self::Factorial => &[1],
            Self::Trunc => &[1, 2],
            Self::Div | Self::Gcd | Self::Lcm => &[2],
            Self::WidthBucket => &[2, 4],
        }
    }
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Number {
    kind: Kind,
    signature: Signature,
}

impl ScalarUDFImpl for Number {
    fn name(&self) -> &str {
        match self.kind {
            Kind::Sign => "sign",
            Kind::Trunc => "trunc",
            Kind::Div => "div",
            Kind::WidthBucket => "width_bucket",
            Kind::Scale => "scale",
            Kind::MinScale => "min_scale",
            Kind::TrimScale => "trim_scale",
            Kind::Gcd => "gcd",
            Kind::Lcm => "lcm",
            Kind::Factorial => "factorial",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        self.typed(types, None)
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        let types: Vec<DataType> = args.arg_fields.iter().map(|field| field.data_type().clone()).collect();
        let places = match args.scalar_arguments.get(1) {
            Some(Some(places)) => match places.cast_to(&DataType::Int64) {
                Ok(ScalarValue::Int64(places)) => places,
                _ => None,
            },
            _ => None,
        };
        Ok(Arc::new(Field::new(self.name(), self.typed(&types, places)?, true)))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let is_constant = args.args.iter().all(|argument| matches!(argument, ColumnarValue::Scalar(_)));
        let rows = if is_constant { 1 } else { args.number_rows };
        let columns = args.args.iter().map(|argument| argument.to_array(rows)).collect::<Result<Vec<_>>>()?;
        let to = args.return_type();
        let values = match (self.kind, columns.as_slice()) {
            (Kind::Sign, [value]) => signs(value, to)?,
            (Kind::Trunc, [value, places @ ..]) => truncated(value, places.first(), to)?,
            (Kind::Div, [left, right]) => quotients(left, right)?,
            (Kind::WidthBucket, [value, low, high, count]) => buckets(value, low, high, count)?,
            (Kind::WidthBucket, [value, bounds]) => bounded_buckets(value, bounds)?,
            (Kind::Scale, [value]) => places(value, |_, scale| scale)?,
            (Kind::MinScale, [value]) => places(value, least_scale)?,
            (Kind::TrimScale, [value]) => cast(value, to)?,
            (Kind::Gcd, [left, right]) => divisors(left, right, to, gcd)?,
            (Kind::Lcm, [left, right]) => divisors(left, right, to, lcm)?,
            (Kind::Factorial, [value]) => factorials(value)?,
            _ => return plan_err!("{} takes other arguments", self.name()),
        };
        answer(&args.args, values)
    }
}

impl Number {
    /// The type of the answer; `places` is the second argument where it stands in the statement.
    fn typed(&self, types: &[DataType], places: Option<i64>) -> Result<DataType> {
        let numbers = if self.kind == Kind::WidthBucket { &types[..1] } else { types };
        if let Some(other) = numbers.iter().find(|data_type| !data_type.is_numeric() && !data_type.is_null()) {
            let text = format!("{} takes numbers, not {other}", self.name());
            return Err(outward(Error::new(Reason::UndefinedFunction, text)));
        }
        let first = types.first().cloned().unwrap_or(DataType::Null);
        Ok(match (self.kind, &first) {
            (Kind::Sign, DataType::Decimal128(..)) => DataType::Decimal128(1, 0),
            (Kind::Sign, _) => DataType::Float64,
            (Kind::Trunc, first) => match (exact_type(first), types.get(1)) {
                (Some((digits, scale)), Some(_)) => {
                    let kept = places.map_or(scale, |places| places.clamp(0, DIGITS.into()) as i8);
                    let digits = i16::from(digits) - i16::from(scale) + i16::from(kept);
                    DataType::Decimal128(digits.clamp(kept.max(1).into(), DIGITS.into()) as u8, kept)
                }
                (Some((digits, scale)), None) if !first.is_integer() => {
                    DataType::Decimal128(digits.saturating_sub(scale.unsigned_abs()).max(1), 0)
                }
                _ => DataType::Float64,
            },
            (Kind::Div | Kind::Factorial, _) => WHOLE,
            (Kind::WidthBucket | Kind::Scale | Kind::MinScale, _) => DataType::Int32,
            (Kind::TrimScale, first) => {
                let (digits, scale) = exact_type(first).unwrap_or((DIGITS, 10));
                DataType::Decimal128(digits, scale)
            }
            (Kind::Gcd | Kind::Lcm, _) => match types {
                [DataType::Int64, other] | [other, DataType::Int64] if other.is_integer() => DataType::Int64,
                [left, right] if left.is_integer() && right.is_integer() => DataType::Int32,
                types => {
                    let scale = types.iter().filter_map(exact_type).map(|(_, scale)| scale).max();
                    DataType::Decimal128(DIGITS, scale.unwrap_or(0))
                }
            },
        })
    }
}

/// Digits and scale of a type whose numbers are exact.
fn exact_type(data_type: &DataType) -> Option<(u8, i8)> {
    match data_type {
        DataType::Decimal128(digits, scale) => Some((*digits, *scale)),
        DataType::Int8 | DataType::Int16 | DataType::Int32 => Some((10, 0)),
        integer if integer.is_integer() => Some((20, 0)),
        _ => None,
    }
}

/// Numbers as whole ones of 10^-scale.
fn exact(column: &ArrayRef) -> Result<(Decimal128Array, i8)> {
    let (digits, scale) = exact_type(column.data_type()).unwrap_or((DIGITS, 10));
    let numbers = strict_cast(column, &DataType::Decimal128(digits, scale))?;
    Ok((numbers.as_primitive::<Decimal128Type>().clone(), scale))
}

fn doubles(column: &ArrayRef) -> Result<Float64Array> {
    Ok(cast(column, &DataType::Float64)?.as_primitive::<Float64Type>().clone())
}

fn power_of_ten(exponent: i8) -> i128 {
    10_i128.pow(u32::from(exponent.unsigned_abs()).min(DIGITS.into()))
}

fn overflow() -> Error {
    Error::new(Reason::OutOfRange, "value overflows numeric format")
}

/// The number in units of another scale, cut off.
fn rescaled(number: i128, from: i8, to: i8) -> Result<i128, Error> {
    match to - from {
        0 => Ok(number),
        more if more > 0 => number.checked_mul(power_of_ten(more)).ok_or_else(overflow),
        less => Ok(number / power_of_ten(less)),
    }
}

fn signs(value: &ArrayRef, to: &DataType) -> Result<ArrayRef> {
    if *to == DataType::Float64 {
        let sign = |number: f64| if number == 0.0 { 0.0 } else { number.signum() };
        return Ok(Arc::new(doubles(value)?.unary::<_, Float64Type>(|n| if n.is_nan() { n } else { sign(n) })));
    }
    let (numbers, _) = exact(value)?;
    Ok(Arc::new(numbers.unary::<_, Decimal128Type>(i128::signum).with_precision_and_scale(1, 0)?))
}

/// The numbers without the digits beyond so many places; places before the point become zeros.
fn truncated(value: &ArrayRef, places: Option<&ArrayRef>, to: &DataType) -> Result<ArrayRef> {
    let places = places.map(|places| cast(places, &DataType::Int64)).transpose()?;
    let places_at = |row: usize| match &places {
        Some(places) => places.is_valid(row).then(|| places.as_primitive::<Int64Type>().value(row)),
        None => Some(0),
    };
    let DataType::Decimal128(digits, kept) = *to else {
        let numbers = doubles(value)?;
        let numbers = numbers.iter().enumerate();
        let cut = |(row, number): (usize, Option<f64>)| {
            let unit = 10_f64.powi(i32::try_from(places_at(row)?).unwrap_or(i32::MAX));
            let shifted = number? * unit;
            Some(if shifted.is_finite() { shifted.trunc() / unit } else { number? })
        };
        return Ok(Arc::new(numbers.map(cut).collect::<Float64Array>()));
    };
    let (numbers, scale) = exact(value)?;
    let mut builder = Decimal128Builder::with_capacity(numbers.len());
    for (row, number) in numbers.iter().enumerate() {
        let cut = number.zip(places_at(row)).map(|(number, places)| {
            let dropped = i64::from(scale).saturating_sub(places).clamp(0, DIGITS.into()) as i8;
            let unit = power_of_ten(dropped);
            rescaled(number / unit * unit, scale, kept)
        });
        builder.append_option(cut.transpose().map_err(outward)?);
    }
    Ok(Arc::new(builder.finish().with_precision_and_scale(digits, kept)?))
}

fn division_by_zero() -> Error {
    Error::new(Reason::DivisionByZero, "division by zero")
}

fn quotients(left: &ArrayRef, right: &ArrayRef) -> Result<ArrayRef> {
    let ((left, left_scale), (right, right_scale)) = (exact(left)?, exact(right)?);
    let scale = left_scale.max(right_scale);
    let quotient = |(left, right): (i128, i128)| {
        let (left, right) = (rescaled(left, left_scale, scale)?, rescaled(right, right_scale, scale)?);
        left.checked_div(right).ok_or_else(division_by_zero)
    };
    let mut builder = Decimal128Builder::with_capacity(left.len());
    for pair in left.iter().zip(&right) {
        let (left, right) = pair;
        builder.append_option(left.zip(right).map(quotient).transpose().map_err(outward)?);
    }
    Ok(Arc::new(builder.finish().with_precision_and_scale(DIGITS, 0)?))
}

fn places(value: &ArrayRef, of: fn(i128, i8) -> i8) -> Result<ArrayRef> {
    let (numbers, scale) = exact(value)?;
    let mut builder = Int32Builder::with_capacity(numbers.len());
    numbers.iter().for_each(|number| builder.append_option(number.map(|number| i32::from(of(number, scale)))));
    Ok(Arc::new(builder.finish()))
}

/// The places of a number without the zeros at its end.
fn least_scale(number: i128, scale: i8) -> i8 {
    (0..scale).find(|kept| number % power_of_ten(scale - kept) == 0).unwrap_or(scale)
}

fn bucket_error(text: &str) -> Error {
    Error::new(Reason::InvalidBuckets, text)
}

/// The bucket of each value among so many of one width; 0 is below, count + 1 above.
fn buckets(value: &ArrayRef, low: &ArrayRef, high: &ArrayRef, count: &ArrayRef) -> Result<ArrayRef> {
    let counts = cast(count, &DataType::Int64)?;
    let counts = counts.as_primitive::<Int64Type>();
    let is_exact = [value, low, high].iter().all(|column| exact_type(column.data_type()).is_some());
    let mut builder = Int32Builder::with_capacity(value.len());
    let mut push = |bucket: Option<Result<i64, Error>>| -> Result<()> {
        let bucket = bucket.transpose().map_err(outward)?;
        let bucket = bucket.map(|bucket| {
            i32::try_from(bucket).map_err(|_| outward(Error::new(Reason::OutOfRange, "integer out of range")))
        });
        builder.append_option(bucket.transpose()?);
        Ok(())
    };
    if is_exact {
        let columns = [exact(value)?, exact(low)?, exact(high)?];
        let scale = columns.iter().map(|(_, scale)| *scale).max().unwrap_or(0);
        for row in 0..counts.len() {
            let is_known = counts.is_valid(row) && columns.iter().all(|(numbers, _)| numbers.is_valid(row));
            push(is_known.then(|| {
                let [value, low, high] =
                    columns.each_ref().map(|(numbers, from)| rescaled(numbers.value(row), *from, scale));
                exact_bucket(value?, low?, high?, counts.value(row))
            }))?;
        }
    } else {
        let columns = [doubles(value)?, doubles(low)?, doubles(high)?];
        for row in 0..counts.len() {
            let is_known = counts.is_valid(row) && columns.iter().all(|numbers| numbers.is_valid(row));
            push(is_known.then(|| {
                let [value, low, high] = columns.each_ref().map(|numbers| numbers.value(row));
                float_bucket(value, low, high, counts.value(row))
            }))?;
        }
    }
    Ok(Arc::new(builder.finish()))
}

fn require_count(count: i64) -> Result<(), Error> {
    if count > 0 { Ok(()) } else { Err(bucket_error("count must be greater than zero")) }
}

fn exact_bucket(value: i128, low: i128, high: i128, count: i64) -> Result<i64, Error> {
    require_count(count)?;
    if low == high {
        return Err(bucket_error("lower bound cannot equal upper bound"));
    }
    let less = |a: i128, b: i128| a.checked_sub(b).ok_or_else(overflow);
    let (from, width) =
        if low < high { (less(value, low)?, less(high, low)?) } else { (less(low, value)?, less(low, high)?) };
    if from < 0 {
        return Ok(0);
    }
    if from >= width {
        return Ok(count.saturating_add(1));
    }
    let bucket = from.checked_mul(count.into()).ok_or_else(overflow)? / width;
    Ok(i64::try_from(bucket).map_err(|_| overflow())?.saturating_add(1))
}

fn float_bucket(value: f64, low: f64, high: f64, count: i64) -> Result<i64, Error> {
    require_count(count)?;
    if value.is_nan() || low.is_nan() || high.is_nan() {
        return Err(bucket_error("operand, lower bound, and upper bound cannot be NaN"));
    }
    if low.is_infinite() || high.is_infinite() {
        return Err(bucket_error("lower and upper bounds must be finite"));
    }
    if low == high {
        return Err(bucket_error("lower bound cannot equal upper bound"));
    }
    let (is_below, is_above) = if low < high { (value < low, value >= high) } else { (value > low, value <= high) };
    Ok(if is_below {
        0
    } else if is_above {
        count.saturating_add(1)
    } else {
        ((value - low) / (high - low) * count as f64) as i64 + 1
    })
}

/// How many of the bounds, which are in order, each value has reached.
fn bounded_buckets(value: &ArrayRef, bounds: &ArrayRef) -> Result<ArrayRef> {
    let Some(lists) = bounds.as_list_opt::<i32>() else {
        return plan_err!("width_bucket takes an array of bounds, not {}", bounds.data_type());
    };
    let (values, mut builder) = (doubles(value)?, Int32Builder::with_capacity(value.len()));
    for (row, number) in values.iter().enumerate() {
        let Some(number) = number.filter(|_| lists.is_valid(row)) else {
            builder.append_null();
            continue;
        };
        let bounds = doubles(&lists.value(row))?;
        if bounds.null_count() > 0 {
            return Err(outward(Error::new(Reason::InvalidParameter, "thresholds array must not contain NULLs")));
        }
        let reached = bounds.values().partition_point(|bound| *bound <= number);
        builder.append_value(i32::try_from(reached).unwrap_or(i32::MAX));
    }
    Ok(Arc::new(builder.finish()))
}

fn gcd(left: i128, right: i128) -> Option<i128> {
    let (mut a, mut b) = (left.unsigned_abs(), right.unsigned_abs());
    while b != 0 {
        (a, b) = (b, a % b);
    }
    i128::try_from(a).ok()
}

fn lcm(left: i128, right: i128) -> Option<i128> {
    match gcd(left, right)? {
        0 => Some(0),
        divisor => (left / divisor).checked_mul(right)?.checked_abs(),
    }
}

fn divisors(left: &ArrayRef, right: &ArrayRef, to: &DataType, of: fn(i128, i128) -> Option<i128>) -> Result<ArrayRef> {
    let ((left, left_scale), (right, right_scale)) = (exact(left)?, exact(right)?);
    let scale = left_scale.max(right_scale);
    let divisor = |(left, right): (i128, i128)| {
        of(rescaled(left, left_scale, scale)?, rescaled(right, right_scale, scale)?).ok_or_else(overflow)
    };
    let values = left.iter().zip(&right).map(|(left, right)| left.zip(right).map(divisor).transpose());
    let values: Vec<Option<i128>> = values.collect::<Result<_, _>>().map_err(outward)?;
    if to.is_integer() {
        let name = if *to == DataType::Int64 { "bigint" } else { "integer" };
        let refused = || outward(Error::new(Reason::OutOfRange, format!("{name} out of range")));
        let mut builder = Int64Builder::with_capacity(values.len());
        for value in values {
            builder.append_option(value.map(|value| i64::try_from(value).map_err(|_| refused())).transpose()?);
        }
        return strict_cast(&builder.finish(), to).map_err(|_| refused());
    }
    Ok(Arc::new(values.into_iter().collect::<Decimal128Array>().with_precision_and_scale(DIGITS, scale)?))
}

fn factorials(value: &ArrayRef) -> Result<ArrayRef> {
    let numbers = cast(value, &DataType::Int64)?;
    let factorial = |number: i64| {
        if number < 0 {
            return Err(Error::new(Reason::OutOfRange, "factorial of a negative number is undefined"));
        }
        (1..=i128::from(number))
            .try_fold(1_i128, i128::checked_mul)
            .filter(|all| *all < power_of_ten(38))
            .ok_or_else(overflow)
    };
    let values = numbers.as_primitive::<Int64Type>().iter().map(|number| number.map(factorial).transpose());
    let values: Decimal128Array = values.collect::<Result<Vec<_>, _>>().map_err(outward)?.into_iter().collect();
    Ok(Arc::new(values.with_precision_and_scale(DIGITS, 0)?))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    // What PostgreSQL 15 gives.
    #[test]
    fn buckets_have_their_lower_bound_and_not_their_upper() {
        for ((value, low, high, count), expected) in
            [((3, 0, 10, 10), 4), ((-1, 0, 10, 10), 0), ((10, 0, 10, 10), 11), ((2, 10, 1, 9), 9), ((11, 10, 1, 9), 0)]
        {
            assert_eq!(exact_bucket(value, low, high, count).unwrap(), expected);
            assert_eq!(float_bucket(value as f64, low as f64, high as f64, count).unwrap(), expected);
        }
        assert_eq!(exact_bucket(i128::MAX, i128::MIN, 0, 5).unwrap_err().reason(), Reason::OutOfRange);
        assert_eq!(exact_bucket(1, 1, 1, 5).unwrap_err().reason(), Reason::InvalidBuckets);
        assert_eq!(exact_bucket(1, 0, 1, 0).unwrap_err().reason(), Reason::InvalidBuckets);
    }

    #[test]
    fn divisors_are_never_negative() {
        assert_eq!((gcd(-12, 18), gcd(0, 0), lcm(-4, 6), lcm(0, 5)), (Some(6), Some(0), Some(12), Some(0)));
    }

    #[test]
    fn the_least_scale_leaves_zeros_out() {
        assert_eq!((least_scale(1230, 3), least_scale(100, 0), least_scale(0, 2), least_scale(101, 2)), (2, 0, 0, 2));
    }
}

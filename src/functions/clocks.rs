//! Casts between instants and what clocks show, as functions: the engine's cast of an instant to a timestamp shows the clocks
//! of Greenwich, its cast of a reading that was skipped fails, and where a filter holds a cast to one value it takes the
//! order of what is cast for kept: `CAST(t AS date) = DATE '2026-06-01' ORDER BY t` came out unsorted.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, TimestampMicrosecondArray};
use arrow::datatypes::{DataType, Date32Type, Time64MicrosecondType, TimeUnit, TimestampMicrosecondType};
use datafusion::error::Result;
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};

use super::texts::{answer, outward, strict_cast};
use crate::error::{Error, Reason};
use crate::forms::datetime::{MICROS_A_DAY, MICROS_A_SECOND};
use crate::forms::zone::Zone;

/// Whether a cast goes by the clocks of a zone or leaves a part of the time out.
pub fn are_read(from: &DataType, to: &DataType) -> bool {
    match (from, to) {
        (DataType::Timestamp(..), DataType::Date32 | DataType::Time64(_)) => true,
        (DataType::Timestamp(_, from), DataType::Timestamp(_, to)) => from.is_some() != to.is_some(),
        (DataType::Date32, DataType::Timestamp(_, zone)) => zone.is_some(),
        _ => false,
    }
}

/// The function for such a cast. For readings that came twice or not at all see [`Zone::offset_of_local`]; a time that the type
/// does not hold is an error.
pub fn read(to: &DataType) -> ScalarUDF {
    ScalarUDF::new_from_impl(Clocks { to: to.clone(), signature: Signature::any(1, Volatility::Immutable) })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Clocks {
    to: DataType,
    signature: Signature,
}

impl ScalarUDFImpl for Clocks {
    fn name(&self) -> &str {
        "clocks"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(self.to.clone())
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arrays = ColumnarValue::values_to_arrays(&args.args)?;
        let [moments] = arrays.as_slice() else {
            return Err(datafusion::common::plan_datafusion_err!("clocks takes one moment"));
        };
        let read = match (moments.data_type(), &self.to) {
            (_, DataType::Timestamp(_, Some(zone))) => instants(moments, zone)?,
            _ => readings(moments, &self.to)?,
        };
        answer(&args.args, strict_cast(&read, &self.to)?)
    }
}

/// What the clocks of its own zone show at each moment.
fn readings(moments: &ArrayRef, to: &DataType) -> Result<ArrayRef> {
    let DataType::Timestamp(_, zone) = moments.data_type() else { return Ok(Arc::clone(moments)) };
    let moments = strict_cast(moments, &DataType::Timestamp(TimeUnit::Microsecond, zone.clone()))?;
    let moments = moments.as_primitive::<TimestampMicrosecondType>();
    let shown: TimestampMicrosecondArray = match zone.as_deref().map_or(Ok(Zone::UTC), known)? {
        Zone::UTC => moments.clone().with_timezone_opt(None::<Arc<str>>),
        zone => {
            let seconds = moments.values().iter().map(|micros| micros.div_euclid(MICROS_A_SECOND));
            let offsets = zone.offsets_seconds(seconds);
            let shown =
                moments.values().iter().zip(offsets).map(|(micros, offset)| micros.saturating_add(micros_of(offset)));
            TimestampMicrosecondArray::new(shown.collect(), Array::nulls(moments).cloned())
        }
    };
    Ok(match to {
        DataType::Date32 => {
            let day = |micros: i64| i32::try_from(micros.div_euclid(MICROS_A_DAY)).unwrap_or_default();
            Arc::new(shown.unary::<_, Date32Type>(day)) as ArrayRef
        }
        DataType::Time64(_) => {
            Arc::new(shown.unary::<_, Time64MicrosecondType>(|micros| micros.rem_euclid(MICROS_A_DAY)))
        }
        _ => Arc::new(shown),
    })
}

/// The instants at which the clocks of a zone show these readings.
pub fn instants(readings: &ArrayRef, zone: &Arc<str>) -> Result<ArrayRef> {
    let clock = known(zone)?;
    let readings = strict_cast(readings, &DataType::Timestamp(TimeUnit::Microsecond, None))?;
    let instant = |micros: i64| {
        if matches!(micros, i64::MAX | i64::MIN) {
            return Ok(micros);
        }
        let offset = clock.offset_of_local(micros.div_euclid(MICROS_A_SECOND));
        micros.checked_sub(micros_of(offset)).ok_or_else(|| {
            outward(Error::new(Reason::OutOfRange, format!("timestamp out of range in time zone {zone}")))
        })
    };
    let instants =
        readings.as_primitive::<TimestampMicrosecondType>().try_unary::<_, TimestampMicrosecondType, _>(instant)?;
    Ok(Arc::new(instants.with_timezone(Arc::clone(zone))))
}

fn micros_of(offset_seconds: i32) -> i64 {
    i64::from(offset_seconds) * MICROS_A_SECOND
}

fn known(zone: &str) -> Result<Zone> {
    Zone::named(zone).map_err(outward)
}

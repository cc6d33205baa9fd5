//! `timezone(zone, moment)`, which is what AT TIME ZONE means: the clocks of a zone at an instant, or the instant of a reading.

use std::sync::Arc;

use arrow::array::{Array, AsArray, TimestampMicrosecondBuilder};
use arrow::compute::cast;
use arrow::datatypes::{DataType, TimeUnit, TimestampMicrosecondType};
use datafusion::common::plan_err;
use datafusion::config::ConfigOptions;
use datafusion::error::Result;
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};

use super::casts::is_text;
use super::clocks;
use super::texts::{answer, outward};
use crate::forms::datetime::MICROS_A_SECOND;
use crate::forms::zone::Zone;

pub fn functions() -> Vec<ScalarUDF> {
    vec![in_session("UTC")]
}

fn in_session(zone: &str) -> ScalarUDF {
    ScalarUDF::new_from_impl(AtZone { zone: zone.into(), signature: Signature::any(2, Volatility::Stable) })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct AtZone {
    /// That of the session, which instants are told in.
    zone: Arc<str>,
    signature: Signature,
}

impl ScalarUDFImpl for AtZone {
    fn name(&self) -> &str {
        "timezone"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        match types {
            [_, DataType::Timestamp(_, None)] => {
                Ok(DataType::Timestamp(TimeUnit::Microsecond, Some(Arc::clone(&self.zone))))
            }
            [_, DataType::Timestamp(_, Some(_)) | DataType::Date32 | DataType::Null] => {
                Ok(DataType::Timestamp(TimeUnit::Microsecond, None))
            }
            [_, other] if is_text(other) => Ok(DataType::Timestamp(TimeUnit::Microsecond, None)),
            _ => plan_err!("AT TIME ZONE takes an instant or a timestamp, not {types:?}"),
        }
    }

    fn with_updated_config(&self, config: &ConfigOptions) -> Option<ScalarUDF> {
        Some(in_session(config.execution.time_zone.as_deref().unwrap_or("UTC")))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arrays = ColumnarValue::values_to_arrays(&args.args)?;
        let [zones, moments] = arrays.as_slice() else { return plan_err!("timezone takes a zone and a moment") };
        let is_reading = matches!(moments.data_type(), DataType::Timestamp(_, None));
        let zones = cast(zones, &DataType::Utf8)?;
        // What is no reading of clocks is an instant: a date or a text is one of the session's.
        let named = (!is_reading).then(|| Arc::clone(&self.zone));
        let moments = match moments.data_type() {
            DataType::Date32 => clocks::instants(moments, &self.zone)?,
            _ => cast(moments, &DataType::Timestamp(TimeUnit::Microsecond, named))?,
        };
        let mut builder = TimestampMicrosecondBuilder::with_capacity(moments.len());
        let mut last: Option<(String, Zone)> = None;
        for (name, micros) in zones.as_string::<i32>().iter().zip(moments.as_primitive::<TimestampMicrosecondType>()) {
            let Some((name, micros)) = name.zip(micros) else {
                builder.append_null();
                continue;
            };
            let zone = match &last {
                Some((known, zone)) if known == name => *zone,
                _ => {
                    let zone = Zone::named(name).map_err(outward)?;
                    last = Some((name.to_owned(), zone));
                    zone
                }
            };
            let seconds = micros.div_euclid(MICROS_A_SECOND);
            let shift = |offset: i32| i64::from(offset) * MICROS_A_SECOND;
            builder.append_value(if is_reading {
                micros.saturating_sub(shift(zone.offset_of_local(seconds)))
            } else {
                micros.saturating_add(shift(zone.offset_seconds(seconds)))
            });
        }
        let named = is_reading.then(|| Arc::clone(&self.zone));
        answer(&args.args, Arc::new(builder.finish().with_timezone_opt(named)))
    }
}

//! `attribute`: the credit of each channel for one conversion.

use std::sync::{Arc, LazyLock};

use arrow::datatypes::{DataType, Field, FieldRef, Fields, TimeUnit};
use datafusion_common::{Result, exec_err, plan_err};
use datafusion_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion_expr::utils::AggregateOrderSensitivity;
use datafusion_expr::{Accumulator, AggregateUDFImpl, Documentation, GroupsAccumulator, Signature, Volatility};

use super::model::{Model, RULE};
use super::paths::Paths;
use crate::amounts::coerce_amount;
use crate::calendar::coerce_time;
use crate::constants::{aggregate_constant, coerce_text, quoted, text};
use crate::documents::{ATTRIBUTION, Entry};
use crate::groups::{Grouped, Single};
use crate::named_events::NamedEvents;
use crate::windows::{coerce_window, window_micros};

pub(super) const NAME: &str = "attribute";
const HALF_LIFE_MICROS: f64 = 7.0 * 86_400e6;

static DOCUMENTATION: LazyLock<Documentation> = LazyLock::new(|| {
    Entry {
        section: ATTRIBUTION,
        description: "Shares one conversion among the channels touched before it; one group is one conversion, one row a touch. \
            Gives list<struct{channel TEXT, weight DOUBLE, value}>, one element a credited channel in order of its first touch; \
            weights sum to 1 exactly, and decimal values (of the type given) sum to value exactly, odd units going to the largest remainders; \
            other values are DOUBLE. Models: 'first'; 'last'; 'last_non_direct' (the last touch whose channel is not 'direct' in any case, the last when all are); \
            'linear'; 'position' (0.4 to the first and the last touch, 0.2 shared between; two touches 0.5 each); \
            'time_decay' (a touch weighs 2 ^ (-age / half_life)). Touches at the same microsecond are taken in the order of their channel's name. \
            Rows with a NULL touch_ts, channel or conversion_ts are left out, as are touches after the conversion or older than lookback; \
            NULL without a touch, so unnest gives no row for such a conversion. A NULL value gives NULL values. \
            The state grows by 20 bytes a touch. Source: the rule-based models of web analytics; position 40/20/40 after Google Analytics.",
        syntax: "attribute(touch_ts timestamptz, channel text, conversion_ts timestamptz, value numeric, model text [, lookback interval, half_life interval]) -> json",
        arguments: &[
            ("touch_ts", "Time of the touch: date (its midnight) or timestamp of any unit."),
            ("channel", "Channel of the touch, text."),
            ("conversion_ts", "Time of the conversion, the same in all rows of a group, else an error."),
            ("value", "Value of the conversion in money, decimal or other number, the same in all rows of a group, else an error."),
            ("model", "Constant name of the model."),
            ("lookback", "Constant interval or number of days, 0 or more: how old a touch may be. Default and NULL: any age."),
            ("half_life", "Constant interval or number of days, above 0, for 'time_decay'. Default 7 days."),
        ],
        example: "SELECT order_id, attribute(touched_at, channel, paid_at, amount, 'position', INTERVAL '30 days') AS credits\nFROM touches JOIN orders USING (one_id) GROUP BY order_id",
        related: &["roi", "roas"],
    }
    .build()
});

/// The aggregate `attribute(touch_ts, channel, conversion_ts, value, model [, lookback, half_life])`.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Attribute {
    signature: Signature,
}

impl Default for Attribute {
    fn default() -> Self {
        Self { signature: Signature::user_defined(Volatility::Immutable) }
    }
}

impl AggregateUDFImpl for Attribute {
    fn name(&self) -> &str {
        NAME
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let [touch_ts, channel, conversion_ts, value, model, windows @ ..] = types else {
            return plan_err!("{NAME}: 5 to 7 arguments are needed, got {}", types.len());
        };
        if windows.len() > 2 {
            return plan_err!("{NAME}: 5 to 7 arguments are needed, got {}", types.len());
        }
        let instant = instant_type(
            &coerce_time(NAME, "touch_ts", touch_ts)?,
            &coerce_time(NAME, "conversion_ts", conversion_ts)?,
        );
        let mut coerced = vec![
            instant.clone(),
            coerce_text(NAME, "channel", channel)?,
            instant,
            coerce_amount(NAME, "value", value)?,
            model.clone(),
        ];
        for (window, argument) in windows.iter().zip(["lookback", "half_life"]) {
            coerced.push(coerce_window(NAME, argument, window)?);
        }
        Ok(coerced)
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        Ok(DataType::List(credit_field(value_type(types)?)))
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        let types: Vec<DataType> = args.input_fields.iter().map(|field| field.data_type().clone()).collect();
        Ok(vec![
            Arc::new(Field::new("conversion_ts", DataType::Int64, true)),
            Arc::new(Field::new("value", value_type(&types)?.clone(), true)),
            Arc::new(Field::new("touches", NamedEvents::partial_type(), true)),
        ])
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        let rules = Rules::of(&args)?;
        Ok(match rules.value {
            DataType::Decimal128(_, _) => Box::new(Single::new(Paths::<i128>::new(rules))),
            _ => Box::new(Single::new(Paths::<f64>::new(rules))),
        })
    }

    fn groups_accumulator_supported(&self, _args: AccumulatorArgs) -> bool {
        true
    }

    fn create_groups_accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn GroupsAccumulator>> {
        let rules = Rules::of(&args)?;
        Ok(match rules.value {
            DataType::Decimal128(_, _) => Box::new(Grouped(Paths::<i128>::new(rules))),
            _ => Box::new(Grouped(Paths::<f64>::new(rules))),
        })
    }

    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        AggregateOrderSensitivity::Insensitive
    }

    fn documentation(&self) -> Option<&Documentation> {
        Some(&DOCUMENTATION)
    }
}

/// The constant arguments of one call.
#[derive(Debug, Clone)]
pub(super) struct Rules {
    pub model: Model,
    /// Microseconds; None for any age.
    pub lookback: Option<f64>,
    /// Type of value: Decimal128 or Float64.
    pub value: DataType,
}

impl Rules {
    fn of(args: &AccumulatorArgs) -> Result<Self> {
        let types: Vec<DataType> = args.expr_fields.iter().map(|field| field.data_type().clone()).collect();
        let window = |index, argument| -> Result<Option<f64>> {
            let value = aggregate_constant(args, NAME, index, argument)?;
            value.map_or(Ok(None), |value| window_micros(NAME, argument, &value))
        };
        let lookback = window(5, "lookback")?;
        if lookback.is_some_and(|lookback| lookback < 0.0) {
            return exec_err!("{NAME}: lookback must be 0 or more, got {}", shown(args, 5)?);
        }
        let half_life = window(6, "half_life")?.unwrap_or(HALF_LIFE_MICROS);
        if half_life <= 0.0 {
            return exec_err!("{NAME}: half_life must be above 0, got {}", shown(args, 6)?);
        }
        let Some(model) = aggregate_constant(args, NAME, 4, "model")? else {
            return exec_err!("{NAME}: model is missing");
        };
        let name = text(&model, NAME, "model", RULE)?;
        let Some(model) = Model::named(&name, half_life) else {
            return exec_err!("{NAME}: model must be {RULE}, got {name:?}");
        };
        Ok(Self { model, lookback, value: value_type(&types)?.clone() })
    }
}

fn shown(args: &AccumulatorArgs, index: usize) -> Result<String> {
    Ok(aggregate_constant(args, NAME, index, "window")?.map_or_else(String::new, |value| quoted(&value)))
}

fn value_type(types: &[DataType]) -> Result<&DataType> {
    match types.get(3) {
        Some(value) => Ok(value),
        None => plan_err!("{NAME}: 5 to 7 arguments are needed, got {}", types.len()),
    }
}

/// Both times are compared at microseconds, in the zone of either.
fn instant_type(touch_ts: &DataType, conversion_ts: &DataType) -> DataType {
    let zone = [touch_ts, conversion_ts].into_iter().find_map(|data_type| match data_type {
        DataType::Timestamp(_, zone) => zone.clone(),
        _ => None,
    });
    DataType::Timestamp(TimeUnit::Microsecond, zone)
}

pub(super) fn credit_fields(value: &DataType) -> Fields {
    Fields::from(vec![
        Field::new("channel", DataType::Utf8, true),
        Field::new("weight", DataType::Float64, true),
        Field::new("value", value.clone(), true),
    ])
}

pub(super) fn credit_field(value: &DataType) -> FieldRef {
    Arc::new(Field::new("item", DataType::Struct(credit_fields(value)), true))
}

//! `markov_attribution`: the credit of each channel by what is lost without it.

use std::sync::LazyLock;

use arrow::datatypes::DataType;
use datafusion_common::{Result, ScalarValue, exec_datafusion_err, exec_err, plan_err};
use datafusion_expr::Documentation;
use datafusion_expr::function::AccumulatorArgs;

use super::chain::{Chain, Outcome, Yield};
use super::journeys::{Credits, Journeys, Model, coerce_journeys, total_value};
use crate::constants::{aggregate_constant, quoted};
use crate::definition::expect_arguments;
use crate::documents::{ATTRIBUTION, Entry};

const NAME: &str = "markov_attribution";
const ORDER: usize = 4;
const ORDER_MAX: usize = 20;

static DOCUMENTATION: LazyLock<Documentation> = LazyLock::new(|| {
    Entry {
        section: ATTRIBUTION,
        description: "Shares all conversions among channels by their removal effects in a Markov chain of the paths: \
            list<struct{channel TEXT, removal_effect DOUBLE, conversions DOUBLE, value}>, a channel an element in order of its name. \
            The removal effect is the share of conversions that are lost when whoever comes to the channel is lost; conversions are shared in proportion to it, \
            values in proportion to the share of value that is lost. Conversions sum to their total, decimal values (38 digits at the scale given) exactly to theirs. \
            A state of order k is the window of the last k channels, a path no longer than k is one state, equal states in a row are one; a channel's states are all that hold it. \
            Solved to the last digits, without simulation. Rows with a NULL or empty path, or with a count that is negative, are left out; NULL elements of a path are passed over; \
            a NULL count is 0, a NULL value no amount; the removal effect is NULL without a conversion; NULL without a path. \
            The state grows with the number of distinct paths by their length. \
            Source: E. Anderl, I. Becker, F. von Wangenheim, J. Schumann, Mapping the Customer Journey, IJRM 33(3), 2016; compared with the R package ChannelAttribution.",
        syntax: "markov_attribution(path json, conversions double precision, value numeric, nulls double precision, order integer) -> json",
        arguments: &[
            ("path", "The channels that customers touched: a list, or a text with ' > ' between two of them, in order of time."),
            ("conversions", "How many customers with this path converted."),
            ("value", "Value of these conversions in money."),
            ("nulls", "How many customers with this path did not convert."),
            ("order", "Constant order of the chain, 1 to 20; 1 to 3 are usual."),
        ],
        example: "SELECT unnest(markov_attribution(path, conversions, value, nulls, 2))\nFROM (VALUES (['ads', 'mail'], 3, 60.00, 10), (['mail'], 1, 15.00, 20), (['ads'], 1, 10.00, 9)) AS t(path, conversions, value, nulls)",
        related: &["shapley_attribution", "attribute"],
    }
    .build()
});

/// The model of the aggregate `markov_attribution(path, conversions, value, nulls, order)`.
#[derive(Debug, Clone)]
pub struct MarkovAttribution {
    order: usize,
}

impl Model for MarkovAttribution {
    const NAME: &'static str = NAME;
    const NULLS: Option<usize> = Some(3);

    fn documentation() -> &'static Documentation {
        &DOCUMENTATION
    }

    fn coerce(types: &[DataType]) -> Result<Vec<DataType>> {
        expect_arguments(NAME, types, ORDER + 1, ORDER + 1)?;
        let mut coerced = coerce_journeys(NAME, &types[..ORDER])?;
        if !(types[ORDER].is_integer() || types[ORDER].is_null()) {
            return plan_err!("{NAME}: order must be a whole number, got {}", types[ORDER]);
        }
        coerced.push(DataType::Int64);
        Ok(coerced)
    }

    fn of(args: &AccumulatorArgs) -> Result<Self> {
        let order = aggregate_constant(args, NAME, ORDER, "order")?.unwrap_or(ScalarValue::Null);
        let given = match order {
            ScalarValue::Int64(Some(order)) => usize::try_from(order).ok(),
            _ => None,
        };
        match given.filter(|given| (1..=ORDER_MAX).contains(given)) {
            Some(order) => Ok(Self { order }),
            None => exec_err!("{NAME}: order must be 1 to {ORDER_MAX}, got {}", quoted(&order)),
        }
    }

    fn shape(&self, _channels: &mut Vec<u32>) {}

    fn measures() -> &'static [&'static str] {
        &["removal_effect", "conversions"]
    }

    fn credit(&self, journeys: &Journeys, value: &DataType, credits: &mut Credits) -> Result<()> {
        let outcomes = journeys.paths.iter().map(|journey| Outcome {
            channels: &journey.channels,
            conversions: journey.outcome.conversions,
            value: journey.outcome.value.to_double(value),
            nulls: journey.outcome.nulls,
        });
        let chain = Chain::new(outcomes, self.order);
        let solved = |channel| {
            chain.yield_without(channel).ok_or_else(|| {
                exec_datafusion_err!(
                    "{NAME}: the paths come back to the same channels so often that the chain of order {} does not end",
                    self.order
                )
            })
        };
        let all = solved(None)?;
        let without =
            (0..journeys.channels.len()).map(|channel| solved(Some(channel as u32))).collect::<Result<Vec<Yield>>>()?;
        let effects: Vec<f64> = without.iter().map(|without| lost(without.conversion, all.conversion)).collect();
        let mut value_effects: Vec<f64> = without.iter().map(|without| lost(without.value, all.value)).collect();
        if value_effects.iter().sum::<f64>() == 0.0 {
            value_effects.clone_from(&effects);
        }
        let conversions: f64 = journeys.paths.iter().map(|journey| journey.outcome.conversions).sum();
        let whole: f64 = effects.iter().sum();
        let share = |effect: &f64| Some(if whole > 0.0 { conversions * effect / whole } else { 0.0 });
        let [removal_effects, shares] = credits.measures.as_mut_slice() else {
            return exec_err!("{NAME}: two measures are given");
        };
        removal_effects.extend(effects.iter().map(|effect| (all.conversion > 0.0).then_some(*effect)));
        shares.extend(effects.iter().map(share));
        credits.values.extend(total_value(NAME, journeys, value)?.split(&value_effects));
        Ok(())
    }
}

/// The share of `all` that is lost, 0 to 1.
fn lost(without: f64, all: f64) -> f64 {
    if all == 0.0 { 0.0 } else { (1.0 - without / all).clamp(0.0, 1.0) }
}

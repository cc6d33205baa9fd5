//! `shapley_attribution`: the credit of each channel by the Shapley value of the sets of channels.

use std::sync::LazyLock;

use arrow::datatypes::DataType;
use datafusion_common::Result;
use datafusion_expr::Documentation;
use datafusion_expr::function::AccumulatorArgs;

use super::journeys::{Credits, Journeys, Model, coerce_journeys, total_value};
use crate::definition::expect_arguments;
use crate::documents::{ATTRIBUTION, Entry};

const NAME: &str = "shapley_attribution";

static DOCUMENTATION: LazyLock<Documentation> = LazyLock::new(|| {
    Entry {
        section: ATTRIBUTION,
        description: "Shares all conversions among channels by Shapley values: \
            list<struct{channel TEXT, conversions DOUBLE, value}>, a channel an element in order of its name. \
            What a set of channels is worth is what the paths within that set brought, so each path's conversions and value are shared equally among its distinct channels. \
            Conversions sum to their total, decimal values (38 digits at the scale given) exactly to theirs. \
            Rows with a NULL or empty path, or with a negative count, are left out; NULL elements of a path are passed over; a NULL count is 0, a NULL value no amount; NULL without a path. \
            The state grows with the number of distinct sets by their size. \
            Source: the closed form of K. Zhao, S. H. Mahboobi, S. R. Bagheri, Shapley Value Methods for Attribution Modeling in Online Advertising, 2018, equation 8.",
        syntax: "shapley_attribution(path json, conversions double precision, value numeric) -> json",
        arguments: &[
            ("path", "The channels that customers touched: a list, or a text with ' > ' between two of them, in any order."),
            ("conversions", "How many customers with this path converted."),
            ("value", "Value of these conversions in money."),
        ],
        example: "SELECT unnest(shapley_attribution(path, conversions, value))\nFROM (VALUES (['ads', 'mail'], 3, 60.00), (['mail'], 1, 15.00), (['ads'], 1, 10.00)) AS t(path, conversions, value)",
        related: &["markov_attribution", "attribute"],
    }
    .build()
});

/// The model of the aggregate `shapley_attribution(path, conversions, value)`.
#[derive(Debug, Clone)]
pub struct ShapleyAttribution;

impl Model for ShapleyAttribution {
    const NAME: &'static str = NAME;
    const NULLS: Option<usize> = None;

    fn documentation() -> &'static Documentation {
        &DOCUMENTATION
    }

    fn coerce(types: &[DataType]) -> Result<Vec<DataType>> {
        expect_arguments(NAME, types, 3, 3)?;
        coerce_journeys(NAME, types)
    }

    fn of(_args: &AccumulatorArgs) -> Result<Self> {
        Ok(Self)
    }

    /// A path is the set of its channels.
    fn shape(&self, channels: &mut Vec<u32>) {
        // Numbers below 64 are a set in one word, which gives them back in order.
        let mut set = 0u64;
        for channel in channels.iter() {
            let Some(bit) = 1u64.checked_shl(*channel) else {
                channels.sort_unstable();
                channels.dedup();
                return;
            };
            set |= bit;
        }
        channels.clear();
        while set != 0 {
            channels.push(set.trailing_zeros());
            set &= set - 1;
        }
    }

    fn measures() -> &'static [&'static str] {
        &["conversions"]
    }

    fn credit(&self, journeys: &Journeys, value: &DataType, credits: &mut Credits) -> Result<()> {
        let mut shares = vec![[0.0; 2]; journeys.channels.len()];
        for journey in &journeys.paths {
            let size = journey.channels.len() as f64;
            for channel in &journey.channels {
                let [conversions, value_share] = &mut shares[*channel as usize];
                *conversions += journey.outcome.conversions / size;
                *value_share += journey.outcome.value.to_double(value) / size;
            }
        }
        for column in &mut credits.measures {
            column.extend(shares.iter().map(|[conversions, _]| Some(*conversions)));
        }
        let total = total_value(NAME, journeys, value)?;
        // A channel whose refunds outweigh its sales (or its sales the refunds of all) gets nothing of the whole rather than less.
        let sign = if total.to_double(value) < 0.0 { -1.0 } else { 1.0 };
        let shares: Vec<f64> = shares.iter().map(|[_, value]| (sign * value).max(0.0)).collect();
        credits.values.extend(total.split(&shares));
        Ok(())
    }
}

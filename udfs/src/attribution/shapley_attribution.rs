//! `shapley_attribution`: the credit of each channel by the Shapley value of the sets of channels.

use std::sync::{Arc, LazyLock};

use arrow::array::{ArrayRef, Float64Array, ListArray, StringArray, StructArray};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{DataType, Field, FieldRef, Fields};
use datafusion_common::Result;
use datafusion_expr::Documentation;
use datafusion_expr::function::AccumulatorArgs;

use super::journeys::{Journeys, Model, States, coerce_journeys, journey_partials, total_value, value_type};
use crate::definition::{AggregateDefinition, expect_arguments};
use crate::documents::{ATTRIBUTION, Entry};
use crate::groups::list_offsets;
use crate::sums::sum_array;

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
            ("path", "List of the channels that customers touched, in any order."),
            ("conversions", "How many customers with this path converted."),
            ("value", "Value of these conversions in money."),
        ],
        example: "SELECT unnest(shapley_attribution(path, conversions, value))\nFROM (VALUES (['ads', 'mail'], 3, 60.00), (['mail'], 1, 15.00), (['ads'], 1, 10.00)) AS t(path, conversions, value)",
        related: &["markov_attribution", "attribute"],
    }
    .build()
});

/// The aggregate `shapley_attribution(path, conversions, value)`.
#[derive(Debug, Default, PartialEq, Eq, Hash)]
pub struct ShapleyAttribution;

impl AggregateDefinition for ShapleyAttribution {
    const NAME: &'static str = NAME;
    type States = States<Shapley>;

    fn documentation() -> &'static Documentation {
        &DOCUMENTATION
    }

    fn coerce(types: &[DataType]) -> Result<Vec<DataType>> {
        expect_arguments(NAME, types, 3, 3)?;
        coerce_journeys(NAME, types)
    }

    fn result(types: &[DataType]) -> Result<DataType> {
        Ok(Shapley::result(&value_type(types)?))
    }

    fn partials(types: &[DataType]) -> Result<Vec<(&'static str, DataType)>> {
        journey_partials(types)
    }

    fn states(args: &AccumulatorArgs) -> Result<Self::States> {
        let types: Vec<DataType> = args.expr_fields.iter().map(|field| field.data_type().clone()).collect();
        Ok(States::new(Shapley, value_type(&types)?))
    }
}

fn credit_fields(value: &DataType) -> Fields {
    Fields::from(vec![
        Field::new("channel", DataType::Utf8, true),
        Field::new("conversions", DataType::Float64, true),
        Field::new("value", value.clone(), true),
    ])
}

fn credit_field(value: &DataType) -> FieldRef {
    Arc::new(Field::new("item", DataType::Struct(credit_fields(value)), true))
}

#[derive(Debug, Clone)]
pub(crate) struct Shapley;

impl Model for Shapley {
    const NAME: &'static str = NAME;
    const NULLS: Option<usize> = None;

    /// A path is the set of its channels.
    fn shape(&self, channels: &mut Vec<u32>) {
        channels.sort_unstable();
        channels.dedup();
    }

    fn result(value: &DataType) -> DataType {
        DataType::List(credit_field(value))
    }

    fn answers(&self, groups: &[Journeys], value: &DataType) -> Result<ArrayRef> {
        let (mut conversions, mut values) = (Vec::new(), Vec::new());
        for journeys in groups {
            let mut credits = vec![[0.0; 2]; journeys.channels.len()];
            for journey in &journeys.paths {
                let size = journey.channels.len() as f64;
                for channel in &journey.channels {
                    let [conversions, value_share] = &mut credits[*channel as usize];
                    *conversions += journey.outcome.conversions / size;
                    *value_share += journey.outcome.value.to_double(value) / size;
                }
            }
            conversions.extend(credits.iter().map(|[conversions, _]| *conversions));
            let total = total_value(NAME, journeys, value)?;
            // A channel whose refunds outweigh its sales (or its sales the refunds of all) gets nothing of the whole rather than less.
            let sign = if total.to_double(value) < 0.0 { -1.0 } else { 1.0 };
            let shares: Vec<f64> = credits.iter().map(|[_, value]| (sign * value).max(0.0)).collect();
            values.extend(total.split(&shares));
        }
        let seen: NullBuffer = groups.iter().map(|journeys| !journeys.paths.is_empty()).collect();
        let channels: Vec<&String> = groups.iter().flat_map(|journeys| &journeys.channels).collect();
        let columns: Vec<ArrayRef> = vec![
            Arc::new(StringArray::from_iter_values(channels)),
            Arc::new(Float64Array::from(conversions)),
            sum_array(values.into_iter().map(Some), value),
        ];
        let structs = StructArray::try_new(credit_fields(value), columns, None)?;
        let lengths = list_offsets(NAME, groups.iter().map(|journeys| journeys.channels.len()))?;
        Ok(Arc::new(ListArray::try_new(credit_field(value), lengths, Arc::new(structs), Some(seen))?))
    }
}

//! `touch_path`: the channels that a person touched, in order.

use std::sync::{Arc, LazyLock};

use arrow::array::{Array, ArrayRef, AsArray, ListArray, StringViewBuilder};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{DataType, Field, FieldRef, TimeUnit};
use datafusion_common::Result;
use datafusion_common::utils::take_function_args;
use datafusion_expr::Documentation;
use datafusion_expr::function::AccumulatorArgs;

use crate::calendar::{Instants, coerce_time};
use crate::constants::coerce_text;
use crate::definition::AggregateDefinition;
use crate::documents::{ATTRIBUTION, Entry};
use crate::groups::{GroupStates, Rows, list_offsets};
use crate::named_events::NamedEvents;

const NAME: &str = "touch_path";

static DOCUMENTATION: LazyLock<Documentation> = LazyLock::new(|| {
    Entry {
        section: ATTRIBUTION,
        description: "The channels of the touches in order of time, TEXT[]: a path for markov_attribution and shapley_attribution. \
            Touches at the same microsecond are taken in the order of their channel's name. A channel stands in the path as often as it was touched. \
            Rows with a NULL are left out; NULL without a touch. The state grows by 20 bytes a touch. \
            Source: definition; array_agg(channel ORDER BY ts, channel) gives the same list, one group at a time.",
        syntax: "touch_path(ts timestamptz, channel text) -> text[]",
        arguments: &[
            ("ts", "Time of the touch: date or timestamp of any unit."),
            ("channel", "Channel of the touch, text."),
        ],
        example: "SELECT unnest(shapley_attribution(path, 1, amount)) FROM (SELECT one_id, touch_path(touched_at, channel) AS path FROM touches GROUP BY one_id) JOIN orders USING (one_id)",
        related: &["customer_journeys", "markov_attribution", "shapley_attribution", "path_flows"],
    }
    .build()
});

/// The aggregate `touch_path(ts, channel)`.
pub struct TouchPath;

impl AggregateDefinition for TouchPath {
    const NAME: &'static str = NAME;
    type States = Touches;

    fn documentation() -> &'static Documentation {
        &DOCUMENTATION
    }

    fn coerce(types: &[DataType]) -> Result<Vec<DataType>> {
        let [ts, channel] = take_function_args(NAME, types)?;
        coerce_time(NAME, "ts", ts)?;
        Ok(vec![DataType::Timestamp(TimeUnit::Microsecond, None), coerce_text(NAME, "channel", channel)?])
    }

    fn result(_types: &[DataType]) -> Result<DataType> {
        Ok(DataType::List(channel_field()))
    }

    fn partials(_types: &[DataType]) -> Result<Vec<(&'static str, DataType)>> {
        Ok(vec![("touches", NamedEvents::partial_type())])
    }

    fn states(_args: &AccumulatorArgs) -> Result<Self::States> {
        Ok(Touches(NamedEvents::new(NAME)))
    }
}

fn channel_field() -> FieldRef {
    Arc::new(Field::new("item", DataType::Utf8View, true))
}

/// The touches of all groups.
#[derive(Debug)]
pub(crate) struct Touches(NamedEvents);

impl GroupStates for Touches {
    fn fresh(&self) -> Self {
        Self(NamedEvents::new(NAME))
    }

    fn grow(&mut self, groups: usize) {
        self.0.grow(groups);
    }

    fn update(&mut self, columns: &[ArrayRef], rows: Rows<'_>) -> Result<()> {
        let [ts, channels] = take_function_args(NAME, columns)?;
        let (ts, channels) = (Instants::of(ts)?, channels.as_string::<i32>());
        for (row, &group) in rows.groups.iter().enumerate() {
            if rows.passes(row) && ts.is_valid(row) && channels.is_valid(row) {
                self.0.push(group, ts.raw[row], channels.value(row))?;
            }
        }
        Ok(())
    }

    fn merge(&mut self, partials: &[ArrayRef], rows: Rows<'_>) -> Result<()> {
        let [touches] = take_function_args(NAME, partials)?;
        self.0.merge(touches, rows)
    }

    fn take(&mut self, groups: usize) -> Result<Self> {
        Ok(Self(self.0.take(groups)))
    }

    fn partials(&mut self) -> Result<Vec<ArrayRef>> {
        Ok(vec![self.0.partial()?])
    }

    fn values(&mut self) -> Result<ArrayRef> {
        let (paths, names) = self.0.in_order();
        // Views share the bytes of a repeated name.
        let mut channels = StringViewBuilder::new().with_deduplicate_strings();
        let mut lengths = Vec::new();
        for path in paths {
            lengths.push(path.len());
            for touch in path {
                channels.append_value(names.name(touch.name));
            }
        }
        let touched: NullBuffer = lengths.iter().map(|length| *length > 0).collect();
        let offsets = list_offsets(NAME, lengths)?;
        Ok(Arc::new(ListArray::try_new(channel_field(), offsets, Arc::new(channels.finish()), Some(touched))?))
    }

    fn bytes(&self) -> usize {
        self.0.bytes()
    }
}

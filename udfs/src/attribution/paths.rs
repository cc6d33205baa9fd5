//! The touches of each conversion, gathered and credited.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float64Array, Int64Array, ListArray, StringArray, StructArray};
use arrow::buffer::NullBuffer;
use arrow::datatypes::Int64Type;
use datafusion_common::utils::take_function_args;
use datafusion_common::{HashMap, Result, exec_err};

use super::attribute::{NAME, Rules, credit_field, credit_fields};
use super::largest_remainder::shares;
use crate::amounts::{Amount, amount_array, scale_of};
use crate::calendar::Instants;
use crate::groups::{GroupStates, Rows, list_offsets};
use crate::named_events::{NamedEvent, NamedEvents};

/// What the rows of a group agree on.
#[derive(Debug, Clone, Copy)]
struct Conversion<A> {
    ts: Option<i64>,
    value: Option<A>,
}

impl<A: Amount> Conversion<A> {
    const NONE: Self = Self { ts: None, value: None };

    fn agree(&mut self, ts: i64, value: Option<A>, scale: i8) -> Result<()> {
        if *self.ts.get_or_insert(ts) != ts {
            return exec_err!(
                "{NAME}: conversion_ts must be the same in all rows of a group, one group is one conversion"
            );
        }
        if let Some(value) = value {
            let first = *self.value.get_or_insert(value);
            if first != value {
                let (first, value) = (first.to_double(scale), value.to_double(scale));
                return exec_err!(
                    "{NAME}: value must be the same in all rows of a group, got \"{first}\" and \"{value}\""
                );
            }
        }
        Ok(())
    }
}

/// The states of `attribute`: the conversion of each group, and its touches.
#[derive(Debug)]
pub(super) struct Paths<A> {
    rules: Rules,
    conversions: Vec<Conversion<A>>,
    touches: NamedEvents,
}

impl<A: Amount> Paths<A> {
    pub fn new(rules: Rules) -> Self {
        Self { rules, conversions: Vec::new(), touches: NamedEvents::new(NAME) }
    }
}

impl Rules {
    fn in_time(&self, touch: i64, conversion: i64) -> bool {
        touch <= conversion && self.lookback.is_none_or(|lookback| conversion.saturating_sub(touch) as f64 <= lookback)
    }

    /// Channels in order of first touch with the sum of their touches' weights; channels without credit are dropped.
    fn credit(&self, path: &[NamedEvent], is_direct: &[bool]) -> Vec<(u32, u64)> {
        let times: Vec<i64> = path.iter().map(|touch| touch.ts).collect();
        let direct = |touch: usize| {
            path.get(touch).and_then(|touch| is_direct.get(touch.name as usize)).is_some_and(|direct| *direct)
        };
        let mut credits: Vec<(u32, u64)> = Vec::new();
        let mut places: HashMap<u32, usize> = HashMap::new();
        for (touch, weight) in path.iter().zip(self.model.weights(&times, direct)) {
            if weight > 0 {
                let place = *places.entry(touch.name).or_insert(credits.len());
                match credits.get_mut(place) {
                    Some((_, credited)) => *credited += weight,
                    None => credits.push((touch.name, weight)),
                }
            }
        }
        credits
    }
}

impl<A: Amount> GroupStates for Paths<A> {
    fn fresh(&self) -> Self {
        Self::new(self.rules.clone())
    }

    fn grow(&mut self, groups: usize) {
        if groups > self.conversions.len() {
            self.conversions.resize(groups, Conversion::NONE);
            self.touches.grow(groups);
        }
    }

    fn update(&mut self, columns: &[ArrayRef], rows: Rows<'_>) -> Result<()> {
        let [touch_ts, channel, conversion_ts, value, ..] = columns else {
            return exec_err!("{NAME}: 5 to 7 arguments are needed, got {}", columns.len());
        };
        let (touch_ts, conversion_ts) = (Instants::of(touch_ts)?, Instants::of(conversion_ts)?);
        let (channels, values) = (channel.as_string::<i32>(), value.as_primitive::<A::Arrow>());
        let scale = scale_of(&self.rules.value);
        for (row, &group) in rows.groups.iter().enumerate() {
            if !(rows.passes(row) && touch_ts.is_valid(row) && conversion_ts.is_valid(row) && channels.is_valid(row)) {
                continue;
            }
            let value = values.is_valid(row).then(|| values.value(row)).filter(|value| value.is_usable());
            self.conversions[group].agree(conversion_ts.raw[row], value, scale)?;
            if self.rules.in_time(touch_ts.raw[row], conversion_ts.raw[row]) {
                self.touches.push(group, touch_ts.raw[row], channels.value(row))?;
            }
        }
        Ok(())
    }

    fn merge(&mut self, partials: &[ArrayRef], rows: Rows<'_>) -> Result<()> {
        let [conversion_ts, values, touches] = take_function_args(NAME, partials)?;
        let (conversion_ts, values) = (conversion_ts.as_primitive::<Int64Type>(), values.as_primitive::<A::Arrow>());
        let scale = scale_of(&self.rules.value);
        for (row, &group) in rows.groups.iter().enumerate() {
            if conversion_ts.is_valid(row) {
                let value = values.is_valid(row).then(|| values.value(row));
                self.conversions[group].agree(conversion_ts.value(row), value, scale)?;
            }
        }
        self.touches.merge(touches, rows)
    }

    fn take(&mut self, groups: usize) -> Result<Self> {
        let rest = self.conversions.split_off(groups);
        Ok(Self {
            rules: self.rules.clone(),
            conversions: std::mem::replace(&mut self.conversions, rest),
            touches: self.touches.take(groups),
        })
    }

    fn partials(&mut self) -> Result<Vec<ArrayRef>> {
        Ok(vec![
            Arc::new(self.conversions.iter().map(|conversion| conversion.ts).collect::<Int64Array>()),
            amount_array(self.conversions.iter().map(|conversion| conversion.value), &self.rules.value),
            self.touches.partial()?,
        ])
    }

    fn values(&mut self) -> Result<ArrayRef> {
        let is_direct: Vec<bool> =
            self.touches.names().iter().map(|name| name.eq_ignore_ascii_case("direct")).collect();
        let (mut channels, mut weights, mut values) = (Vec::new(), Vec::new(), Vec::new());
        let mut lengths = Vec::with_capacity(self.conversions.len());
        let (paths, names) = self.touches.in_order();
        for (path, conversion) in paths.zip(&self.conversions) {
            let credits = self.rules.credit(path, &is_direct);
            let credited: Vec<u64> = credits.iter().map(|(_, weight)| *weight).collect();
            lengths.push(credits.len());
            channels.extend(credits.iter().map(|(channel, _)| names.name(*channel)));
            weights.extend(shares(&credited));
            match conversion.value {
                Some(value) => values.extend(value.split(&credited).into_iter().map(Some)),
                None => values.extend(credits.iter().map(|_| None)),
            }
        }
        let touched: NullBuffer = lengths.iter().map(|length| *length > 0).collect();
        if i32::try_from(channels.iter().map(|name: &&str| name.len()).sum::<usize>()).is_err() {
            return exec_err!("{NAME}: more than 2^31 bytes of channel names in the groups of one partition");
        }
        let columns: Vec<ArrayRef> = vec![
            Arc::new(StringArray::from_iter_values(channels)),
            Arc::new(Float64Array::from(weights)),
            amount_array(values.into_iter(), &self.rules.value),
        ];
        let credits = StructArray::try_new(credit_fields(&self.rules.value), columns, None)?;
        let field = credit_field(&self.rules.value);
        Ok(Arc::new(ListArray::try_new(field, list_offsets(NAME, lengths)?, Arc::new(credits), Some(touched))?))
    }

    fn bytes(&self) -> usize {
        self.conversions.capacity() * size_of::<Conversion<A>>() + self.touches.bytes()
    }
}

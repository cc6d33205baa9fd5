//! Events of many groups with a time and a name: touches, steps, whatever is put in the order in which it happened.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, ListArray, StringViewBuilder, StructArray};
use arrow::datatypes::{DataType, Field, FieldRef, Fields, Int64Type};
use datafusion_common::Result;

use crate::groups::{Rows, list_offsets};
use crate::names::Names;
use crate::row_log::RowLog;

#[derive(Debug, Clone, Copy)]
pub(crate) struct NamedEvent {
    /// Microseconds since 1970.
    pub ts: i64,
    /// The number of its name.
    pub name: u32,
}

/// Grows by 20 bytes an event, and with the number of distinct names.
#[derive(Debug)]
pub(crate) struct NamedEvents {
    function: &'static str,
    log: RowLog<NamedEvent>,
    names: Names,
}

impl NamedEvents {
    /// `function` names the SQL function in errors.
    pub fn new(function: &'static str) -> Self {
        Self { function, log: RowLog::new(), names: Names::default() }
    }

    pub fn grow(&mut self, groups: usize) {
        self.log.grow(groups);
    }

    #[inline]
    pub fn push(&mut self, group: usize, ts: i64, name: &str) -> Result<()> {
        let name = self.names.number(name);
        self.log.push(self.function, group, NamedEvent { ts, name })
    }

    pub fn names(&self) -> &Names {
        &self.names
    }

    /// The events of each group in order of time, those of one time in order of their names.
    pub fn in_order(&mut self) -> (impl Iterator<Item = &[NamedEvent]>, &Names) {
        let names = &self.names;
        let by_name = move |one: &NamedEvent, two: &NamedEvent| names.name(one.name).cmp(names.name(two.name));
        let in_order = self.log.by_group().map(move |own| {
            own.sort_unstable_by(|one, two| one.ts.cmp(&two.ts).then_with(|| by_name(one, two)));
            &*own
        });
        (in_order, names)
    }

    /// Takes the events of the first `groups` groups away; the rest moves down.
    pub fn take(&mut self, groups: usize) -> Self {
        let mut taken = Self { function: self.function, log: self.log.take(groups), names: Names::default() };
        for event in taken.log.rows_mut() {
            event.name = taken.names.number(self.names.name(event.name));
        }
        taken
    }

    /// The type of the partial state.
    pub fn partial_type() -> DataType {
        DataType::List(event_field())
    }

    /// The partial state: a list a group.
    pub fn partial(&mut self) -> Result<ArrayRef> {
        let lengths: Vec<usize> = self.log.by_group().map(|own| own.len()).collect();
        let events = self.log.rows();
        let times = Int64Array::from_iter_values(events.iter().map(|event| event.ts));
        // Views share the bytes of a repeated name, so that many events do not outgrow 32-bit offsets.
        let mut names = StringViewBuilder::with_capacity(events.len()).with_deduplicate_strings();
        for event in events {
            names.append_value(self.names.name(event.name));
        }
        let events = StructArray::try_new(event_fields(), vec![Arc::new(times), Arc::new(names.finish())], None)?;
        let offsets = list_offsets(self.function, lengths)?;
        Ok(Arc::new(ListArray::try_new(event_field(), offsets, Arc::new(events), None)?))
    }

    /// Adds what `partial` gave.
    pub fn merge(&mut self, partial: &ArrayRef, rows: Rows<'_>) -> Result<()> {
        let lists = partial.as_list::<i32>();
        let each = lists.values().as_struct();
        let (times, names) = (each.column(0).as_primitive::<Int64Type>(), each.column(1).as_string_view());
        for (row, &group) in rows.groups.iter().enumerate() {
            if lists.is_valid(row) {
                for event in lists.value_offsets()[row] as usize..lists.value_offsets()[row + 1] as usize {
                    self.push(group, times.value(event), names.value(event))?;
                }
            }
        }
        Ok(())
    }

    pub fn bytes(&self) -> usize {
        self.log.bytes() + self.names.bytes()
    }
}

fn event_fields() -> Fields {
    Fields::from(vec![Field::new("ts", DataType::Int64, false), Field::new("name", DataType::Utf8View, false)])
}

fn event_field() -> FieldRef {
    Arc::new(Field::new("item", DataType::Struct(event_fields()), false))
}

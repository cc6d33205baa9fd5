//! `market_basket`: what is bought with what.

use std::sync::{Arc, LazyLock};

use arrow::array::{
    Array, ArrayRef, AsArray, Float64Array, Int64Array, ListArray, StringArray, StringViewBuilder, StructArray,
};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{DataType, Field, FieldRef, Fields, Int64Type};
use datafusion_common::utils::take_function_args;
use datafusion_common::{HashMap, Result, ScalarValue, exec_err, plan_err};
use datafusion_expr::Documentation;
use datafusion_expr::function::AccumulatorArgs;

use super::itemsets::{Baskets, ITEMS_MAX, Limits, Rule, rules};
use crate::constants::{aggregate_constant, quoted};
use crate::definition::{AggregateDefinition, expect_arguments};
use crate::documents::{Entry, SETS};
use crate::doubles::coerce_double;
use crate::groups::{GroupStates, Rows, list_offsets};
use crate::names::Names;
use crate::texts::{Texts, coerce_texts};

const NAME: &str = "market_basket";

static DOCUMENTATION: LazyLock<Documentation> = LazyLock::new(|| {
    Entry {
        section: SETS,
        description: "Association rules of baskets: whoever buys all of antecedent also buys consequent. Gives \
            list<struct{antecedent TEXT[], consequent TEXT, n BIGINT, n_antecedent BIGINT, n_consequent BIGINT, baskets BIGINT, support DOUBLE, confidence DOUBLE, lift DOUBLE}> of \
            all rules of up to max_items items that hold in n >= min_count baskets with n / n_antecedent >= min_confidence, by falling confidence, then n, then names. \
            Counts are exact, and a confidence is one division of them. An item twice in a basket counts once, NULL items are passed over. \
            A NULL or empty basket is left out; NULL without a basket. An error where more than 1,000,000 sets of items are frequent: raise min_count. \
            The state grows with the number of distinct baskets by their size. \
            Source: R. Agrawal, T. Imielinski, A. Swami, Mining Association Rules, SIGMOD 1993; searched depth first as in M. Zaki's Eclat, 2000.",
        syntax: "market_basket(items json, min_count bigint, min_confidence double precision [, max_items integer]) -> json",
        arguments: &[
            ("items", "List of the items of one basket."),
            ("min_count", "Constant, 1 or more: in how many baskets a rule must hold."),
            ("min_confidence", "Constant from 0 to 1: the share of baskets with the antecedent that must hold the consequent."),
            ("max_items", "Constant from 2 to 10: items of a rule at the most, so 2 asks for pairs. Default 10."),
        ],
        example: "SELECT r['antecedent'], r['consequent'], r['confidence'] FROM (SELECT unnest(market_basket(items, 2, 0.5)) AS r\nFROM (VALUES (['cleanser', 'toner']), (['cleanser', 'toner', 'serum']), (['serum'])) AS t(items))",
        related: &["bitmap_build"],
    }
    .build()
});

/// The aggregate `market_basket(items, min_count, min_confidence)`.
pub struct MarketBasket;

impl AggregateDefinition for MarketBasket {
    const NAME: &'static str = NAME;
    type States = States;

    fn documentation() -> &'static Documentation {
        &DOCUMENTATION
    }

    fn coerce(types: &[DataType]) -> Result<Vec<DataType>> {
        expect_arguments(NAME, types, 3, 4)?;
        let [items, min_count, min_confidence, max_items @ ..] = types else {
            return plan_err!("{NAME}: 3 or 4 arguments are needed, got {}", types.len());
        };
        let list = coerce_texts(NAME, "items must be a list of texts", "an item", items)?;
        if !(min_count.is_integer() || min_count.is_null()) {
            return plan_err!("{NAME}: min_count must be a whole number, got {min_count}");
        }
        let mut coerced = vec![list, DataType::Int64, coerce_double(NAME, "min_confidence", min_confidence)?];
        for max_items in max_items {
            if !(max_items.is_integer() || max_items.is_null()) {
                return plan_err!("{NAME}: max_items must be a whole number, got {max_items}");
            }
            coerced.push(DataType::Int64);
        }
        Ok(coerced)
    }

    fn result(_types: &[DataType]) -> Result<DataType> {
        Ok(DataType::List(rule_field()))
    }

    fn partials(_types: &[DataType]) -> Result<Vec<(&'static str, DataType)>> {
        Ok(vec![("baskets", DataType::List(basket_field()))])
    }

    fn states(args: &AccumulatorArgs) -> Result<Self::States> {
        let constant = |index, argument| -> Result<ScalarValue> {
            Ok(aggregate_constant(args, NAME, index, argument)?.unwrap_or(ScalarValue::Null))
        };
        let (count, confidence) = (constant(1, "min_count")?, constant(2, "min_confidence")?);
        let ScalarValue::Int64(Some(min_count @ 1..)) = count else {
            return exec_err!("{NAME}: min_count must be 1 or more, got {}", quoted(&count));
        };
        let ScalarValue::Float64(Some(min_confidence @ 0.0..=1.0)) = confidence else {
            return exec_err!("{NAME}: min_confidence must be from 0 to 1, got {}", quoted(&confidence));
        };
        let max_items = match aggregate_constant(args, NAME, 3, "max_items")? {
            None => ITEMS_MAX,
            Some(ScalarValue::Int64(Some(given))) if (2..=ITEMS_MAX as i64).contains(&given) => given as usize,
            Some(given) => return exec_err!("{NAME}: max_items must be from 2 to {ITEMS_MAX}, got {}", quoted(&given)),
        };
        Ok(States::new(Limits { min_count, min_confidence, max_items }))
    }
}

fn text_list() -> DataType {
    DataType::List(Arc::new(Field::new("item", DataType::Utf8, true)))
}

fn rule_fields() -> Fields {
    let counts = ["n", "n_antecedent", "n_consequent", "baskets"].map(|name| Field::new(name, DataType::Int64, true));
    let shares = ["support", "confidence", "lift"].map(|name| Field::new(name, DataType::Float64, true));
    let items = [Field::new("antecedent", text_list(), true), Field::new("consequent", DataType::Utf8, true)];
    items.into_iter().chain(counts).chain(shares).collect()
}

fn rule_field() -> FieldRef {
    Arc::new(Field::new("item", DataType::Struct(rule_fields()), true))
}

fn item_field() -> FieldRef {
    Arc::new(Field::new("item", DataType::Utf8View, false))
}

fn basket_fields() -> Fields {
    Fields::from(vec![
        Field::new("items", DataType::List(item_field()), false),
        Field::new("count", DataType::Int64, false),
    ])
}

fn basket_field() -> FieldRef {
    Arc::new(Field::new("item", DataType::Struct(basket_fields()), false))
}

/// How often each basket was bought, of each group.
#[derive(Debug)]
pub(crate) struct States {
    limits: Limits,
    names: Names,
    groups: Vec<HashMap<Box<[u32]>, i64>>,
    /// Bytes of all baskets.
    held: usize,
}

impl States {
    fn new(limits: Limits) -> Self {
        Self { limits, names: Names::default(), groups: Vec::new(), held: 0 }
    }

    /// `items` is sorted here, each is kept once.
    fn add(&mut self, group: usize, items: &mut Vec<u32>, count: i64) {
        items.sort_unstable();
        items.dedup();
        if items.is_empty() {
            return;
        }
        match self.groups[group].get_mut(items.as_slice()) {
            Some(known) => *known += count,
            None => {
                let held = self.groups[group].allocation_size();
                self.groups[group].insert(items.as_slice().into(), count);
                self.held += self.groups[group].allocation_size() - held + size_of_val(items.as_slice());
            }
        }
    }

    /// With items numbered by the order of their names, so that nothing depends on how rows were spread.
    fn in_order(&self, counts: &HashMap<Box<[u32]>, i64>) -> Baskets {
        let mut used: Vec<u32> = counts.keys().flatten().copied().collect();
        used.sort_unstable();
        used.dedup();
        used.sort_unstable_by_key(|number| self.names.name(*number));
        let ranks: HashMap<u32, u32> = used.iter().enumerate().map(|(rank, number)| (*number, rank as u32)).collect();
        let mut baskets: Vec<(Vec<u32>, i64)> = counts
            .iter()
            .map(|(items, count)| {
                let mut items: Vec<u32> = items.iter().filter_map(|number| ranks.get(number).copied()).collect();
                items.sort_unstable();
                (items, *count)
            })
            .collect();
        baskets.sort_unstable();
        Baskets { items: used.iter().map(|number| self.names.name(*number).to_owned()).collect(), baskets }
    }
}

impl GroupStates for States {
    fn fresh(&self) -> Self {
        Self::new(self.limits)
    }

    fn grow(&mut self, groups: usize) {
        if groups > self.groups.len() {
            self.groups.resize_with(groups, HashMap::new);
        }
    }

    fn update(&mut self, columns: &[ArrayRef], rows: Rows<'_>) -> Result<()> {
        let [items, ..] = columns else { return exec_err!("{NAME}: items are missing") };
        let lists = items.as_list::<i32>();
        let names = Texts::of(lists.values());
        let mut items = Vec::new();
        for (row, &group) in rows.groups.iter().enumerate() {
            if !rows.passes(row) || lists.is_null(row) {
                continue;
            }
            items.clear();
            for index in lists.value_offsets()[row] as usize..lists.value_offsets()[row + 1] as usize {
                if let Some(name) = names.get(index) {
                    items.push(self.names.number(name));
                }
            }
            self.add(group, &mut items, 1);
        }
        Ok(())
    }

    fn merge(&mut self, partials: &[ArrayRef], rows: Rows<'_>) -> Result<()> {
        let [lists] = take_function_args(NAME, partials)?;
        let lists = lists.as_list::<i32>();
        let each = lists.values().as_struct();
        let (baskets, counts) = (each.column(0).as_list::<i32>(), each.column(1).as_primitive::<Int64Type>());
        let names = baskets.values().as_string_view();
        let mut items = Vec::new();
        for (row, &group) in rows.groups.iter().enumerate() {
            if lists.is_null(row) {
                continue;
            }
            for basket in lists.value_offsets()[row] as usize..lists.value_offsets()[row + 1] as usize {
                items.clear();
                for index in baskets.value_offsets()[basket] as usize..baskets.value_offsets()[basket + 1] as usize {
                    items.push(self.names.number(names.value(index)));
                }
                self.add(group, &mut items, counts.value(basket));
            }
        }
        Ok(())
    }

    fn take(&mut self, groups: usize) -> Result<Self> {
        let rest = self.groups.split_off(groups);
        let mut taken = self.fresh();
        taken.grow(groups);
        for (group, counts) in std::mem::replace(&mut self.groups, rest).into_iter().enumerate() {
            self.held -= counts.allocation_size();
            for (items, count) in counts {
                self.held -= size_of_val(items.as_ref());
                let mut items = items.iter().map(|number| taken.names.number(self.names.name(*number))).collect();
                taken.add(group, &mut items, count);
            }
        }
        Ok(taken)
    }

    fn partials(&mut self) -> Result<Vec<ArrayRef>> {
        let groups: Vec<Baskets> = self.groups.iter().map(|counts| self.in_order(counts)).collect();
        let baskets = || groups.iter().flat_map(|group| group.baskets.iter().map(move |basket| (group, basket)));
        // Views share the bytes of a repeated name, so that many items do not outgrow 32-bit offsets.
        let mut names = StringViewBuilder::new().with_deduplicate_strings();
        for (group, (items, _)) in baskets() {
            for item in items {
                names.append_value(&group.items[*item as usize]);
            }
        }
        let lengths = list_offsets(NAME, baskets().map(|(_, (items, _))| items.len()))?;
        let columns: Vec<ArrayRef> = vec![
            Arc::new(ListArray::try_new(item_field(), lengths, Arc::new(names.finish()), None)?),
            Arc::new(Int64Array::from_iter_values(baskets().map(|(_, (_, count))| *count))),
        ];
        let structs = StructArray::try_new(basket_fields(), columns, None)?;
        let offsets = list_offsets(NAME, groups.iter().map(|group| group.baskets.len()))?;
        Ok(vec![Arc::new(ListArray::try_new(basket_field(), offsets, Arc::new(structs), None)?)])
    }

    fn values(&mut self) -> Result<ArrayRef> {
        let groups: Vec<Baskets> = self.groups.iter().map(|counts| self.in_order(counts)).collect();
        let found =
            groups.iter().map(|baskets| rules(NAME, baskets, self.limits)).collect::<Result<Vec<Vec<Rule>>>>()?;
        let each: Vec<(&Baskets, &Rule)> =
            groups.iter().zip(&found).flat_map(|(group, rules)| rules.iter().map(move |rule| (group, rule))).collect();
        let antecedents: Vec<&String> = each
            .iter()
            .flat_map(|(group, rule)| rule.antecedent.iter().map(|item| &group.items[*item as usize]))
            .collect();
        let antecedents = ListArray::try_new(
            Arc::new(Field::new("item", DataType::Utf8, true)),
            list_offsets(NAME, each.iter().map(|(_, rule)| rule.antecedent.len()))?,
            Arc::new(StringArray::from_iter_values(antecedents)),
            None,
        )?;
        let count = |of: fn(&Rule) -> i64| -> ArrayRef {
            Arc::new(Int64Array::from_iter_values(each.iter().map(|(_, rule)| of(rule))))
        };
        let share = |of: fn(&Rule) -> f64| -> ArrayRef {
            Arc::new(Float64Array::from_iter_values(each.iter().map(|(_, rule)| of(rule))))
        };
        let consequents = each.iter().map(|(group, rule)| &group.items[rule.consequent as usize]);
        let columns: Vec<ArrayRef> = vec![
            Arc::new(antecedents),
            Arc::new(StringArray::from_iter_values(consequents)),
            count(|rule| rule.n),
            count(|rule| rule.n_antecedent),
            count(|rule| rule.n_consequent),
            count(|rule| rule.baskets),
            share(|rule| rule.n as f64 / rule.baskets as f64),
            share(Rule::confidence),
            share(|rule| rule.confidence() * rule.baskets as f64 / rule.n_consequent as f64),
        ];
        let structs = StructArray::try_new(rule_fields(), columns, None)?;
        let seen: NullBuffer = groups.iter().map(|group| !group.baskets.is_empty()).collect();
        let offsets = list_offsets(NAME, found.iter().map(Vec::len))?;
        Ok(Arc::new(ListArray::try_new(rule_field(), offsets, Arc::new(structs), Some(seen))?))
    }

    fn bytes(&self) -> usize {
        self.groups.capacity() * size_of::<HashMap<Box<[u32]>, i64>>() + self.held + self.names.bytes()
    }
}

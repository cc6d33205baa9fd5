//! Random statements over the tables that one role can read.

use super::dice::Dice;
use super::expression::{Named, Other, Scope};
use super::statement::{Order, Select, Statement};
use super::table::Kind;

/// A table as the role can read it.
#[derive(Debug, Clone)]
pub struct Source {
    pub name: String,
    pub columns: Vec<(String, Kind)>,
}

/// Writes statements over `sources`.
#[derive(Debug)]
pub struct Writer<'a> {
    pub sources: &'a [Source],
}

const KINDS: [Kind; 9] = [
    Kind::Integer,
    Kind::Integer,
    Kind::Integer,
    Kind::Text,
    Kind::Text,
    Kind::Numeric,
    Kind::Boolean,
    Kind::Date,
    Kind::Instant,
];

/// Kinds that have a least and a greatest value.
const SORTED: [Kind; 5] = [Kind::Integer, Kind::Text, Kind::Numeric, Kind::Date, Kind::Instant];

impl Writer<'_> {
    pub fn statement(&self, dice: &mut Dice) -> Statement {
        let traps = *dice.pick(&[0, 8, 15, 30]);
        match dice.below(12) {
            0..=4 => self.plain(dice, traps),
            5..=7 => self.grouped(dice, traps),
            8 | 9 => self.windowed(dice, traps),
            10 => self.set_operation(dice, traps),
            _ => self.counted(dice, traps),
        }
    }

    fn plain(&self, dice: &mut Dice, traps: u32) -> Statement {
        let (with, mut body, scope) = self.from(dice, traps);
        body.items = (0..dice.between(1, 4)).map(|_| scope.any_of(dice, &KINDS)).collect();
        body.distinct = dice.chance(15);
        let order = match dice.below(10) {
            0..=3 => Order::None,
            _ if body.distinct => Order::Items,
            4 | 5 => Order::By(scope.total.clone()),
            _ => {
                let kind = *dice.pick(&[Kind::Integer, Kind::Text, Kind::Numeric]);
                let direction = *dice.pick(&["", " DESC", " NULLS FIRST"]);
                let first = format!("{}{direction}", sorted_by(scope.any(dice, kind)));
                Order::By(std::iter::once(first).chain(scope.total.clone()).collect())
            }
        };
        let limit = limit(dice, &order);
        Statement { with, body, also: None, order, limit }
    }

    fn grouped(&self, dice: &mut Dice, traps: u32) -> Statement {
        let (with, mut body, scope) = self.from(dice, traps);
        let keys = dice.below(3);
        body.items = (0..keys).map(|_| scope.any_of(dice, &KINDS)).collect();
        body.items.extend((0..dice.between(1, 3)).map(|_| aggregate(dice, &scope)));
        body.groups = Some(keys);
        body.having = dice.chance(25).then(|| match dice.below(2) {
            0 => format!("count(*) > {}", dice.between(0, 3)),
            _ => format!("min({}) >= 0", scope.any(dice, Kind::Integer)),
        });
        let order = if dice.chance(60) { Order::Items } else { Order::None };
        let limit = limit(dice, &order);
        Statement { with, body, also: None, order, limit }
    }

    fn windowed(&self, dice: &mut Dice, traps: u32) -> Statement {
        let (with, mut body, scope) = self.from(dice, traps);
        body.items = vec![scope.any(dice, Kind::Integer), window(dice, &scope)];
        let order = if dice.chance(60) { Order::By(scope.total.clone()) } else { Order::None };
        let limit = limit(dice, &order);
        Statement { with, body, also: None, order, limit }
    }

    fn set_operation(&self, dice: &mut Dice, traps: u32) -> Statement {
        let kinds: Vec<Kind> = (0..dice.between(1, 3)).map(|_| *dice.pick(&[Kind::Integer, Kind::Text])).collect();
        let side = |dice: &mut Dice| {
            let (with, mut select, scope) = self.from(dice, traps);
            select.items = kinds.iter().map(|kind| scope.any(dice, *kind)).collect();
            (with, select)
        };
        let (with, body) = side(dice);
        let (again, also) = side(dice);
        let word = *dice.pick(&["UNION", "UNION ALL", "INTERSECT", "EXCEPT"]);
        let order = if dice.chance(60) { Order::Items } else { Order::None };
        let limit = limit(dice, &order);
        // Both sides may read the same common table; two of one name would be an error.
        let with = with.or(again);
        Statement { with, body, also: Some((word, also)), order, limit }
    }

    /// How many rows there are, after a limit that no order decides.
    fn counted(&self, dice: &mut Dice, traps: u32) -> Statement {
        let (with, mut inner, _) = self.from(dice, traps);
        inner.items = vec!["1".to_owned()];
        let window = *dice.pick(&["LIMIT 4", "OFFSET 3", "LIMIT 1000", "LIMIT 5 OFFSET 2", ""]);
        let body = Select {
            items: vec!["count(*)".to_owned()],
            inner: Some((Box::new(inner), window)),
            groups: Some(0),
            ..Select::default()
        };
        Statement { with, body, ..Statement::default() }
    }

    /// What stands in FROM and WHERE, and what can be said over it.
    fn from(&self, dice: &mut Dice, traps: u32) -> (Option<(String, Select)>, Select, Scope) {
        let others = self.sources.iter().map(|s| Other { name: s.name.clone(), columns: s.columns.clone() }).collect();
        let mut scope = Scope { columns: Vec::new(), total: Vec::new(), others, traps };
        let mut with = None;
        let from = if dice.chance(15) {
            let inner = self.derived(dice, &mut scope, "d", traps);
            if dice.chance(50) {
                with = Some(("w".to_owned(), inner));
                "w AS d".to_owned()
            } else {
                format!("({inner}) AS d")
            }
        } else {
            self.table(dice, &mut scope, "a")
        };
        let joined = *dice.pick(&[0, 0, 0, 0, 0, 0, 1, 1, 1, 2]);
        let joins = ["b", "c"].iter().take(joined).map(|alias| self.join(dice, &mut scope, alias)).collect();
        let count = *dice.pick(&[0, 1, 1, 2]);
        let predicates = (0..count).map(|_| scope.condition(dice, 0)).collect();
        (with, Select { from, joins, predicates, ..Select::default() }, scope)
    }

    fn table(&self, dice: &mut Dice, scope: &mut Scope, alias: &str) -> String {
        let source = dice.pick(self.sources);
        let named = |(name, kind): &(String, Kind)| Named { sql: format!("{alias}.{name}"), kind: *kind };
        scope.columns.extend(source.columns.iter().map(named));
        scope.total.push(format!("{alias}.id"));
        format!("{} AS {alias}", source.name)
    }

    fn join(&self, dice: &mut Dice, scope: &mut Scope, alias: &str) -> String {
        let before = scope.clone();
        let table = self.table(dice, scope, alias);
        let kind = *dice.pick(&["JOIN", "JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN", "CROSS JOIN"]);
        if kind == "CROSS JOIN" {
            return format!("{kind} {table}");
        }
        let key = *dice.pick(&[Kind::Integer, Kind::Text]);
        let (left, right) =
            (before.column(dice, key), format!("{alias}.{}", if key == Kind::Text { "team" } else { "x" }));
        // Other joins than inner ones are hash joins only where the whole condition is an equality.
        let more = if kind == "JOIN" && dice.chance(50) {
            format!(" AND {}", scope.condition(dice, 2))
        } else {
            String::new()
        };
        format!("{kind} {table} ON {left} = {right}{more}")
    }

    /// A query as a table; its rows are told apart by all of its columns.
    fn derived(&self, dice: &mut Dice, scope: &mut Scope, alias: &str, traps: u32) -> Select {
        let mut inner_scope = Scope { columns: Vec::new(), total: Vec::new(), others: scope.others.clone(), traps };
        let from = self.table(dice, &mut inner_scope, "i");
        let kinds: Vec<Kind> = (0..dice.between(2, 4)).map(|_| *dice.pick(&KINDS)).collect();
        let mut items: Vec<String> = kinds.iter().map(|kind| inner_scope.any(dice, *kind)).collect();
        let predicates = if dice.chance(50) { vec![inner_scope.condition(dice, 1)] } else { Vec::new() };
        let groups = dice.chance(30).then_some(items.len());
        let mut named: Vec<(String, Kind)> =
            kinds.iter().enumerate().map(|(n, kind)| (format!("a{}", n + 1), *kind)).collect();
        if groups.is_some() {
            items.push("count(*)".to_owned());
            named.push((format!("a{}", items.len()), Kind::Integer));
        }
        for (name, kind) in named {
            scope.total.push(format!("{alias}.{name}"));
            scope.columns.push(Named { sql: format!("{alias}.{name}"), kind });
        }
        Select { items, from, predicates, groups, ..Select::default() }
    }
}

/// A bare number in ORDER BY would be the position of an item.
fn sorted_by(expression: String) -> String {
    if expression.parse::<i64>().is_ok() { format!("abs({expression})") } else { expression }
}

fn limit(dice: &mut Dice, order: &Order) -> Option<(i64, i64)> {
    let ordered = !matches!(order, Order::None);
    (ordered && dice.chance(45)).then(|| (dice.between(0, 6), if dice.chance(30) { dice.between(1, 4) } else { 0 }))
}

fn aggregate(dice: &mut Dice, scope: &Scope) -> String {
    let kind = *dice.pick(&KINDS);
    let call = match dice.below(9) {
        0 | 1 => "count(*)".to_owned(),
        2 => format!("count({})", scope.any(dice, kind)),
        3 => return format!("count(DISTINCT {})", scope.any(dice, kind)),
        4 => format!("sum({})", scope.any(dice, Kind::Integer)),
        5 => format!("min({})", scope.any_of(dice, &SORTED)),
        6 => format!("max({})", scope.any_of(dice, &SORTED)),
        7 => format!("bool_or({})", scope.any(dice, Kind::Boolean)),
        _ => return format!("string_agg({}, ',' ORDER BY {})", scope.any(dice, Kind::Text), scope.total.join(", ")),
    };
    if dice.chance(30) { format!("{call} FILTER (WHERE {})", scope.condition(dice, 1)) } else { call }
}

fn window(dice: &mut Dice, scope: &Scope) -> String {
    let total = scope.total.join(", ");
    let by = if dice.chance(50) { format!("PARTITION BY {} ", scope.column(dice, Kind::Text)) } else { String::new() };
    match dice.below(6) {
        0 => format!("row_number() OVER ({by}ORDER BY {total})"),
        1 => format!("rank() OVER ({by}ORDER BY {})", scope.any(dice, Kind::Integer)),
        2 => format!("sum({}) OVER ({by}ORDER BY {total})", scope.any(dice, Kind::Integer)),
        3 => format!("lag({}) OVER ({by}ORDER BY {total})", scope.any(dice, Kind::Integer)),
        4 => format!("count(*) OVER ({by})"),
        _ => format!(
            "max({}) OVER ({by}ORDER BY {total} ROWS BETWEEN 2 PRECEDING AND CURRENT ROW)",
            scope.any(dice, Kind::Integer)
        ),
    }
}

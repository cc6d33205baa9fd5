//! Random expressions over the columns in scope. Some are traps: they fail on rows that a policy is likely to hide.

use super::dice::Dice;
use super::table::Kind;

/// A column that an expression may name.
#[derive(Debug, Clone)]
pub struct Named {
    pub sql: String,
    pub kind: Kind,
}

/// A table for sub-queries, with its integer and text columns.
#[derive(Debug, Clone)]
pub struct Other {
    pub name: String,
    pub columns: Vec<(String, Kind)>,
}

/// What expressions may use.
#[derive(Debug, Clone)]
pub struct Scope {
    pub columns: Vec<Named>,
    /// Expressions that together tell any two rows apart.
    pub total: Vec<String>,
    pub others: Vec<Other>,
    /// Percent of the expressions that are traps.
    pub traps: u32,
}

const DEPTH_MAX: usize = 2;

impl Scope {
    pub fn any(&self, dice: &mut Dice, kind: Kind) -> String {
        self.of(dice, kind, 0)
    }

    pub fn any_of(&self, dice: &mut Dice, kinds: &[Kind]) -> String {
        let kind = *dice.pick(kinds);
        self.any(dice, kind)
    }

    fn of(&self, dice: &mut Dice, kind: Kind, depth: usize) -> String {
        match kind {
            Kind::Integer => self.integer(dice, depth),
            Kind::Text => self.text(dice, depth),
            Kind::Boolean => self.condition(dice, depth),
            Kind::Numeric | Kind::Double | Kind::Date | Kind::Instant => self.other(dice, kind, depth),
        }
    }

    /// A column of the kind; a constant where there is none.
    pub fn column(&self, dice: &mut Dice, kind: Kind) -> String {
        let fitting: Vec<&Named> = self.columns.iter().filter(|column| column.kind == kind).collect();
        if !fitting.is_empty() {
            return dice.pick(&fitting).sql.clone();
        }
        let constant = match kind {
            Kind::Integer => "7",
            Kind::Text => "'a'",
            Kind::Boolean => "true",
            Kind::Numeric => "CAST(2.5 AS numeric(10, 2))",
            Kind::Double => "CAST(2.5 AS double precision)",
            Kind::Date => "DATE '2024-06-01'",
            Kind::Instant => "TIMESTAMPTZ '2024-06-01 00:00:00+00'",
        };
        constant.to_owned()
    }

    fn integer(&self, dice: &mut Dice, depth: usize) -> String {
        if dice.chance(self.traps) {
            return self.integer_trap(dice);
        }
        let deep = depth < DEPTH_MAX;
        match dice.below(if deep { 11 } else { 4 }) {
            0 => dice.between(0, 9).to_string(),
            1..=3 => self.column(dice, Kind::Integer),
            4 => format!("({} + {})", self.integer(dice, depth + 1), self.integer(dice, depth + 1)),
            5 => format!("({} % 4)", self.integer(dice, depth + 1)),
            6 => format!("length({})", self.text(dice, depth + 1)),
            7 => {
                let (when, then) = (self.condition(dice, depth + 1), self.integer(dice, depth + 1));
                format!("CASE WHEN {when} THEN {then} ELSE {} END", self.integer(dice, depth + 1))
            }
            8 => format!("coalesce({}, {})", self.column(dice, Kind::Integer), self.integer(dice, depth + 1)),
            9 => format!("nullif({}, 5)", self.integer(dice, depth + 1)),
            _ => self.scalar_query(dice),
        }
    }

    fn integer_trap(&self, dice: &mut Dice) -> String {
        let (x, s) = (self.column(dice, Kind::Integer), self.column(dice, Kind::Text));
        match dice.below(7) {
            0 | 1 => format!("1 / ({x} - 5)"),
            2 => format!("100 % ({x} - 5)"),
            3 => format!("CAST({s} AS integer)"),
            4 => format!("CAST({s} AS bigint)"),
            5 => format!("CASE WHEN {x} = 5 THEN 1 / ({x} - 5) ELSE {x} END"),
            _ => format!("CAST(replace({s}, 'SECRET', 'x') AS integer)"),
        }
    }

    fn text(&self, dice: &mut Dice, depth: usize) -> String {
        let deep = depth < DEPTH_MAX;
        match dice.below(if deep { 10 } else { 4 }) {
            0 => format!("'{}'", *dice.pick(&["a", "b", "z", "SECRET"])),
            1..=3 => self.column(dice, Kind::Text),
            4 => format!("({} || {})", self.text(dice, depth + 1), self.column(dice, Kind::Text)),
            5 => format!("lower({})", self.text(dice, depth + 1)),
            6 => format!("CAST({} AS text)", self.integer(dice, depth + 1)),
            7 => format!("substr({}, 1, 3)", self.text(dice, depth + 1)),
            8 => format!("coalesce({}, 'none')", self.column(dice, Kind::Text)),
            _ => {
                let (when, then) = (self.condition(dice, depth + 1), self.column(dice, Kind::Text));
                format!("CASE WHEN {when} THEN {then} ELSE {} END", self.text(dice, depth + 1))
            }
        }
    }

    pub fn condition(&self, dice: &mut Dice, depth: usize) -> String {
        if dice.chance(self.traps) {
            return self.condition_trap(dice);
        }
        let deep = depth < DEPTH_MAX;
        let operator = *dice.pick(&["=", "<>", "<", "<=", ">", ">="]);
        match dice.below(if deep { 16 } else { 8 }) {
            0 | 1 => format!("{} {operator} {}", self.column(dice, Kind::Integer), dice.between(0, 9)),
            2 => format!("{} {operator} '{}'", self.column(dice, Kind::Text), *dice.pick(&["a", "b", "5", "SECRET"])),
            3 => format!("{} LIKE '{}'", self.column(dice, Kind::Text), *dice.pick(&["a%", "SECRET%", "%1%", "_"])),
            4 => {
                let kind = *dice.pick(&[Kind::Integer, Kind::Text, Kind::Date, Kind::Numeric, Kind::Instant]);
                format!("{} IS {}NULL", self.column(dice, kind), if dice.chance(50) { "NOT " } else { "" })
            }
            5 => format!("{} IN ('a', 'b', NULL)", self.column(dice, Kind::Text)),
            6 => format!("{} BETWEEN 2 AND {}", self.column(dice, Kind::Integer), dice.between(2, 9)),
            7 => {
                let moment = *dice.pick(&["2024-06-01", "2024-06-01 06:00:00", "2024-05-31 18:00:00+00"]);
                let at = self.column(dice, Kind::Instant);
                match dice.below(3) {
                    0 => format!("CAST({at} AS date) {operator} DATE '2024-06-01'"),
                    _ => format!("{at} {operator} '{moment}'"),
                }
            }
            8 => format!("({} AND {})", self.condition(dice, depth + 1), self.condition(dice, depth + 1)),
            9 => format!("({} OR {})", self.condition(dice, depth + 1), self.condition(dice, depth + 1)),
            10 => format!("NOT ({})", self.condition(dice, depth + 1)),
            11 => format!("{} {operator} {}", self.integer(dice, depth + 1), self.integer(dice, depth + 1)),
            12 => format!("{} ~ '{}'", self.text(dice, depth + 1), *dice.pick(&["^a", "SECRET", "[0-9]$"])),
            13 => {
                let kind = *dice.pick(&[Kind::Numeric, Kind::Double, Kind::Date, Kind::Instant]);
                format!("({} {operator} {})", self.column(dice, kind), self.column(dice, kind))
            }
            14 => format!("({} IS NOT DISTINCT FROM 5)", self.column(dice, Kind::Integer)),
            _ => self.query_condition(dice),
        }
    }

    fn condition_trap(&self, dice: &mut Dice) -> String {
        let (trap, s) = (self.integer_trap(dice), self.column(dice, Kind::Text));
        match dice.below(5) {
            0 | 1 => format!("{trap} >= 0"),
            2 => format!("{trap} <> 77"),
            3 => format!("CAST({s} AS date) > DATE '2020-01-01'"),
            _ => format!("CAST({s} AS boolean)"),
        }
    }

    fn other(&self, dice: &mut Dice, kind: Kind, depth: usize) -> String {
        if matches!(kind, Kind::Date | Kind::Instant) || depth > 0 || dice.chance(60) {
            return self.column(dice, kind);
        }
        let value = self.column(dice, kind);
        if dice.chance(self.traps) {
            return format!("{value} / ({} - 5)", self.column(dice, Kind::Integer));
        }
        format!("({value} * 2)")
    }

    /// IN or EXISTS over another table, leaning on the row or not.
    fn query_condition(&self, dice: &mut Dice) -> String {
        let other = dice.pick(&self.others).clone();
        let inner = other.scope("o", self.traps);
        let (name, x) = (&other.name, self.column(dice, Kind::Integer));
        let filter = inner.condition(dice, DEPTH_MAX);
        let not = if dice.chance(30) { "NOT " } else { "" };
        match dice.below(4) {
            0 => format!("{x} {not}IN (SELECT o.x FROM {name} AS o WHERE o.x IS NOT NULL AND {filter})"),
            1 => format!("{} {not}IN (SELECT o.team FROM {name} AS o WHERE {filter})", self.column(dice, Kind::Text)),
            2 => format!("{not}EXISTS (SELECT 1 FROM {name} AS o WHERE o.x = {x} AND {filter})"),
            _ => format!("{not}EXISTS (SELECT 1 FROM {name} AS o WHERE {filter})"),
        }
    }

    /// One value of another table, leaning on the row or not.
    fn scalar_query(&self, dice: &mut Dice) -> String {
        let other = dice.pick(&self.others).clone();
        let inner = other.scope("o", self.traps);
        let value = inner.integer(dice, DEPTH_MAX);
        let x = self.column(dice, Kind::Integer);
        let correlated = if dice.chance(40) { format!(" WHERE o.x = {x}") } else { String::new() };
        format!("(SELECT max({value}) FROM {} AS o{correlated})", other.name)
    }
}

impl Other {
    /// The scope of a sub-query over it; sub-queries within have no further ones.
    fn scope(&self, alias: &str, traps: u32) -> Scope {
        let named = |(name, kind): &(String, Kind)| Named { sql: format!("{alias}.{name}"), kind: *kind };
        let columns = self.columns.iter().map(named).collect();
        Scope { columns, total: vec![format!("{alias}.id")], others: vec![self.clone()], traps }
    }
}

//! The FROM clause: system relations by their bare name, and functions in the place of tables.

use datafusion::sql::sqlparser::ast::helpers::attached_token::AttachedToken;
use datafusion::sql::sqlparser::ast::{
    BinaryOperator, DataType, Expr, FunctionArg, FunctionArgExpr, GroupByExpr, Ident, OrderBy, OrderByExpr,
    OrderByKind, OrderByOptions, Query, Select, SelectFlavor, SelectItem, SetExpr, TableAlias, TableAliasColumnDef,
    TableFactor, TableWithJoins, UnaryOperator, Value, Visit, Visitor,
};

use super::build::{call, cast, number, object_name, parts};
use super::sets::{ordinality, positions};
use crate::catalog::spec::{self, INFORMATION_SCHEMA, PG_CATALOG};

const SERIES: &str = "generate_series";
/// The name of a series whose numbers are cast around it. Not a name that a user would choose.
const INSIDE: &str = "$series";

/// A bare name that is a relation of `pg_catalog` is that relation, since PostgreSQL searches that schema first.
pub fn qualify(factor: &mut TableFactor, is_cte: impl Fn(&str) -> bool) {
    let TableFactor::Table { name, args: None, .. } = factor else { return };
    match parts(name).as_slice() {
        [bare] if !is_cte(bare) && spec::find(PG_CATALOG, bare).is_some() => *name = object_name(&[PG_CATALOG, bare]),
        [_, schema, bare] if [PG_CATALOG, INFORMATION_SCHEMA].contains(&schema.as_str()) => {
            *name = object_name(&[schema, bare]);
        }
        _ => {}
    }
}

/// Turns functions in FROM into sub-queries, lateral where they may lean on what stands to the left of them.
pub fn spread(select: &mut Select) {
    let mut is_first = true;
    for table in &mut select.from {
        spread_factor(&mut table.relation, is_first);
        is_first = false;
        for join in &mut table.joins {
            spread_factor(&mut join.relation, false);
        }
    }
}

fn spread_factor(factor: &mut TableFactor, is_first: bool) {
    if let TableFactor::NestedJoin { table_with_joins, .. } = factor {
        spread_factor(&mut table_with_joins.relation, is_first);
        for join in &mut table_with_joins.joins {
            spread_factor(&mut join.relation, false);
        }
        return;
    }
    let Some(call) = function_of(factor) else { return };
    if let Some(bounds) = call.plain_series() {
        // What stands inside of the sub-query that gives an integer is visited, too.
        let width = if call.alias.name.value == INSIDE { Width::BigInt } else { width(&bounds) };
        name_series(factor, call.alias, &bounds, width);
        return;
    }
    let lateral = !is_first && (call.lateral || call.arguments.iter().any(has_column));
    let subquery = Box::new(call.query());
    *factor = TableFactor::Derived { lateral, subquery, alias: Some(call.alias), sample: None };
}

/// The engine's own table function makes its rows as they are asked for. Its column is named as PostgreSQL names it, and is an
/// INTEGER where the bounds are.
fn name_series(factor: &mut TableFactor, mut named: TableAlias, bounds: &[i64], width: Width) {
    let TableFactor::Table { name, alias, args: Some(arguments), .. } = factor else { return };
    if named.columns.is_empty() {
        named.columns = vec![TableAliasColumnDef { name: named.name.clone(), data_type: None }];
    }
    // The engine's function takes numbers alone, of its own width.
    let written = |bound: &i64| FunctionArg::Unnamed(FunctionArgExpr::Expr(number(*bound)));
    arguments.args = bounds.iter().map(written).collect();
    *name = object_name(&[SERIES]);
    *alias = Some(named.clone());
    if let (Width::Integer, [column]) = (width, named.columns.as_slice()) {
        if let TableFactor::Table { alias: Some(inner), .. } = factor {
            inner.name = Ident::with_quote('"', INSIDE);
        }
        let number = cast(Expr::Identifier(column.name.clone()), DataType::Integer(None));
        let item = SelectItem::ExprWithAlias { expr: number, alias: column.name.clone() };
        let from = TableWithJoins { relation: factor.clone(), joins: Vec::new() };
        let subquery = Box::new(select(vec![item], vec![from]));
        *factor = TableFactor::Derived { lateral: false, subquery, alias: Some(named), sample: None };
    }
}

/// Rows of the engine's batches.
const BATCH_ROWS: u64 = 8192;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Width {
    Integer,
    BigInt,
}

/// The width of the widest of them. A series of more than one batch stays a BIGINT: to cast it the engine would spread its
/// batches over threads, and the rows would come out of order.
fn width(bounds: &[i64]) -> Width {
    let fits = bounds.iter().all(|bound| i32::try_from(*bound).is_ok());
    let [from, to, step @ ..] = bounds else { return Width::BigInt };
    let step = step.first().copied().unwrap_or(1);
    let rows = to.saturating_sub(*from).checked_div(step).map_or(0, i64::unsigned_abs);
    if fits && rows < BATCH_ROWS { Width::Integer } else { Width::BigInt }
}

/// A function in the place of a table.
#[derive(Debug)]
struct TableCall {
    name: String,
    arguments: Vec<Expr>,
    lateral: bool,
    ordinality: bool,
    /// That of the statement, or one that is made of the name.
    alias: TableAlias,
    has_alias: bool,
}

fn function_of(factor: &TableFactor) -> Option<TableCall> {
    let plain = |argument: &FunctionArg| match argument {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Some(expr.clone()),
        _ => None,
    };
    let (name, arguments, lateral, ordinality, alias) = match factor {
        TableFactor::Table { name, args: Some(args), alias, with_ordinality, .. } => {
            let arguments = args.args.iter().map(plain).collect::<Option<Vec<_>>>()?;
            (parts(name), arguments, false, *with_ordinality, alias)
        }
        TableFactor::Function { lateral, name, args, with_ordinality, alias } => {
            let arguments = args.iter().map(plain).collect::<Option<Vec<_>>>()?;
            (parts(name), arguments, *lateral, *with_ordinality, alias)
        }
        TableFactor::UNNEST { alias, array_exprs, with_ordinality, with_offset: false, .. } => {
            (vec!["unnest".to_owned()], array_exprs.clone(), false, *with_ordinality, alias)
        }
        _ => return None,
    };
    let name = match name.as_slice() {
        [name] => name.clone(),
        [schema, name] if [PG_CATALOG, INFORMATION_SCHEMA].contains(&schema.as_str()) => name.clone(),
        _ => return None,
    };
    let has_alias = alias.is_some();
    let alias = alias.clone().unwrap_or_else(|| TableAlias {
        explicit: true,
        name: Ident::new(name.clone()),
        columns: Vec::new(),
        at: None,
    });
    Some(TableCall { name, arguments, lateral, ordinality, alias, has_alias })
}

impl TableCall {
    /// The bounds and the step of a series where they stand in the statement: any other is an array first.
    fn plain_series(&self) -> Option<Vec<i64>> {
        let is_series = self.name == SERIES && !self.lateral && !self.ordinality;
        let bounds = self.arguments.iter().map(constant).collect::<Option<Vec<_>>>()?;
        (is_series && (2..=3).contains(&bounds.len())).then_some(bounds)
    }

    /// `SELECT function AS column [, positions AS ordinality]`.
    fn query(&self) -> Query {
        let mut columns = self.columns();
        let mut items: Vec<SelectItem> = Vec::new();
        let mut name = |default: &str| {
            if columns.is_empty() { Ident::new(default) } else { columns.remove(0) }
        };
        let mut push = |expr: Expr, alias: Ident| items.push(SelectItem::ExprWithAlias { expr, alias });
        // Without a name of its own, a value of JSON is called so.
        let is_value = !self.has_alias && self.name.contains("_array_elements");
        let lone = if is_value { Ident::new("value") } else { self.alias.name.clone() };
        match self.name.as_str() {
            "unnest" => {
                for array in &self.arguments {
                    push(call("unnest", vec![array.clone()]), name(&lone.value));
                }
            }
            "_pg_expandarray" => {
                if let Some(array) = self.arguments.first() {
                    push(call("unnest", vec![array.clone()]), name("x"));
                    push(positions(array), name("n"));
                }
            }
            "json_each" | "jsonb_each" | "json_each_text" | "jsonb_each_text" => {
                let values = if self.name.ends_with("text") { "json_value_texts" } else { "json_values" };
                push(call("unnest", vec![call("json_keys", self.arguments.clone())]), name("key"));
                push(call("unnest", vec![call(values, self.arguments.clone())]), name("value"));
            }
            "pg_get_keywords" => {
                push(call("pg_keywords", Vec::new()), name("word"));
                push(super::build::text("R"), name("catcode"));
            }
            other => push(call(other, self.arguments.clone()), name(&lone.value)),
        }
        if self.ordinality {
            let array = match (self.name.as_str(), self.arguments.first()) {
                ("unnest", Some(array)) => array.clone(),
                (other, _) => call(other, self.arguments.clone()),
            };
            push(ordinality(&array), name("ordinality"));
        }
        self::select(items, Vec::new())
    }

    fn columns(&self) -> Vec<Ident> {
        self.alias.columns.iter().map(|column| column.name.clone()).collect()
    }
}

/// A plain query of `pg_attribute` that asks for no order gets the one in which PostgreSQL's index gives its rows: clients take
/// it for the order of a table's columns.
pub fn order_columns(query: &mut Query) {
    if query.order_by.is_some() || query.limit_clause.is_some() || query.with.is_some() {
        return;
    }
    let SetExpr::Select(select) = query.body.as_ref() else { return };
    let grouped = match &select.group_by {
        GroupByExpr::Expressions(items, _) => !items.is_empty(),
        GroupByExpr::All(_) => true,
    };
    let is_plain = |item: &SelectItem| match item {
        SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } => {
            matches!(expr, Expr::Identifier(_) | Expr::CompoundIdentifier(_)) || is_description(expr)
        }
        _ => false,
    };
    if grouped || select.distinct.is_some() || select.having.is_some() || !select.projection.iter().all(is_plain) {
        return;
    }
    let joined = select.from.iter().flat_map(|table| table.joins.iter().map(|join| &join.relation));
    let mut factors = select.from.iter().map(|table| &table.relation).chain(joined);
    let Some(attributes) = factors.find_map(attributes_named) else { return };
    let by = |column: &str| OrderByExpr {
        expr: Expr::CompoundIdentifier(vec![attributes.clone(), Ident::new(column)]),
        options: OrderByOptions { asc: None, nulls_first: None },
        with_fill: None,
    };
    let kind = OrderByKind::Expressions(vec![by("attrelid"), by("attnum")]);
    query.order_by = Some(OrderBy { kind, interpolate: None });
}

/// A function of one row, as clients write it beside the columns.
fn is_description(expr: &Expr) -> bool {
    const OF_A_ROW: [&str; 3] = ["col_description", "format_type", "pg_get_expr"];
    match expr {
        Expr::Function(function) => parts(&function.name).pop().is_some_and(|name| OF_A_ROW.contains(&name.as_str())),
        _ => false,
    }
}

/// The name that a SELECT gives to `pg_attribute`.
fn attributes_named(factor: &TableFactor) -> Option<Ident> {
    let TableFactor::Table { name, alias, args: None, .. } = factor else { return None };
    let parts = parts(name);
    let is_it = match parts.as_slice() {
        [name] => name == "pg_attribute",
        [.., schema, name] => schema == PG_CATALOG && name == "pg_attribute",
        _ => false,
    };
    let bare = Ident::new("pg_attribute");
    is_it.then(|| alias.as_ref().map_or(bare, |alias| alias.name.clone()))
}

/// What a whole number is, or a sum and the like of such.
fn constant(expr: &Expr) -> Option<i64> {
    use BinaryOperator::{Minus, Multiply, Plus};
    match expr {
        Expr::Value(value) => match &value.value {
            Value::Number(digits, _) => digits.parse().ok(),
            _ => None,
        },
        Expr::Nested(inner) | Expr::UnaryOp { op: UnaryOperator::Plus, expr: inner } => constant(inner),
        Expr::UnaryOp { op: UnaryOperator::Minus, expr: inner } => constant(inner)?.checked_neg(),
        Expr::BinaryOp { left, op, right } => {
            let (left, right) = (constant(left)?, constant(right)?);
            match op {
                Plus => left.checked_add(right),
                Minus => left.checked_sub(right),
                Multiply => left.checked_mul(right),
                _ => None,
            }
        }
        _ => None,
    }
}

/// Whether the expression names a column.
fn has_column(expr: &Expr) -> bool {
    struct Finder(bool);
    impl Visitor for Finder {
        type Break = ();
        fn pre_visit_expr(&mut self, expr: &Expr) -> std::ops::ControlFlow<()> {
            self.0 |= matches!(expr, Expr::Identifier(_) | Expr::CompoundIdentifier(_));
            std::ops::ControlFlow::Continue(())
        }
    }
    let mut finder = Finder(false);
    let _ = expr.visit(&mut finder);
    finder.0
}

/// A plain SELECT.
pub fn select(projection: Vec<SelectItem>, from: Vec<TableWithJoins>) -> Query {
    let select = Select {
        select_token: AttachedToken::empty(),
        optimizer_hints: Vec::new(),
        distinct: None,
        select_modifiers: None,
        top: None,
        top_before_distinct: false,
        projection,
        exclude: None,
        into: None,
        from,
        lateral_views: Vec::new(),
        prewhere: None,
        selection: None,
        connect_by: Vec::new(),
        group_by: GroupByExpr::Expressions(Vec::new(), Vec::new()),
        cluster_by: Vec::new(),
        distribute_by: Vec::new(),
        sort_by: Vec::new(),
        having: None,
        named_window: Vec::new(),
        qualify: None,
        window_before_qualify: false,
        value_table_mode: None,
        flavor: SelectFlavor::Standard,
    };
    Query {
        with: None,
        body: Box::new(SetExpr::Select(Box::new(select))),
        order_by: None,
        limit_clause: None,
        fetch: None,
        locks: Vec::new(),
        for_clause: None,
        settings: None,
        format_clause: None,
        pipe_operators: Vec::new(),
    }
}

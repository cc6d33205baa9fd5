//! The FROM clause: system relations by their bare name, and functions in the place of tables.

use datafusion::sql::sqlparser::ast::helpers::attached_token::AttachedToken;
use datafusion::sql::sqlparser::ast::{
    BinaryOperator, Expr, FunctionArg, FunctionArgExpr, GroupByExpr, Ident, Query, Select, SelectFlavor, SelectItem,
    SetExpr, TableAlias, TableAliasColumnDef, TableFactor, TableWithJoins, UnaryOperator, Value, Visit, Visitor,
};

use super::build::{call, object_name, parts};
use super::sets::positions;
use crate::catalog::spec::{self, INFORMATION_SCHEMA, PG_CATALOG};

const SERIES: &str = "generate_series";

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
    if call.is_plain_series() {
        name_series(factor, call.alias);
        return;
    }
    let lateral = !is_first && (call.lateral || call.arguments.iter().any(has_column));
    let subquery = Box::new(call.query());
    *factor = TableFactor::Derived { lateral, subquery, alias: Some(call.alias), sample: None };
}

/// The engine's own table function makes its rows as they are asked for; its column is named as PostgreSQL names it.
fn name_series(factor: &mut TableFactor, mut named: TableAlias) {
    if let TableFactor::Table { name, alias, .. } = factor {
        if named.columns.is_empty() {
            named.columns = vec![TableAliasColumnDef { name: named.name.clone(), data_type: None }];
        }
        *name = object_name(&[SERIES]);
        *alias = Some(named);
    }
}

/// A function in the place of a table.
#[derive(Debug)]
struct TableCall {
    name: String,
    arguments: Vec<Expr>,
    lateral: bool,
    ordinality: bool,
    alias: TableAlias,
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
    let alias = alias.clone().unwrap_or_else(|| TableAlias {
        explicit: true,
        name: Ident::new(name.clone()),
        columns: Vec::new(),
        at: None,
    });
    Some(TableCall { name, arguments, lateral, ordinality, alias })
}

impl TableCall {
    /// A series whose bounds stand in the statement: any other is an array first.
    fn is_plain_series(&self) -> bool {
        let plain = self.name == SERIES && !self.lateral && !self.ordinality;
        plain && (2..=3).contains(&self.arguments.len()) && self.arguments.iter().all(is_constant)
    }

    /// `SELECT function AS column [, positions AS ordinality]`.
    fn query(&self) -> Query {
        let mut columns = self.columns();
        let mut items: Vec<SelectItem> = Vec::new();
        let mut name = |default: &str| {
            if columns.is_empty() { Ident::new(default) } else { columns.remove(0) }
        };
        let mut push = |expr: Expr, alias: Ident| items.push(SelectItem::ExprWithAlias { expr, alias });
        let lone = self.alias.name.clone();
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
            push(positions(&array), name("ordinality"));
        }
        self::select(items, Vec::new())
    }

    fn columns(&self) -> Vec<Ident> {
        self.alias.columns.iter().map(|column| column.name.clone()).collect()
    }
}

/// Whole numbers, and sums and the like of them.
fn is_constant(expr: &Expr) -> bool {
    use BinaryOperator::{Minus, Multiply, Plus};
    match expr {
        Expr::Value(value) => {
            matches!(&value.value, Value::Number(digits, _) if digits.bytes().all(|b| b.is_ascii_digit()))
        }
        Expr::Nested(inner) | Expr::UnaryOp { op: UnaryOperator::Minus | UnaryOperator::Plus, expr: inner } => {
            is_constant(inner)
        }
        Expr::BinaryOp { left, op: Plus | Minus | Multiply, right } => is_constant(left) && is_constant(right),
        _ => false,
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

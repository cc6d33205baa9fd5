//! The PostgreSQL type of each column of a plan, where Arrow's type does not tell it: `name`, `oid[]`, `jsonb`, `varchar(20)`.
//!
//! The engine carries such a name with a column and a cast and loses it in CASE, coalesce, min, array_agg and the like.

use arrow::datatypes::{DataType, Field, Schema};
use datafusion::common::DFSchema;
use datafusion::logical_expr::expr::{
    AggregateFunction, Alias, Case, ScalarFunction, Unnest as UnnestExpr, WindowFunctionDefinition,
};
use datafusion::logical_expr::{Distinct, Expr, ExprSchemable, LogicalPlan};

use crate::dataset::contract::TYPE_KEY;

/// The name of a column's type; `None` where Arrow's type says it all.
type Label = Option<String>;

/// The schema of a plan whose types are coerced, with the names of types that the plan as it was written tells.
pub fn typed(written: &LogicalPlan, coerced: &Schema) -> Schema {
    let labels = labels(written);
    if labels.len() != coerced.fields().len() {
        return coerced.clone();
    }
    let before = written.schema().as_arrow().fields();
    let field = |((field, label), before): ((&Field, Label), &Field)| {
        let mut metadata = field.metadata().clone();
        // A label is of the type that was written: coercion may have made it another.
        if field.data_type() == before.data_type() || can_be_labelled(field.data_type()) {
            metadata.remove(TYPE_KEY);
            metadata.extend(label.map(|label| (TYPE_KEY.to_owned(), label)));
        }
        field.clone().with_metadata(metadata)
    };
    let fields = coerced.fields().iter().map(AsRef::as_ref).zip(labels).zip(before.iter().map(AsRef::as_ref));
    Schema::new(fields.map(field).collect::<Vec<_>>())
}

/// Texts hold many types, lists of them too.
fn can_be_labelled(data_type: &DataType) -> bool {
    match data_type {
        DataType::Utf8 | DataType::Utf8View | DataType::LargeUtf8 => true,
        DataType::List(item) => can_be_labelled(item.data_type()),
        _ => false,
    }
}

fn labels(plan: &LogicalPlan) -> Vec<Label> {
    let own = || plan.schema().fields().iter().map(|field| label_of(field)).collect::<Vec<_>>();
    let found = match plan {
        LogicalPlan::Projection(projection) => {
            let input = Input::of(&projection.input);
            projection.expr.iter().map(|expr| input.label(expr)).collect()
        }
        LogicalPlan::Aggregate(aggregate) => {
            let input = Input::of(&aggregate.input);
            aggregate.group_expr.iter().chain(&aggregate.aggr_expr).map(|expr| input.label(expr)).collect()
        }
        LogicalPlan::Window(window) => {
            let input = Input::of(&window.input);
            let added: Vec<Label> = window.window_expr.iter().map(|expr| input.label(expr)).collect();
            input.labels.into_iter().chain(added).collect()
        }
        LogicalPlan::Join(join) => labels(&join.left).into_iter().chain(labels(&join.right)).collect(),
        LogicalPlan::Union(union) => union.inputs.first().map_or_else(Vec::new, |input| labels(input)),
        LogicalPlan::Unnest(unnest) => {
            let (input, schema) = (labels(&unnest.input), unnest.input.schema());
            let output = |(position, field): (usize, &std::sync::Arc<Field>)| {
                let from = *unnest.dependency_indices.get(position)?;
                let label = input.get(from).cloned().flatten()?;
                let is_taken_apart = schema.field(from).data_type() != field.data_type();
                if is_taken_apart { label.strip_suffix("[]").map(str::to_owned) } else { Some(label) }
            };
            plan.schema().fields().iter().enumerate().map(output).collect()
        }
        LogicalPlan::Distinct(Distinct::On(on)) => {
            let input = Input::of(&on.input);
            on.select_expr.iter().map(|expr| input.label(expr)).collect()
        }
        LogicalPlan::SubqueryAlias(_)
        | LogicalPlan::Filter(_)
        | LogicalPlan::Sort(_)
        | LogicalPlan::Limit(_)
        | LogicalPlan::Repartition(_)
        | LogicalPlan::Distinct(Distinct::All(_)) => plan.inputs().first().map_or_else(Vec::new, |input| labels(input)),
        _ => own(),
    };
    // Semi joins, grouping sets and what else has other columns than its inputs tell of themselves.
    if found.len() == plan.schema().fields().len() { found } else { own() }
}

fn label_of(field: &Field) -> Label {
    field.metadata().get(TYPE_KEY).cloned()
}

struct Input<'a> {
    schema: &'a DFSchema,
    labels: Vec<Label>,
}

impl<'a> Input<'a> {
    fn of(plan: &'a LogicalPlan) -> Self {
        Self { schema: plan.schema(), labels: labels(plan) }
    }

    fn label(&self, expr: &Expr) -> Label {
        match expr {
            Expr::Column(column) => {
                let place = self.schema.maybe_index_of_column(column)?;
                self.labels.get(place).cloned().flatten()
            }
            Expr::Alias(Alias { expr, .. }) => self.label(expr),
            Expr::Cast(cast) => label_of(&cast.field),
            Expr::Case(Case { when_then_expr, else_expr, .. }) => {
                // ELSE comes first, as in PostgreSQL.
                let branches =
                    else_expr.iter().map(AsRef::as_ref).chain(when_then_expr.iter().map(|(_, then)| then.as_ref()));
                self.first_typed(branches)
            }
            Expr::ScalarSubquery(subquery) => labels(&subquery.subquery).into_iter().next().flatten(),
            Expr::ScalarFunction(ScalarFunction { func, args }) => match func.name() {
                "coalesce" | "greatest" | "least" => self.first_typed(args),
                "nullif" => args.first().and_then(|argument| self.label(argument)),
                "make_array" => self.first_typed(args).map(|label| format!("{label}[]")),
                "array_element" => {
                    let list = self.label(args.first()?)?;
                    list.strip_suffix("[]").map(str::to_owned)
                }
                _ => self.told(expr),
            },
            Expr::AggregateFunction(AggregateFunction { func, params }) => self.gathered(func.name(), &params.args),
            Expr::WindowFunction(window) => {
                let name = match &window.fun {
                    WindowFunctionDefinition::AggregateUDF(function) => function.name(),
                    WindowFunctionDefinition::WindowUDF(function) => function.name(),
                };
                self.gathered(name, &window.params.args)
            }
            Expr::Unnest(UnnestExpr { expr, .. }) => self.label(expr)?.strip_suffix("[]").map(str::to_owned),
            _ => self.told(expr),
        }
    }

    fn gathered(&self, name: &str, arguments: &[Expr]) -> Label {
        let label = self.label(arguments.first()?)?;
        match name {
            "min" | "max" | "first_value" | "last_value" | "nth_value" | "lag" | "lead" => Some(label),
            "array_agg" => Some(format!("{label}[]")),
            _ => None,
        }
    }

    /// The first that is more than a literal without a type.
    fn first_typed<'e>(&self, exprs: impl IntoIterator<Item = &'e Expr>) -> Label {
        let is_open = |expr: &&Expr| match expr {
            Expr::Literal(value, _) => value.is_null() || value.try_as_str().is_some(),
            _ => false,
        };
        exprs.into_iter().find(|expr| !is_open(expr)).and_then(|expr| self.label(expr))
    }

    /// What the engine itself says.
    fn told(&self, expr: &Expr) -> Label {
        expr.to_field(self.schema).ok().and_then(|(_, field)| label_of(&field))
    }
}

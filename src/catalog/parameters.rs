//! The types of parameters that a plan leaves open.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::DFSchema;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::error::Result;
use datafusion::logical_expr::expr::{Placeholder, ScalarFunction};
use datafusion::logical_expr::{Cast, Expr, ExprSchemable, LogicalPlan};

/// Gives each parameter the type that PostgreSQL would: that of the cast around it, of the array or item that it is looked up
/// in, BIGINT in LIMIT. The first use decides; a parameter that nothing tells of stays without a type.
pub fn infer_parameters(plan: LogicalPlan) -> Result<LogicalPlan> {
    let mut known: HashMap<String, FieldRef> = HashMap::new();
    let mut open = false;
    plan.apply_with_subqueries(|node| {
        let schema = merged_schema(node);
        let in_limit = matches!(node, LogicalPlan::Limit(_));
        node.apply_expressions(|expr| {
            expr.apply(|expr| {
                match expr {
                    Expr::Placeholder(Placeholder { field: Some(field), id }) => note(&mut known, id, field),
                    Expr::Placeholder(Placeholder { field: None, id }) => {
                        open = true;
                        if in_limit {
                            note(&mut known, id, &plain(DataType::Int64));
                        }
                    }
                    Expr::Cast(Cast { expr, field, .. }) => note_open(&mut known, expr, field),
                    Expr::ScalarFunction(call) => note_array(&mut known, call, &schema),
                    _ => {}
                }
                Ok(TreeNodeRecursion::Continue)
            })
        })
    })?;
    if !open || known.is_empty() {
        return Ok(plan);
    }
    let typed = plan.transform_up_with_subqueries(|node| node.map_expressions(|expr| give(expr, &known)))?;
    Ok(typed.data)
}

fn plain(data_type: DataType) -> FieldRef {
    Arc::new(Field::new("parameter", data_type, true))
}

fn merged_schema(node: &LogicalPlan) -> DFSchema {
    let mut schema = DFSchema::empty();
    for input in node.inputs() {
        schema.merge(input.schema());
    }
    schema
}

fn note(known: &mut HashMap<String, FieldRef>, id: &str, field: &FieldRef) {
    known.entry(id.to_owned()).or_insert_with(|| Arc::clone(field));
}

fn note_open(known: &mut HashMap<String, FieldRef>, expr: &Expr, field: &FieldRef) {
    if let Expr::Placeholder(Placeholder { field: None, id }) = expr {
        note(known, id, field);
    }
}

/// `array_has(array, item)`, `array_has_all(array, array)`: either tells the other's type.
fn note_array(known: &mut HashMap<String, FieldRef>, call: &ScalarFunction, schema: &DFSchema) {
    let (array, item) = match (call.func.name(), call.args.as_slice()) {
        ("array_has", [array, item]) => (array, item),
        ("array_has_all" | "array_has_any", [left, right]) => {
            for (known_side, open_side) in [(left, right), (right, left)] {
                if let Ok(data_type @ DataType::List(_)) = known_side.get_type(schema) {
                    note_open(known, open_side, &plain(data_type));
                }
            }
            return;
        }
        _ => return,
    };
    if let Ok(DataType::List(element)) = array.get_type(schema) {
        note_open(known, item, &element);
    }
    if let Ok(item_type) = item.get_type(schema)
        && item_type != DataType::Null
    {
        note_open(known, array, &plain(DataType::List(Arc::new(Field::new("item", item_type, true)))));
    }
}

fn give(expr: Expr, known: &HashMap<String, FieldRef>) -> Result<Transformed<Expr>> {
    expr.transform(|expr| {
        let found = match &expr {
            Expr::Placeholder(placeholder) => known.get(&placeholder.id).map(|field| (placeholder.id.clone(), field)),
            _ => None,
        };
        Ok(match found {
            Some((id, field)) => {
                Transformed::yes(Expr::Placeholder(Placeholder::new_with_field(id, Some(Arc::clone(field)))))
            }
            None => Transformed::no(expr),
        })
    })
}

//! The operators and functions of json and jsonb. A value of either is kept as text; jsonb that is made here is in
//! PostgreSQL's normal form.

mod change;
mod tree;

use datafusion::sql::sqlparser::ast::BinaryOperator;

use super::plain::{Outcome, PlainFunction, called, strict};
use super::value::Value;
use crate::error::{Error, Reason, Result};
use change::Place;
use tree::{Kind, Node};

/// The most arguments of a function that takes any number, as in PostgreSQL.
const MOST: usize = 100;

/// How a part of a value is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// json: as it stands in the text.
    AsWritten,
    /// jsonb.
    Normal,
}

/// The function behind an operator of json or jsonb.
pub fn operator(op: &BinaryOperator, form: Form) -> Option<&'static str> {
    use BinaryOperator::*;
    Some(match (op, form) {
        (Arrow, Form::AsWritten) => "json_part",
        (Arrow, Form::Normal) => "jsonb_part",
        (LongArrow, _) => "json_part_text",
        (HashArrow, Form::AsWritten) => "json_at",
        (HashArrow, Form::Normal) => "jsonb_at",
        (HashLongArrow, _) => "json_at_text",
        (AtArrow, _) => "jsonb_contains",
        (Question, _) => "jsonb_exists",
        (QuestionPipe, _) => "jsonb_exists_any",
        (QuestionAnd, _) => "jsonb_exists_all",
        (HashMinus, _) => "jsonb_delete_path",
        _ => return None,
    })
}

pub const FUNCTIONS: &[PlainFunction] = &[
    strict("jsonb_in", (1, 1), Outcome::Jsonb, |arguments| Ok(tree_of(arguments)?.normal().into())),
    strict("json_part", (2, 2), Outcome::Json, |arguments| part(arguments, Form::AsWritten)),
    strict("jsonb_part", (2, 2), Outcome::Jsonb, |arguments| part(arguments, Form::Normal)),
    strict("json_part_text", (2, 2), Outcome::Text, |arguments| found(arguments, step, text_of)),
    strict("json_at", (2, 2), Outcome::Json, |arguments| at(arguments, Form::AsWritten)),
    strict("jsonb_at", (2, 2), Outcome::Jsonb, |arguments| at(arguments, Form::Normal)),
    strict("json_at_text", (2, 2), Outcome::Text, |arguments| found(arguments, path, text_of)),
    strict("json_extract_path", (2, MOST), Outcome::Json, |arguments| along(arguments, Form::AsWritten)),
    strict("jsonb_extract_path", (2, MOST), Outcome::Jsonb, |arguments| along(arguments, Form::Normal)),
    strict("json_extract_path_text", (2, MOST), Outcome::Text, |arguments| found(arguments, steps, text_of)),
    strict("jsonb_extract_path_text", (2, MOST), Outcome::Text, |arguments| found(arguments, steps, text_of)),
    strict("jsonb_contains", (2, 2), Outcome::Boolean, contains),
    strict("jsonb_exists", (2, 2), Outcome::Boolean, exists),
    strict("jsonb_exists_any", (2, 2), Outcome::Boolean, |arguments| exist(arguments, Wanted::Any)),
    strict("jsonb_exists_all", (2, 2), Outcome::Boolean, |arguments| exist(arguments, Wanted::All)),
    strict("json_typeof", (1, 1), Outcome::Text, |arguments| Ok(tree_of(arguments)?.kind.name().into())),
    strict("jsonb_typeof", (1, 1), Outcome::Text, |arguments| Ok(tree_of(arguments)?.kind.name().into())),
    strict("json_array_length", (1, 1), Outcome::Integer, length),
    strict("jsonb_array_length", (1, 1), Outcome::Integer, length),
    strict("json_items", (1, 1), Outcome::Jsons, |arguments| items(arguments, written)),
    strict("jsonb_items", (1, 1), Outcome::Jsonbs, |arguments| items(arguments, normal)),
    strict("json_item_texts", (1, 1), Outcome::Texts, |arguments| items(arguments, text_of)),
    strict("json_keys", (1, 1), Outcome::Texts, |arguments| members(arguments, |key, _, _| Some(key.to_owned()))),
    strict("json_values", (1, 1), Outcome::Jsonbs, |arguments| members(arguments, |_, node, text| normal(node, text))),
    strict("json_value_texts", (1, 1), Outcome::Texts, |arguments| {
        members(arguments, |_, node, text| text_of(node, text))
    }),
    strict("to_json", (1, 1), Outcome::Json, |arguments| Ok(written_value(arguments).into())),
    strict("row_to_json", (1, 1), Outcome::Json, |arguments| Ok(written_value(arguments).into())),
    strict("to_jsonb", (1, 1), Outcome::Jsonb, |arguments| Ok(normal_value(arguments).into())),
    strict("json_list", (1, 1), Outcome::Json, |arguments| Ok(joined(arguments).into())),
    strict("jsonb_list", (1, 1), Outcome::Jsonb, |arguments| Ok(joined(arguments).into())),
    strict("jsonb_set", (3, 4), Outcome::Jsonb, |arguments| {
        put(arguments, |may_be_made| Place::At { may_be_made }, true)
    }),
    strict("jsonb_insert", (3, 4), Outcome::Jsonb, |arguments| {
        put(arguments, |after| if after { Place::After } else { Place::Before }, false)
    }),
    strict("jsonb_delete", (2, MOST), Outcome::Jsonb, deleted),
    strict("jsonb_delete_path", (2, 2), Outcome::Jsonb, |arguments| {
        let mut tree = tree_of(arguments)?;
        change::remove_path(&mut tree, &path_names(arguments.get(1))?)?;
        Ok(tree.normal().into())
    }),
    strict("jsonb_concat", (2, 2), Outcome::Jsonb, |arguments| {
        Ok(change::joined(tree_of(arguments)?, parsed(&text(arguments, 1))?).normal().into())
    }),
    strict("jsonb_pretty", (1, 1), Outcome::Text, |arguments| Ok(change::pretty(&tree_of(arguments)?).into())),
    strict("jsonb_strip_nulls", (1, 1), Outcome::Jsonb, |arguments| Ok(stripped(arguments)?.normal().into())),
    strict("json_strip_nulls", (1, 1), Outcome::Json, |arguments| {
        let mut out = String::new();
        change::compact(&stripped(arguments)?, &mut out);
        Ok(out.into())
    }),
    strict("json_object", (1, 2), Outcome::Json, |arguments| texts_object(arguments, Form::AsWritten)),
    strict("jsonb_object", (1, 2), Outcome::Jsonb, |arguments| texts_object(arguments, Form::Normal)),
    strict("json_pairs", (2, 2), Outcome::Json, |arguments| pairs(arguments, Form::AsWritten)),
    strict("jsonb_pairs", (2, 2), Outcome::Jsonb, |arguments| pairs(arguments, Form::Normal)),
    called("json_build_object", (0, MOST), Outcome::Json, |arguments| object(arguments, Form::AsWritten)),
    called("jsonb_build_object", (0, MOST), Outcome::Jsonb, |arguments| object(arguments, Form::Normal)),
    called("json_build_array", (0, MOST), Outcome::Json, |arguments| Ok(list(arguments, Form::AsWritten).into())),
    called("jsonb_build_array", (0, MOST), Outcome::Jsonb, |arguments| Ok(list(arguments, Form::Normal).into())),
];

fn text(arguments: &[Value], position: usize) -> String {
    arguments.get(position).map(Value::display).unwrap_or_default()
}

fn tree_of(arguments: &[Value]) -> Result<Node> {
    parsed(&text(arguments, 0))
}

fn parsed(text: &str) -> Result<Node> {
    let refused = || Error::new(Reason::InvalidText, "invalid input syntax for type json");
    tree::parse(text).ok_or_else(refused)
}

type Find = for<'a> fn(&'a Node, &[Value]) -> Option<&'a Node>;
type Show = fn(&Node, &str) -> Option<String>;

/// What `find` finds in the first argument, as `show` shows it.
fn found(arguments: &[Value], find: Find, show: Show) -> Result<Value> {
    let whole = text(arguments, 0);
    let tree = parsed(&whole)?;
    let rest = arguments.get(1..).unwrap_or_default();
    Ok(find(&tree, rest).and_then(|node| show(node, &whole)).into())
}

fn shown(form: Form) -> Show {
    match form {
        Form::AsWritten => written,
        Form::Normal => normal,
    }
}

fn part(arguments: &[Value], form: Form) -> Result<Value> {
    found(arguments, step, shown(form))
}

fn at(arguments: &[Value], form: Form) -> Result<Value> {
    found(arguments, path, shown(form))
}

fn along(arguments: &[Value], form: Form) -> Result<Value> {
    found(arguments, steps, shown(form))
}

/// `->`: a member by its name, an item by its position.
fn step<'a>(node: &'a Node, arguments: &[Value]) -> Option<&'a Node> {
    match arguments.first()? {
        Value::Int(position) => node.item(*position),
        name => node.member(&name.display()),
    }
}

/// `#>`: the steps of a list, which may also be written as one text.
fn path<'a>(node: &'a Node, arguments: &[Value]) -> Option<&'a Node> {
    match arguments.first()? {
        Value::List(path) => steps(node, path),
        written => {
            let path = crate::forms::read::array::split(&written.display()).ok()?;
            path.iter().try_fold(node, |node, name| node.step(name.as_deref()?))
        }
    }
}

fn steps<'a>(node: &'a Node, path: &[Value]) -> Option<&'a Node> {
    path.iter().try_fold(node, |node, name| if name.is_null() { None } else { node.step(&name.display()) })
}

fn written(node: &Node, whole: &str) -> Option<String> {
    whole.get(node.span.0..node.span.1).map(str::to_owned)
}

fn normal(node: &Node, _: &str) -> Option<String> {
    Some(node.normal())
}

/// A string without its quotes; null is NULL.
fn text_of(node: &Node, whole: &str) -> Option<String> {
    match &node.kind {
        Kind::Null => None,
        Kind::Text(text) => Some(text.clone()),
        _ => written(node, whole),
    }
}

fn contains(arguments: &[Value]) -> Result<Value> {
    Ok(parsed(&text(arguments, 0))?.contains(&parsed(&text(arguments, 1))?).into())
}

/// Whether a name is a member, or a string of a list, or the string itself.
fn has(node: &Node, name: &str) -> bool {
    let is_name = |node: &Node| matches!(&node.kind, Kind::Text(text) if text == name);
    match &node.kind {
        Kind::Object(_) => node.member(name).is_some(),
        Kind::List(items) => items.iter().any(is_name),
        _ => is_name(node),
    }
}

fn exists(arguments: &[Value]) -> Result<Value> {
    Ok(has(&tree_of(arguments)?, &text(arguments, 1)).into())
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wanted {
    Any,
    All,
}

fn exist(arguments: &[Value], wanted: Wanted) -> Result<Value> {
    let tree = tree_of(arguments)?;
    let names = match arguments.get(1) {
        Some(Value::List(names)) => names.as_slice(),
        _ => &[],
    };
    let mut names = names.iter().map(|name| has(&tree, &name.display()));
    Ok(match wanted {
        Wanted::Any => names.any(|found| found),
        Wanted::All => names.all(|found| found),
    }
    .into())
}

fn length(arguments: &[Value]) -> Result<Value> {
    match tree_of(arguments)?.kind {
        Kind::List(items) => Ok(i32::try_from(items.len()).ok().into()),
        Kind::Object(_) => Err(no_array("cannot get array length of a non-array")),
        _ => Err(no_array("cannot get array length of a scalar")),
    }
}

fn no_array(text: &str) -> Error {
    Error::new(Reason::InvalidParameter, text)
}

fn items(arguments: &[Value], show: Show) -> Result<Value> {
    let whole = text(arguments, 0);
    match parsed(&whole)?.kind {
        Kind::List(items) => Ok(Value::List(items.iter().map(|item| show(item, &whole).into()).collect())),
        Kind::Object(_) => Err(no_array("cannot extract elements from an object")),
        _ => Err(no_array("cannot extract elements from a scalar")),
    }
}

fn members(arguments: &[Value], show: fn(&str, &Node, &str) -> Option<String>) -> Result<Value> {
    let whole = text(arguments, 0);
    let tree = parsed(&whole)?;
    match &tree.kind {
        Kind::Object(_) => {
            let members = tree.members().into_iter();
            Ok(Value::List(members.map(|(name, value)| show(name, value, &whole).into()).collect()))
        }
        other => Err(no_array(&format!("cannot call it on a JSON value that is a {}", other.name()))),
    }
}

/// The steps of a path, which is a list or one text.
fn path_names(path: Option<&Value>) -> Result<Vec<String>> {
    let null = || Error::new(Reason::InvalidParameter, "path element is null");
    match path {
        Some(Value::List(names)) => {
            names.iter().map(|name| (!name.is_null()).then(|| name.display()).ok_or_else(null)).collect()
        }
        Some(written) => {
            let names = crate::forms::read::array::split(&written.display())?;
            names.into_iter().map(|name| name.ok_or_else(null)).collect()
        }
        None => Ok(Vec::new()),
    }
}

/// The third argument put into the first, at a path; the fourth is yes or no.
fn put(arguments: &[Value], place: fn(bool) -> Place, absent: bool) -> Result<Value> {
    let place = place(arguments.get(3).and_then(Value::as_bool).unwrap_or(absent));
    let mut tree = tree_of(arguments)?;
    change::put(&mut tree, &path_names(arguments.get(1))?, parsed(&text(arguments, 2))?, place)?;
    Ok(tree.normal().into())
}

/// `jsonb - name`, `jsonb - position`, `jsonb - names`.
fn deleted(arguments: &[Value]) -> Result<Value> {
    let mut tree = tree_of(arguments)?;
    match arguments.get(1) {
        Some(Value::Int(position)) => change::remove_item(&mut tree, *position)?,
        Some(Value::List(names)) => {
            let names: Vec<String> = names.iter().filter(|name| !name.is_null()).map(Value::display).collect();
            change::remove_names(&mut tree, &names)?;
        }
        _ => change::remove_names(&mut tree, &[text(arguments, 1)])?,
    }
    Ok(tree.normal().into())
}

fn stripped(arguments: &[Value]) -> Result<Node> {
    let mut tree = tree_of(arguments)?;
    change::strip_nulls(&mut tree);
    Ok(tree)
}

fn items_of(value: Option<&Value>) -> Result<Vec<Value>> {
    match value {
        Some(Value::List(items)) => Ok(items.clone()),
        Some(written) => {
            let items = crate::forms::read::array::split(&written.display())?;
            Ok(items.into_iter().map(Value::from).collect())
        }
        None => Ok(Vec::new()),
    }
}

/// An object whose values are texts, of one list of names and values or of a list of each.
fn texts_object(arguments: &[Value], form: Form) -> Result<Value> {
    let names = items_of(arguments.first())?;
    let members: Vec<Value> = match arguments.get(1) {
        None if names.len() % 2 != 0 => {
            return Err(Error::new(Reason::Subscript, "array must have even number of elements"));
        }
        None => names,
        values => {
            let values = items_of(values)?;
            if values.len() != names.len() {
                return Err(Error::new(Reason::Subscript, "mismatched array dimensions"));
            }
            names.into_iter().zip(values).flat_map(|(name, value)| [name, value]).collect()
        }
    };
    object(&members, form)
}

/// An object of a list of names and one of values that are JSON already.
fn pairs(arguments: &[Value], form: Form) -> Result<Value> {
    let (names, values) = (items_of(arguments.first())?, items_of(arguments.get(1))?);
    let mut out = String::from("{ ");
    for (place, (name, value)) in names.iter().zip(&values).enumerate() {
        if name.is_null() {
            return Err(Error::new(Reason::InvalidParameter, "field name must not be null"));
        }
        out.push_str(if place > 0 { ", " } else { "" });
        tree::put_string(&name.display(), &mut out);
        out.push_str(" : ");
        out.push_str(&if value.is_null() { "null".to_owned() } else { value.display() });
    }
    out.push_str(" }");
    match form {
        Form::AsWritten => Ok(out.into()),
        Form::Normal => Ok(parsed(&out)?.normal().into()),
    }
}

fn written_value(arguments: &[Value]) -> String {
    arguments.first().map_or_else(|| "null".to_owned(), |value| json(value, Form::AsWritten))
}

fn normal_value(arguments: &[Value]) -> String {
    arguments.first().map_or_else(|| "null".to_owned(), |value| json(value, Form::Normal))
}

fn object(arguments: &[Value], form: Form) -> Result<Value> {
    let mut out = String::from("{");
    for (position, pair) in arguments.chunks(2).enumerate() {
        let [key, value] = pair else {
            return Err(Error::new(Reason::InvalidParameter, "argument list must have even number of elements"));
        };
        if key.is_null() {
            return Err(Error::new(Reason::InvalidParameter, "null value not allowed for object key"));
        }
        out.push_str(if position > 0 { ", " } else { "" });
        tree::put_string(&key.display(), &mut out);
        out.push_str(" : ");
        out.push_str(&json(value, form));
    }
    out.push('}');
    match form {
        Form::AsWritten => Ok(out.into()),
        Form::Normal => Ok(parsed(&out)?.normal().into()),
    }
}

/// A list of texts that are JSON already.
fn joined(arguments: &[Value]) -> String {
    let items = match arguments.first() {
        Some(Value::List(items)) => items.as_slice(),
        _ => &[],
    };
    let item = |item: &Value| if item.is_null() { "null".to_owned() } else { item.display() };
    format!("[{}]", items.iter().map(item).collect::<Vec<_>>().join(", "))
}

fn list(items: &[Value], form: Form) -> String {
    let items: Vec<String> = items.iter().map(|item| json(item, form)).collect();
    format!("[{}]", items.join(", "))
}

/// An array, which json writes without blanks.
fn array(items: &[Value], form: Form) -> String {
    let items: Vec<String> = items.iter().map(|item| json(item, form)).collect();
    format!("[{}]", items.join(if form == Form::AsWritten { "," } else { ", " }))
}

/// A composite value as an object; fields without a name are numbered.
fn row(fields: &[(String, Value)], form: Form) -> String {
    let is_unnamed = fields.iter().enumerate().all(|(place, (name, _))| *name == format!("c{place}"));
    let mut out = String::from("{");
    for (place, (name, value)) in fields.iter().enumerate() {
        out.push_str(match (place, form) {
            (0, _) => "",
            (_, Form::AsWritten) => ",",
            (_, Form::Normal) => ", ",
        });
        let numbered = format!("f{}", place + 1);
        tree::put_string(if is_unnamed { &numbered } else { name }, &mut out);
        out.push_str(if form == Form::AsWritten { ":" } else { ": " });
        out.push_str(&json(value, form));
    }
    out.push('}');
    match form {
        Form::AsWritten => out,
        Form::Normal => tree::parse(&out).map_or_else(|| "null".to_owned(), |tree| tree.normal()),
    }
}

/// A value as JSON.
fn json(value: &Value, form: Form) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(value) => value.to_string(),
        Value::Int(number) => number.to_string(),
        Value::Float(number) if number.is_finite() => number.to_string(),
        Value::List(items) => array(items, form),
        Value::Number(digits) => digits.clone(),
        // As the standard for JSON writes a time: a T in the middle, and minutes of a zone.
        Value::Moment(text) => {
            let mut written = text.replacen(' ', "T", usize::from(!text.ends_with(" BC")));
            let has_hours =
                written.rfind(['+', '-']).is_some_and(|sign| sign + 3 == written.len() && written.contains('T'));
            written.push_str(if has_hours { ":00" } else { "" });
            let mut out = String::new();
            tree::put_string(&written, &mut out);
            out
        }
        Value::Row(fields) => row(fields, form),
        Value::Json(text) => match form {
            Form::AsWritten => text.clone(),
            Form::Normal => tree::parse(text).map_or_else(|| "null".to_owned(), |tree| tree.normal()),
        },
        other => {
            let mut out = String::new();
            tree::put_string(&other.display(), &mut out);
            out
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn every_operator_names_a_function_that_is_there() {
        use BinaryOperator::*;
        for op in [Arrow, LongArrow, HashArrow, HashLongArrow, AtArrow, Question, QuestionPipe, QuestionAnd] {
            for form in [Form::AsWritten, Form::Normal] {
                let name = operator(&op, form).unwrap();
                assert!(FUNCTIONS.iter().any(|function| function.name == name), "{op} {name}");
            }
        }
    }
}

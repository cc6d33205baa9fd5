//! jsonb with a part put in, taken out or joined on, and JSON written for people.

use super::tree::{Kind, Node};
use crate::error::{Error, Reason, Result};

/// What a value is put in the place of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// What is at the path; where there is nothing, only if it may be made.
    At {
        may_be_made: bool,
    },
    Before,
    After,
}

fn refused(text: &str) -> Error {
    Error::new(Reason::InvalidParameter, text)
}

/// `new` at the end of a path; a path that leads nowhere changes nothing.
pub fn put(target: &mut Node, path: &[String], new: Node, place: Place) -> Result<()> {
    if !is_nested(target) {
        return Err(refused("cannot set path in scalar"));
    }
    put_at(target, path, 1, new, place)
}

fn put_at(target: &mut Node, path: &[String], depth: usize, new: Node, place: Place) -> Result<()> {
    let Some((step, rest)) = path.split_first() else { return Ok(()) };
    match &mut target.kind {
        Kind::Object(members) => {
            let found = members.iter_mut().rev().find(|(name, _)| name == step);
            match (found, place) {
                (Some((_, value)), place) if !rest.is_empty() => return put_at(value, rest, depth + 1, new, place),
                (Some((_, value)), Place::At { .. }) => *value = new,
                (Some(_), Place::Before | Place::After) => {
                    return Err(refused("cannot replace existing key")
                        .with_hint("Try using the function jsonb_set to replace key value."));
                }
                (None, Place::At { may_be_made: false }) => {}
                (None, _) if rest.is_empty() => members.push((step.clone(), new)),
                (None, _) => {}
            }
        }
        Kind::List(items) => {
            let position = position(step, depth)?;
            let count = items.len() as i64;
            let from_start = if position < 0 { position + count } else { position };
            let found = usize::try_from(from_start).ok().filter(|found| *found < items.len());
            match (found, place) {
                (Some(found), place) if !rest.is_empty() => {
                    return put_at(&mut items[found], rest, depth + 1, new, place);
                }
                (Some(found), Place::At { .. }) => items[found] = new,
                (Some(found), Place::Before) => items.insert(found, new),
                (Some(found), Place::After) => items.insert(found + 1, new),
                (None, Place::At { may_be_made: false }) => {}
                (None, _) if !rest.is_empty() => {}
                (None, _) if from_start < 0 => items.insert(0, new),
                (None, _) => items.push(new),
            }
        }
        _ => {}
    }
    Ok(())
}

fn position(step: &str, depth: usize) -> Result<i64> {
    let wrong = || format!("path element at position {depth} is not an integer: \"{step}\"");
    step.trim().parse().map_err(|_| Error::new(Reason::InvalidText, wrong()))
}

/// Takes out what is at the end of a path.
pub fn remove_path(target: &mut Node, path: &[String]) -> Result<()> {
    if !is_nested(target) {
        return Err(refused("cannot delete path in scalar"));
    }
    remove_at(target, path, 1)
}

fn remove_at(target: &mut Node, path: &[String], depth: usize) -> Result<()> {
    let Some((step, rest)) = path.split_first() else { return Ok(()) };
    match &mut target.kind {
        Kind::Object(members) if rest.is_empty() => members.retain(|(name, _)| name != step),
        Kind::Object(members) => {
            if let Some((_, value)) = members.iter_mut().rev().find(|(name, _)| name == step) {
                return remove_at(value, rest, depth + 1);
            }
        }
        Kind::List(items) => {
            if let Some(found) = place_of(items, position(step, depth)?) {
                if !rest.is_empty() {
                    return remove_at(&mut items[found], rest, depth + 1);
                }
                items.remove(found);
            }
        }
        _ => {}
    }
    Ok(())
}

/// Where an item stands, counted from the end where the position is negative.
fn place_of(items: &[Node], position: i64) -> Option<usize> {
    let from_start = if position < 0 { position + items.len() as i64 } else { position };
    usize::try_from(from_start).ok().filter(|found| *found < items.len())
}

/// Takes out members by their names, and strings that are equal to one.
pub fn remove_names(target: &mut Node, names: &[String]) -> Result<()> {
    match &mut target.kind {
        Kind::Object(members) => members.retain(|(name, _)| !names.contains(name)),
        Kind::List(items) => items.retain(|item| !matches!(&item.kind, Kind::Text(text) if names.contains(text))),
        _ => return Err(refused("cannot delete from scalar")),
    }
    Ok(())
}

pub fn remove_item(target: &mut Node, position: i64) -> Result<()> {
    match &mut target.kind {
        Kind::List(items) => {
            if let Some(found) = place_of(items, position) {
                items.remove(found);
            }
            Ok(())
        }
        Kind::Object(_) => Err(refused("cannot delete from object using integer index")),
        _ => Err(refused("cannot delete from scalar")),
    }
}

/// Two objects become one, in which the second is stronger; anything else becomes one list.
pub fn joined(left: Node, right: Node) -> Node {
    let kind = match (left.kind, right.kind) {
        (Kind::Object(mut members), Kind::Object(more)) => {
            members.extend(more);
            Kind::Object(members)
        }
        (left, right) => {
            let items = |kind: Kind| match kind {
                Kind::List(items) => items,
                kind => vec![Node { kind, span: (0, 0) }],
            };
            let mut all = items(left);
            all.extend(items(right));
            Kind::List(all)
        }
    };
    Node { kind, span: (0, 0) }
}

/// Takes out the members that are null, at all levels; items stay.
pub fn strip_nulls(target: &mut Node) {
    match &mut target.kind {
        Kind::Object(members) => {
            members.retain(|(_, value)| value.kind != Kind::Null);
            members.iter_mut().for_each(|(_, value)| strip_nulls(value));
        }
        Kind::List(items) => items.iter_mut().for_each(strip_nulls),
        _ => {}
    }
}

fn is_nested(node: &Node) -> bool {
    matches!(node.kind, Kind::Object(_) | Kind::List(_))
}

/// One part a line, each level four blanks further in.
pub fn pretty(node: &Node) -> String {
    let mut out = String::new();
    put_pretty(node, 0, &mut out);
    out
}

fn put_pretty(node: &Node, level: usize, out: &mut String) {
    let line = |out: &mut String, level: usize| {
        out.push('\n');
        out.extend(std::iter::repeat_n("    ", level));
    };
    match &node.kind {
        Kind::Object(_) => {
            out.push('{');
            for (place, (name, value)) in node.members().into_iter().enumerate() {
                out.push_str(if place > 0 { "," } else { "" });
                line(out, level + 1);
                super::tree::put_string(name, out);
                out.push_str(": ");
                put_pretty(value, level + 1, out);
            }
            line(out, level);
            out.push('}');
        }
        Kind::List(items) => {
            out.push('[');
            for (place, item) in items.iter().enumerate() {
                out.push_str(if place > 0 { "," } else { "" });
                line(out, level + 1);
                put_pretty(item, level + 1, out);
            }
            line(out, level);
            out.push(']');
        }
        _ => out.push_str(&node.normal()),
    }
}

/// The text without white space between its parts, members in their order.
pub fn compact(node: &Node, out: &mut String) {
    match &node.kind {
        Kind::Object(members) => {
            out.push('{');
            for (place, (name, value)) in members.iter().enumerate() {
                out.push_str(if place > 0 { "," } else { "" });
                super::tree::put_string(name, out);
                out.push(':');
                compact(value, out);
            }
            out.push('}');
        }
        Kind::List(items) => {
            out.push('[');
            for (place, item) in items.iter().enumerate() {
                out.push_str(if place > 0 { "," } else { "" });
                compact(item, out);
            }
            out.push(']');
        }
        Kind::Number(digits) => out.push_str(digits),
        _ => out.push_str(&node.normal()),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::super::tree::parse;
    use super::*;

    fn path(steps: &[&str]) -> Vec<String> {
        steps.iter().map(|step| (*step).to_owned()).collect()
    }

    // What jsonb_set and jsonb_insert of PostgreSQL 15 give.
    #[test]
    fn parts_are_put_where_postgres_puts_them() {
        let made = Place::At { may_be_made: true };
        for (target, steps, new, place, expected) in [
            (r#"{"a":{"b":1}}"#, vec!["a", "b"], "2", made, r#"{"a": {"b": 2}}"#),
            (r#"{"a":1}"#, vec!["b"], "2", made, r#"{"a": 1, "b": 2}"#),
            (r#"{"a":1}"#, vec!["b"], "2", Place::At { may_be_made: false }, r#"{"a": 1}"#),
            ("[1,2,3]", vec!["-1"], "9", made, "[1, 2, 9]"),
            ("[1,2]", vec!["5"], "9", made, "[1, 2, 9]"),
            ("[1]", vec!["-5"], "0", made, "[0, 1]"),
            (r#"{"a":1}"#, vec!["x", "y"], "2", made, r#"{"a": 1}"#),
            (r#"{"a":[0,1,2]}"#, vec!["a", "1"], "9", Place::Before, r#"{"a": [0, 9, 1, 2]}"#),
            (r#"{"a":[0,1,2]}"#, vec!["a", "1"], "9", Place::After, r#"{"a": [0, 1, 9, 2]}"#),
            ("[1]", vec!["-1"], "2", Place::After, "[1, 2]"),
        ] {
            let mut node = parse(target).unwrap();
            put(&mut node, &path(&steps), parse(new).unwrap(), place).unwrap();
            assert_eq!(node.normal(), expected, "{target} {steps:?}");
        }
        let mut scalar = parse("1").unwrap();
        assert!(put(&mut scalar, &path(&["a"]), parse("2").unwrap(), made).is_err());
        let mut list = parse("[1]").unwrap();
        let wrong = put(&mut list, &path(&["a"]), parse("2").unwrap(), made).unwrap_err();
        assert_eq!(wrong.to_string(), "path element at position 1 is not an integer: \"a\"");
    }

    // What `#-`, `||` and jsonb_strip_nulls of PostgreSQL 15 give.
    #[test]
    fn parts_are_taken_out_and_joined_as_in_postgres() {
        let mut node = parse(r#"{"a":{"b":[1,2]}}"#).unwrap();
        remove_path(&mut node, &path(&["a", "b", "0"])).unwrap();
        assert_eq!(node.normal(), r#"{"a": {"b": [2]}}"#);
        for (left, right, expected) in [
            (r#"{"a":1}"#, r#"{"a":2,"b":3}"#, r#"{"a": 2, "b": 3}"#),
            ("[1]", "2", "[1, 2]"),
            ("1", "2", "[1, 2]"),
            (r#"{"a":1}"#, "[2]", r#"[{"a": 1}, 2]"#),
        ] {
            assert_eq!(joined(parse(left).unwrap(), parse(right).unwrap()).normal(), expected, "{left} {right}");
        }
        let mut node = parse(r#"{"a":null,"b":[null,{"c":null}]}"#).unwrap();
        strip_nulls(&mut node);
        assert_eq!(node.normal(), r#"{"b": [null, {}]}"#);
    }

    #[test]
    fn a_pretty_text_has_a_line_for_each_part() {
        let node = parse(r#"{"b":[1,{"c":null}],"a":{}}"#).unwrap();
        let expected = "{\n    \"a\": {\n    },\n    \"b\": [\n        1,\n        {\n            \"c\": null\n        }\n    ]\n}";
        assert_eq!(pretty(&node), expected);
    }
}

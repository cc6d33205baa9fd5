//! The parser of these statements. Views are read from tokens: sqlparser knows `WITH (security_invoker)` with a value only.

use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::parser::{Parser, ParserError};
use datafusion::sql::sqlparser::tokenizer::Token;

use super::{CommentTarget, CreateView, Ddl, DropBehaviour, NewColumn, ObjectKind};
use crate::access::statement::RelationName;
use crate::access::statement::names;
use crate::catalog::inventory::ViewRights;

type Parsed = Result<Ddl, ParserError>;

/// Parses the next statement of `parser` if it is one of these, up to and not with its semicolon.
/// None: it is not, and no token is consumed. CREATE TABLE is sqlparser's own.
pub fn parse(parser: &mut Parser<'_>) -> Option<Parsed> {
    let mut parsed = None;
    // `try_parse` alone can put the parser back to where it was.
    let _ = parser.try_parse(|parser| {
        parsed = parse_here(parser);
        if parsed.is_some() { Ok(()) } else { Err(names::error("not a statement about objects")) }
    });
    parsed
}

fn parse_here(parser: &mut Parser<'_>) -> Option<Parsed> {
    match parser.parse_one_of_keywords(&[Keyword::CREATE, Keyword::DROP, Keyword::ALTER, Keyword::COMMENT])? {
        Keyword::CREATE => create(parser),
        Keyword::DROP => kind(parser).map(|kind| drop(parser, kind)),
        Keyword::ALTER => kind(parser).and_then(|kind| alter(parser, kind)),
        _ => comment(parser),
    }
}

fn kind(parser: &mut Parser<'_>) -> Option<ObjectKind> {
    Some(match parser.parse_one_of_keywords(&[Keyword::SCHEMA, Keyword::TABLE, Keyword::VIEW])? {
        Keyword::SCHEMA => ObjectKind::Schema,
        Keyword::TABLE => ObjectKind::Table,
        _ => ObjectKind::View,
    })
}

/// A schema's name is held as that of a relation without a schema.
fn object_name(parser: &mut Parser<'_>, kind: ObjectKind) -> Result<RelationName, ParserError> {
    match kind {
        ObjectKind::Schema => names::name(parser).map(|name| RelationName { schema: None, name }),
        ObjectKind::Table | ObjectKind::View => names::relation(parser),
    }
}

fn create(parser: &mut Parser<'_>) -> Option<Parsed> {
    let or_replace = parser.parse_keywords(&[Keyword::OR, Keyword::REPLACE]);
    if !or_replace && parser.parse_keyword(Keyword::SCHEMA) {
        return Some(create_schema(parser));
    }
    parser.parse_keyword(Keyword::VIEW).then(|| create_view(parser, or_replace))
}

fn create_schema(parser: &mut Parser<'_>) -> Parsed {
    let if_not_exists = parser.parse_keywords(&[Keyword::IF, Keyword::NOT, Keyword::EXISTS]);
    let named = !parser.peek_keyword(Keyword::AUTHORIZATION);
    let name = if named { Some(names::name(parser)?) } else { None };
    let owner = match parser.parse_keyword(Keyword::AUTHORIZATION) {
        true => Some(names::role(parser)?),
        false => None,
    };
    Ok(Ddl::CreateSchema { name, owner, if_not_exists })
}

fn create_view(parser: &mut Parser<'_>, or_replace: bool) -> Parsed {
    let name = names::relation(parser)?;
    let columns = match parser.consume_token(&Token::LParen) {
        true => {
            let columns = names::names(parser)?;
            parser.expect_token(&Token::RParen)?;
            columns
        }
        false => Vec::new(),
    };
    let rights = if parser.parse_keyword(Keyword::WITH) { options(parser)? } else { ViewRights::Caller };
    parser.expect_keyword(Keyword::AS)?;
    let query = parser.parse_query()?;
    Ok(Ddl::CreateView(CreateView { name, or_replace, columns, rights, query }))
}

/// `(security_invoker [= value])`; an option without a value is on.
fn options(parser: &mut Parser<'_>) -> Result<ViewRights, ParserError> {
    parser.expect_token(&Token::LParen)?;
    option_name(parser)?;
    let on = if parser.consume_token(&Token::Eq) { switch(parser)? } else { true };
    parser.expect_token(&Token::RParen)?;
    Ok(if on { ViewRights::Caller } else { ViewRights::Owner })
}

fn option_name(parser: &mut Parser<'_>) -> Result<(), ParserError> {
    let name = names::name(parser)?;
    if name == "security_invoker" {
        return Ok(());
    }
    Err(names::error(format!("unrecognized parameter \"{name}\"; a view has security_invoker")))
}

fn switch(parser: &mut Parser<'_>) -> Result<bool, ParserError> {
    let next = parser.next_token();
    let text = match &next.token {
        Token::Word(word) => word.value.to_lowercase(),
        Token::Number(number, _) => number.clone(),
        Token::SingleQuotedString(text) => text.to_lowercase(),
        _ => String::new(),
    };
    match text.as_str() {
        "on" | "true" | "yes" | "1" => Ok(true),
        "off" | "false" | "no" | "0" => Ok(false),
        _ => parser.expected("on or off", next),
    }
}

fn drop(parser: &mut Parser<'_>, kind: ObjectKind) -> Parsed {
    let if_exists = names::if_exists(parser);
    let names = parser.parse_comma_separated(|parser| object_name(parser, kind))?;
    let behaviour = match parser.parse_one_of_keywords(&[Keyword::CASCADE, Keyword::RESTRICT]) {
        Some(Keyword::CASCADE) => DropBehaviour::Cascade,
        _ => DropBehaviour::Restrict,
    };
    Ok(Ddl::Drop { kind, names, if_exists, behaviour })
}

fn alter(parser: &mut Parser<'_>, kind: ObjectKind) -> Option<Parsed> {
    let if_exists = names::if_exists(parser);
    if kind == ObjectKind::Table {
        let _ = parser.parse_keyword(Keyword::ONLY);
    }
    let name = object_name(parser, kind).ok()?;
    if parser.parse_keywords(&[Keyword::RENAME, Keyword::TO]) {
        return Some(names::name(parser).map(|to| Ddl::Rename { kind, name, if_exists, to }));
    }
    if kind == ObjectKind::Table {
        return add_columns(parser, name, if_exists);
    }
    if kind != ObjectKind::View {
        return None;
    }
    let set = |rights| Ddl::SetViewRights { name, if_exists, rights };
    match parser.parse_one_of_keywords(&[Keyword::SET, Keyword::RESET])? {
        Keyword::SET => Some(options(parser).map(set)),
        _ => Some(reset(parser).map(|()| set(ViewRights::Caller))),
    }
}

/// `ADD [COLUMN] [IF NOT EXISTS] name type [constraints], ...`
fn add_columns(parser: &mut Parser<'_>, name: RelationName, if_exists: bool) -> Option<Parsed> {
    let mut columns = Vec::new();
    loop {
        if !parser.parse_keyword(Keyword::ADD) {
            return None;
        }
        let is_column = parser.parse_keyword(Keyword::COLUMN);
        let constraint = [Keyword::CONSTRAINT, Keyword::PRIMARY, Keyword::UNIQUE, Keyword::FOREIGN, Keyword::CHECK];
        if !is_column && constraint.into_iter().any(|keyword| parser.peek_keyword(keyword)) {
            return None;
        }
        let if_not_exists = parser.parse_keywords(&[Keyword::IF, Keyword::NOT, Keyword::EXISTS]);
        match parser.parse_column_def() {
            Ok(column) => columns.push(NewColumn { if_not_exists, column }),
            Err(error) => return Some(Err(error)),
        }
        if !parser.consume_token(&Token::Comma) {
            return Some(Ok(Ddl::AddColumns { name, if_exists, columns }));
        }
    }
}

fn reset(parser: &mut Parser<'_>) -> Result<(), ParserError> {
    parser.expect_token(&Token::LParen)?;
    option_name(parser)?;
    parser.expect_token(&Token::RParen).map(|_| ())
}

fn comment(parser: &mut Parser<'_>) -> Option<Parsed> {
    if !parser.parse_keyword(Keyword::ON) {
        return None;
    }
    if parser.parse_keyword(Keyword::COLUMN) {
        return Some(
            names::column(parser)
                .and_then(|(relation, column)| comment_text(parser, CommentTarget::Column(relation, column))),
        );
    }
    let kind = kind(parser)?;
    Some(object_name(parser, kind).and_then(|name| comment_text(parser, CommentTarget::Object(kind, name))))
}

fn comment_text(parser: &mut Parser<'_>, on: CommentTarget) -> Parsed {
    parser.expect_keyword(Keyword::IS)?;
    Ok(Ddl::Comment { on, text: names::text_or_null(parser)? })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;

    use super::*;

    fn parsed(sql: &str) -> Option<Parsed> {
        parse(&mut Parser::new(&PostgreSqlDialect {}).try_with_sql(sql).unwrap())
    }

    fn rights(sql: &str) -> ViewRights {
        match parsed(sql).unwrap().unwrap() {
            Ddl::CreateView(create) => create.rights,
            Ddl::SetViewRights { rights, .. } => rights,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn security_invoker_is_on_unless_it_is_switched_off() {
        for sql in [
            "CREATE VIEW v AS SELECT 1",
            "CREATE VIEW v WITH (security_invoker) AS SELECT 1",
            "CREATE VIEW v WITH (Security_Invoker = ON) AS SELECT 1",
            "CREATE OR REPLACE VIEW v (a) WITH (security_invoker = 'true') AS SELECT 1",
            "ALTER VIEW v RESET (security_invoker)",
        ] {
            assert_eq!(rights(sql), ViewRights::Caller, "{sql}");
        }
        for sql in [
            "CREATE VIEW v WITH (security_invoker = off) AS SELECT 1",
            "CREATE VIEW v WITH (security_invoker = false) AS SELECT 1",
            "CREATE VIEW v WITH (security_invoker=0) AS SELECT 1",
            "ALTER VIEW IF EXISTS s.v SET (security_invoker = no)",
        ] {
            assert_eq!(rights(sql), ViewRights::Owner, "{sql}");
        }
    }

    #[test]
    fn an_option_that_is_not_known_is_refused() {
        for sql in [
            "CREATE VIEW v WITH (security_barrier) AS SELECT 1",
            "CREATE VIEW v WITH (security_invoker = maybe) AS SELECT 1",
            "CREATE VIEW v WITH (security_invoker, check_option = local) AS SELECT 1",
            "CREATE VIEW v WITH () AS SELECT 1",
        ] {
            assert!(parsed(sql).unwrap().is_err(), "{sql}");
        }
    }

    #[test]
    fn what_others_parse_is_left_to_them() {
        for sql in [
            "CREATE TABLE t (a int)",
            "ALTER TABLE t DROP COLUMN a",
            "ALTER TABLE t ADD PRIMARY KEY (a)",
            "DROP ROLE r",
            "COMMENT ON ROLE r IS ''",
        ] {
            assert!(parsed(sql).is_none(), "{sql}");
        }
    }

    #[test]
    fn columns_are_added_one_or_several_at_once() {
        let sql = "ALTER TABLE IF EXISTS s.t ADD COLUMN IF NOT EXISTS a int NOT NULL DEFAULT 1, ADD \"B\" text";
        let Ddl::AddColumns { name, if_exists: true, columns } = parsed(sql).unwrap().unwrap() else { panic!() };
        assert_eq!(name, RelationName { schema: Some("s".into()), name: "t".into() });
        let shown: Vec<String> = columns.iter().map(|new| new.column.to_string()).collect();
        assert_eq!(shown, ["a INT NOT NULL DEFAULT 1", "\"B\" TEXT"]);
        assert_eq!(columns.iter().map(|new| new.if_not_exists).collect::<Vec<_>>(), [true, false]);
        assert!(parsed("ALTER TABLE t ADD COLUMN").unwrap().is_err());
    }

    #[test]
    fn drops_name_several_and_say_what_becomes_of_the_rest() {
        let Ddl::Drop { kind, names, if_exists, behaviour } =
            parsed("DROP VIEW IF EXISTS a, s.\"B\" CASCADE").unwrap().unwrap()
        else {
            panic!()
        };
        assert_eq!((kind, if_exists, behaviour), (ObjectKind::View, true, DropBehaviour::Cascade));
        assert_eq!(names[1], RelationName { schema: Some("s".into()), name: "B".into() });
    }
}

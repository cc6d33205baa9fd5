//! Statements on tables and schemas that are about security: row security, owners, labels, comments.
//!
//! The ALTER and COMMENT forms give None where the rest of the statement is not about security.

use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::parser::{Parser, ParserError};
use datafusion::sql::sqlparser::tokenizer::Token;

use super::names::{self, RelationName};
use super::{AccessStatement, OwnedObject, RowSecurityToggle};

type Parsed = Option<Result<AccessStatement, ParserError>>;

/// After ALTER TABLE.
pub fn parse_alter_relation(parser: &mut Parser<'_>) -> Parsed {
    let if_exists = names::if_exists(parser);
    let _ = parser.parse_keyword(Keyword::ONLY);
    let table = names::relation(parser).ok()?;
    if let Some(toggle) = parse_toggle(parser) {
        return Some(parse_more_toggles(parser, table, if_exists, toggle));
    }
    parse_owner(parser, OwnedObject::Relation(table), if_exists)
}

/// After ALTER VIEW.
pub fn parse_alter_view(parser: &mut Parser<'_>) -> Parsed {
    let if_exists = names::if_exists(parser);
    let view = names::relation(parser).ok()?;
    parse_owner(parser, OwnedObject::Relation(view), if_exists)
}

/// After ALTER SCHEMA.
pub fn parse_alter_schema(parser: &mut Parser<'_>) -> Parsed {
    let schema = names::name(parser).ok()?;
    parse_owner(parser, OwnedObject::Schema(schema), false)
}

/// After SECURITY LABEL.
pub fn parse_label(parser: &mut Parser<'_>) -> Result<AccessStatement, ParserError> {
    if parser.parse_keyword(Keyword::FOR) {
        let provider = names::name(parser)?;
        if provider != "henna" {
            return Err(names::error(format!("security label provider \"{provider}\" is not loaded")));
        }
    }
    parser.expect_keywords(&[Keyword::ON, Keyword::COLUMN])?;
    let (table, column) = names::column(parser)?;
    parser.expect_keyword(Keyword::IS)?;
    Ok(AccessStatement::Mask { table, column, expression: names::text_or_null(parser)? })
}

/// After COMMENT.
pub fn parse_comment(parser: &mut Parser<'_>) -> Parsed {
    if !parser.parse_keyword(Keyword::ON) {
        return None;
    }
    match parser.parse_one_of_keywords(&[Keyword::ROLE, Keyword::POLICY])? {
        Keyword::ROLE => Some(comment_on_role(parser)),
        _ => Some(comment_on_policy(parser)),
    }
}

fn comment_on_role(parser: &mut Parser<'_>) -> Result<AccessStatement, ParserError> {
    let role = names::role(parser)?;
    parser.expect_keyword(Keyword::IS)?;
    Ok(AccessStatement::CommentOnRole { role, comment: names::text_or_null(parser)? })
}

fn comment_on_policy(parser: &mut Parser<'_>) -> Result<AccessStatement, ParserError> {
    let name = names::name(parser)?;
    parser.expect_keyword(Keyword::ON)?;
    let table = names::relation(parser)?;
    parser.expect_keyword(Keyword::IS)?;
    Ok(AccessStatement::CommentOnPolicy { name, table, comment: names::text_or_null(parser)? })
}

fn parse_owner(parser: &mut Parser<'_>, object: OwnedObject, if_exists: bool) -> Parsed {
    if !parser.parse_keywords(&[Keyword::OWNER, Keyword::TO]) {
        return None;
    }
    Some(names::role(parser).map(|owner| AccessStatement::OwnerTo { object, if_exists, owner }))
}

fn parse_toggle(parser: &mut Parser<'_>) -> Option<RowSecurityToggle> {
    use Keyword::{DISABLE, ENABLE, FORCE, LEVEL, NO, ROW, SECURITY};
    let forms = [
        (&[ENABLE, ROW, LEVEL, SECURITY][..], RowSecurityToggle::Enable),
        (&[DISABLE, ROW, LEVEL, SECURITY], RowSecurityToggle::Disable),
        (&[NO, FORCE, ROW, LEVEL, SECURITY], RowSecurityToggle::NoForce),
        (&[FORCE, ROW, LEVEL, SECURITY], RowSecurityToggle::Force),
    ];
    forms.into_iter().find(|(words, _)| parser.parse_keywords(words)).map(|(_, toggle)| toggle)
}

fn parse_more_toggles(
    parser: &mut Parser<'_>,
    table: RelationName,
    if_exists: bool,
    first: RowSecurityToggle,
) -> Result<AccessStatement, ParserError> {
    let mut toggles = vec![first];
    while parser.consume_token(&Token::Comma) {
        match parse_toggle(parser) {
            Some(toggle) => toggles.push(toggle),
            None => return parser.expected("ROW LEVEL SECURITY", parser.peek_token()),
        }
    }
    Ok(AccessStatement::RowSecurity { table, if_exists, toggles })
}

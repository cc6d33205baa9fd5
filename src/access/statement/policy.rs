//! CREATE, ALTER and DROP POLICY.

use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::parser::{Parser, ParserError};

use super::AccessStatement;
use super::names::{self, RoleSpec};
use crate::access::model::policy::PolicyCommand;

pub fn parse_create(parser: &mut Parser<'_>) -> Result<AccessStatement, ParserError> {
    let name = names::name(parser)?;
    parser.expect_keyword(Keyword::ON)?;
    let table = names::relation(parser)?;
    let permissive = parse_kind(parser)?;
    let command = parse_command(parser)?;
    let roles = parse_roles(parser)?.unwrap_or_else(|| vec![RoleSpec::Public]);
    let (using, check) = parse_expressions(parser)?;
    match command {
        PolicyCommand::Select | PolicyCommand::Delete if check.is_some() => {
            Err(names::error("WITH CHECK cannot be applied to SELECT or DELETE"))
        }
        PolicyCommand::Insert if using.is_some() => Err(names::error("only WITH CHECK expression allowed for INSERT")),
        _ => Ok(AccessStatement::CreatePolicy { name, table, permissive, command, roles, using, check }),
    }
}

pub fn parse_alter(parser: &mut Parser<'_>) -> Result<AccessStatement, ParserError> {
    let name = names::name(parser)?;
    parser.expect_keyword(Keyword::ON)?;
    let table = names::relation(parser)?;
    if parser.parse_keywords(&[Keyword::RENAME, Keyword::TO]) {
        return Ok(AccessStatement::RenamePolicy { name, table, to: names::name(parser)? });
    }
    let roles = parse_roles(parser)?;
    let (using, check) = parse_expressions(parser)?;
    Ok(AccessStatement::AlterPolicy { name, table, roles, using, check })
}

pub fn parse_drop(parser: &mut Parser<'_>) -> Result<AccessStatement, ParserError> {
    let if_exists = names::if_exists(parser);
    let name = names::name(parser)?;
    parser.expect_keyword(Keyword::ON)?;
    let table = names::relation(parser)?;
    let _ = parser.parse_one_of_keywords(&[Keyword::CASCADE, Keyword::RESTRICT]);
    Ok(AccessStatement::DropPolicy { name, table, if_exists })
}

/// `[ AS { PERMISSIVE | RESTRICTIVE } ]`
fn parse_kind(parser: &mut Parser<'_>) -> Result<bool, ParserError> {
    if !parser.parse_keyword(Keyword::AS) {
        return Ok(true);
    }
    if names::word(parser, "permissive") {
        return Ok(true);
    }
    match names::word(parser, "restrictive") {
        true => Ok(false),
        false => Err(names::error(format!("unrecognized row security option \"{}\"", names::name(parser)?))),
    }
}

fn parse_command(parser: &mut Parser<'_>) -> Result<PolicyCommand, ParserError> {
    if !parser.parse_keyword(Keyword::FOR) {
        return Ok(PolicyCommand::All);
    }
    use Keyword::*;
    Ok(match parser.expect_one_of_keywords(&[ALL, SELECT, INSERT, UPDATE, DELETE])? {
        SELECT => PolicyCommand::Select,
        INSERT => PolicyCommand::Insert,
        UPDATE => PolicyCommand::Update,
        DELETE => PolicyCommand::Delete,
        _ => PolicyCommand::All,
    })
}

fn parse_roles(parser: &mut Parser<'_>) -> Result<Option<Vec<RoleSpec>>, ParserError> {
    if parser.parse_keyword(Keyword::TO) { names::roles(parser).map(Some) } else { Ok(None) }
}

/// `[ USING (..) ] [ WITH CHECK (..) ]`
fn parse_expressions(parser: &mut Parser<'_>) -> Result<(Option<String>, Option<String>), ParserError> {
    let using = if parser.parse_keyword(Keyword::USING) { Some(names::expression(parser)?) } else { None };
    let with_check = parser.parse_keywords(&[Keyword::WITH, Keyword::CHECK]);
    let check = if with_check { Some(names::expression(parser)?) } else { None };
    Ok((using, check))
}

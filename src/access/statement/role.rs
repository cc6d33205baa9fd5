//! CREATE, ALTER and DROP of ROLE, USER and GROUP.

use std::fmt;

use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::parser::{Parser, ParserError};
use datafusion::sql::sqlparser::tokenizer::Token;

use super::names::{self, RoleSpec};
use super::{AccessStatement, MembershipOptions, RevokeMembership};

/// What CREATE ROLE and ALTER ROLE say; None leaves it as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RoleOptions {
    pub superuser: Option<bool>,
    pub create_db: Option<bool>,
    pub create_role: Option<bool>,
    pub inherit: Option<bool>,
    pub login: Option<bool>,
    pub replication: Option<bool>,
    pub bypass_rls: Option<bool>,
    pub connection_limit: Option<i32>,
    pub password: Option<PasswordChange>,
    pub valid_until: Option<String>,
    pub in_roles: Vec<String>,
    pub members: Vec<RoleSpec>,
    pub admins: Vec<RoleSpec>,
}

/// Shows itself without the password.
#[derive(Clone, PartialEq, Eq)]
pub enum PasswordChange {
    /// Plain, or a ready SCRAM verifier.
    Set(String),
    Remove,
}

impl fmt::Debug for PasswordChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Set(_) => "Set(..)",
            Self::Remove => "Remove",
        })
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RoleAlteration {
    Options(RoleOptions),
    Rename(String),
    /// A pinned setting, by full name; None is RESET.
    Setting {
        name: String,
        value: Option<String>,
    },
    ResetAll,
}

pub fn parse_create(parser: &mut Parser<'_>, user: bool) -> Result<AccessStatement, ParserError> {
    let if_not_exists = parser.parse_keywords(&[Keyword::IF, Keyword::NOT, Keyword::EXISTS]);
    let name = names::name(parser)?;
    let options = parse_options(parser)?;
    Ok(AccessStatement::CreateRole { name, if_not_exists, options, user })
}

pub fn parse_alter(parser: &mut Parser<'_>) -> Result<AccessStatement, ParserError> {
    let role = names::role(parser)?;
    if parser.parse_keyword(Keyword::IN) {
        return Err(names::error("settings of a role for one database are not supported"));
    }
    if parser.parse_keywords(&[Keyword::RENAME, Keyword::TO]) {
        let alteration = RoleAlteration::Rename(names::name(parser)?);
        return Ok(AccessStatement::AlterRole { role, alteration });
    }
    if parser.parse_keyword(Keyword::ADD) {
        parser.expect_keyword(Keyword::USER)?;
        return grant_group(role, names::roles(parser)?);
    }
    if parser.parse_keywords(&[Keyword::DROP, Keyword::USER]) {
        return revoke_group(role, names::roles(parser)?);
    }
    let alteration = if parser.parse_keyword(Keyword::SET) {
        parse_setting(parser)?
    } else if parser.parse_keyword(Keyword::RESET) {
        parse_reset(parser)?
    } else {
        RoleAlteration::Options(parse_options(parser)?)
    };
    Ok(AccessStatement::AlterRole { role, alteration })
}

pub fn parse_drop(parser: &mut Parser<'_>) -> Result<AccessStatement, ParserError> {
    let if_exists = names::if_exists(parser);
    Ok(AccessStatement::DropRole { names: names::roles(parser)?, if_exists })
}

/// After DROP OWNED.
pub fn parse_drop_owned(parser: &mut Parser<'_>) -> Result<AccessStatement, ParserError> {
    parser.expect_keyword(Keyword::BY)?;
    let roles = names::roles(parser)?;
    let _ = parser.parse_one_of_keywords(&[Keyword::CASCADE, Keyword::RESTRICT]);
    Ok(AccessStatement::DropOwned { roles })
}

/// After REASSIGN.
pub fn parse_reassign(parser: &mut Parser<'_>) -> Result<AccessStatement, ParserError> {
    names::expect_word(parser, "owned")?;
    parser.expect_keyword(Keyword::BY)?;
    let roles = names::roles(parser)?;
    parser.expect_keyword(Keyword::TO)?;
    Ok(AccessStatement::ReassignOwned { roles, to: names::role(parser)? })
}

fn grant_group(group: RoleSpec, members: Vec<RoleSpec>) -> Result<AccessStatement, ParserError> {
    Ok(AccessStatement::GrantRole { roles: vec![plain(group)?], members, options: MembershipOptions::default() })
}

fn revoke_group(group: RoleSpec, members: Vec<RoleSpec>) -> Result<AccessStatement, ParserError> {
    Ok(AccessStatement::RevokeRole { roles: vec![plain(group)?], members, what: RevokeMembership::Membership })
}

fn plain(role: RoleSpec) -> Result<String, ParserError> {
    match role {
        RoleSpec::Name(name) => Ok(name),
        _ => Err(names::error("a role name is expected")),
    }
}

/// `name { TO | = } value`; a dotted name keeps its dots.
fn parse_setting(parser: &mut Parser<'_>) -> Result<RoleAlteration, ParserError> {
    let name = setting_name(parser)?;
    if !parser.parse_keyword(Keyword::TO) && !parser.consume_token(&Token::Eq) {
        return parser.expected("TO or =", parser.peek_token());
    }
    let value = match parser.parse_keyword(Keyword::DEFAULT) {
        true => None,
        false => Some(parser.parse_comma_separated(setting_value)?.join(", ")),
    };
    Ok(RoleAlteration::Setting { name, value })
}

fn parse_reset(parser: &mut Parser<'_>) -> Result<RoleAlteration, ParserError> {
    if parser.parse_keyword(Keyword::ALL) {
        return Ok(RoleAlteration::ResetAll);
    }
    Ok(RoleAlteration::Setting { name: setting_name(parser)?, value: None })
}

fn setting_name(parser: &mut Parser<'_>) -> Result<String, ParserError> {
    let relation = names::relation(parser)?;
    Ok(match relation.schema {
        Some(prefix) => format!("{prefix}.{}", relation.name),
        None => relation.name,
    })
}

fn setting_value(parser: &mut Parser<'_>) -> Result<String, ParserError> {
    let next = parser.next_token();
    match next.token {
        Token::SingleQuotedString(text) => Ok(text),
        Token::Number(digits, _) => Ok(digits),
        Token::Minus => Ok(format!("-{}", parser.parse_number_value()?)),
        Token::Word(word) => Ok(word.value),
        _ => parser.expected("a value", next),
    }
}

fn parse_options(parser: &mut Parser<'_>) -> Result<RoleOptions, ParserError> {
    let _ = parser.parse_keyword(Keyword::WITH);
    let mut options = RoleOptions::default();
    while parse_option(parser, &mut options)? {}
    Ok(options)
}

/// Reads one option; false where the statement ends.
fn parse_option(parser: &mut Parser<'_>, options: &mut RoleOptions) -> Result<bool, ParserError> {
    let next = parser.peek_token();
    let Token::Word(word) = &next.token else { return Ok(false) };
    parser.next_token();
    match word.value.to_lowercase().as_str() {
        "superuser" => once(&mut options.superuser, true)?,
        "nosuperuser" => once(&mut options.superuser, false)?,
        "createdb" => once(&mut options.create_db, true)?,
        "nocreatedb" => once(&mut options.create_db, false)?,
        "createrole" => once(&mut options.create_role, true)?,
        "nocreaterole" => once(&mut options.create_role, false)?,
        "inherit" => once(&mut options.inherit, true)?,
        "noinherit" => once(&mut options.inherit, false)?,
        "login" => once(&mut options.login, true)?,
        "nologin" => once(&mut options.login, false)?,
        "replication" => once(&mut options.replication, true)?,
        "noreplication" => once(&mut options.replication, false)?,
        "bypassrls" => once(&mut options.bypass_rls, true)?,
        "nobypassrls" => once(&mut options.bypass_rls, false)?,
        "encrypted" => names::expect_word(parser, "password").and_then(|()| password(parser, options))?,
        "password" => password(parser, options)?,
        "connection" => {
            parser.expect_keyword(Keyword::LIMIT)?;
            once(&mut options.connection_limit, integer(parser)?)?;
        }
        "valid" => {
            names::expect_word(parser, "until")?;
            once(&mut options.valid_until, names::text(parser)?)?;
        }
        "in" => {
            parser.expect_one_of_keywords(&[Keyword::ROLE, Keyword::GROUP])?;
            options.in_roles.extend(names::names(parser)?);
        }
        "role" | "user" => options.members.extend(names::roles(parser)?),
        "admin" => options.admins.extend(names::roles(parser)?),
        "sysid" => {
            parser.parse_number_value()?;
        }
        other => return Err(names::error(format!("unrecognized role option \"{other}\""))),
    }
    Ok(true)
}

fn once<T>(slot: &mut Option<T>, value: T) -> Result<(), ParserError> {
    match slot.replace(value) {
        None => Ok(()),
        Some(_) => Err(names::error("conflicting or redundant options")),
    }
}

fn password(parser: &mut Parser<'_>, options: &mut RoleOptions) -> Result<(), ParserError> {
    let change = names::text_or_null(parser)?.map_or(PasswordChange::Remove, PasswordChange::Set);
    once(&mut options.password, change)
}

fn integer(parser: &mut Parser<'_>) -> Result<i32, ParserError> {
    let sign = if parser.consume_token(&Token::Minus) { "-" } else { "" };
    let digits = parser.parse_number_value()?.to_string();
    format!("{sign}{digits}").parse().map_err(|_| names::error("an integer is expected"))
}

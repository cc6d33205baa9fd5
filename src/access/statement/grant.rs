//! GRANT and REVOKE, of privileges and of membership.

use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::parser::{Parser, ParserError};
use datafusion::sql::sqlparser::tokenizer::Token;

use super::AccessStatement;
use super::names::{self, RelationName};
use crate::access::model::grant::{Privilege, RevokeBehaviour};
use crate::sql::folded;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PrivilegeWords {
    /// ALL [PRIVILEGES], of the table or of the columns.
    All { columns: Vec<String> },
    /// A privilege without columns is on the whole object.
    Some(Vec<(Privilege, Vec<String>)>),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GrantTargets {
    Relations(Vec<RelationName>),
    AllRelationsIn(Vec<String>),
    Schemas(Vec<String>),
    /// Everyone may connect; CREATE is the right to make schemas.
    Database,
}

/// WITH GRANT OPTION.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grantable {
    Yes,
    No,
}

/// WITH ADMIN | INHERIT | SET; None is the default, or leaves it as it is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MembershipOptions {
    pub admin: Option<bool>,
    pub inherit: Option<bool>,
    pub set: Option<bool>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RevokeMembership {
    Membership,
    AdminOption,
    InheritOption,
    SetOption,
}

/// What stands between GRANT and ON or TO: `name [(columns)]`, several.
type Items = Vec<(Vec<String>, Vec<String>)>;

pub fn parse_grant(parser: &mut Parser<'_>) -> Result<AccessStatement, ParserError> {
    let items = parse_items(parser)?;
    if parser.parse_keyword(Keyword::ON) {
        let privileges = privileges(items)?;
        let targets = parse_targets(parser)?;
        parser.expect_keyword(Keyword::TO)?;
        let grantees = names::roles(parser)?;
        let option = match parser.parse_keywords(&[Keyword::WITH, Keyword::GRANT, Keyword::OPTION]) {
            true => Grantable::Yes,
            false => Grantable::No,
        };
        parse_granted_by(parser)?;
        return Ok(AccessStatement::GrantPrivileges { privileges, targets, grantees, option });
    }
    parser.expect_keyword(Keyword::TO)?;
    let members = names::roles(parser)?;
    let options = parse_membership_options(parser)?;
    parse_granted_by(parser)?;
    Ok(AccessStatement::GrantRole { roles: role_names(items)?, members, options })
}

pub fn parse_revoke(parser: &mut Parser<'_>) -> Result<AccessStatement, ParserError> {
    let option_only = parser.parse_keywords(&[Keyword::GRANT, Keyword::OPTION, Keyword::FOR]);
    let what = if option_only { RevokeMembership::Membership } else { parse_option_for(parser) };
    let items = parse_items(parser)?;
    if parser.parse_keyword(Keyword::ON) && what == RevokeMembership::Membership {
        let privileges = privileges(items)?;
        let targets = parse_targets(parser)?;
        parser.expect_keyword(Keyword::FROM)?;
        let grantees = names::roles(parser)?;
        parse_granted_by(parser)?;
        let behaviour = parse_behaviour(parser);
        return Ok(AccessStatement::RevokePrivileges { privileges, targets, grantees, option_only, behaviour });
    }
    parser.expect_keyword(Keyword::FROM)?;
    let members = names::roles(parser)?;
    parse_granted_by(parser)?;
    let _ = parse_behaviour(parser);
    Ok(AccessStatement::RevokeRole { roles: role_names(items)?, members, what })
}

fn parse_items(parser: &mut Parser<'_>) -> Result<Items, ParserError> {
    parser.parse_comma_separated(|parser| {
        let ident = parser.parse_identifier()?;
        let quoted = ident.quote_style.is_some();
        let mut words = vec![folded(&ident)];
        if !quoted && words == ["all"] && names::word(parser, "privileges") {
            words.push("privileges".to_string());
        }
        let columns = if parser.consume_token(&Token::LParen) { parse_columns(parser)? } else { Vec::new() };
        Ok((words, columns))
    })
}

fn parse_columns(parser: &mut Parser<'_>) -> Result<Vec<String>, ParserError> {
    let columns = names::names(parser)?;
    parser.expect_token(&Token::RParen)?;
    Ok(columns)
}

fn privileges(items: Items) -> Result<PrivilegeWords, ParserError> {
    if let [(words, columns)] = items.as_slice()
        && words.first().is_some_and(|word| word == "all")
    {
        return Ok(PrivilegeWords::All { columns: columns.clone() });
    }
    let one = |(words, columns): (Vec<String>, Vec<String>)| {
        let word = words.join(" ");
        match Privilege::parse(&word) {
            Some(privilege) => Ok((privilege, columns)),
            // The privileges of a database: they are granted to everyone.
            None if matches!(word.as_str(), "connect" | "temporary" | "temp") => Ok((Privilege::Usage, columns)),
            None => Err(names::error(format!("unrecognized privilege type \"{word}\""))),
        }
    };
    items.into_iter().map(one).collect::<Result<_, _>>().map(PrivilegeWords::Some)
}

fn role_names(items: Items) -> Result<Vec<String>, ParserError> {
    let one = |(mut words, columns): (Vec<String>, Vec<String>)| match (
        words.pop(),
        words.is_empty() && columns.is_empty(),
    ) {
        (Some(name), true) => Ok(name),
        _ => Err(names::error("a role name is expected")),
    };
    items.into_iter().map(one).collect()
}

fn parse_targets(parser: &mut Parser<'_>) -> Result<GrantTargets, ParserError> {
    if parser.parse_keyword(Keyword::ALL) {
        parser.expect_one_of_keywords(&[Keyword::TABLES, Keyword::VIEWS])?;
        parser.expect_keywords(&[Keyword::IN, Keyword::SCHEMA])?;
        return names::names(parser).map(GrantTargets::AllRelationsIn);
    }
    if parser.parse_keyword(Keyword::SCHEMA) {
        return names::names(parser).map(GrantTargets::Schemas);
    }
    if parser.parse_keyword(Keyword::DATABASE) {
        names::names(parser)?;
        return Ok(GrantTargets::Database);
    }
    for word in ["function", "sequence", "procedure", "routine", "language", "type", "domain", "foreign"] {
        if names::word(parser, word) {
            return Err(names::error(format!("privileges on a {word} are not supported")));
        }
    }
    let _ = parser.parse_one_of_keywords(&[Keyword::TABLE, Keyword::VIEW]);
    parser.parse_comma_separated(names::relation).map(GrantTargets::Relations)
}

/// `WITH ADMIN OPTION`, or `WITH { ADMIN | INHERIT | SET } { OPTION | TRUE | FALSE } [, ...]`
fn parse_membership_options(parser: &mut Parser<'_>) -> Result<MembershipOptions, ParserError> {
    let mut options = MembershipOptions::default();
    if !parser.parse_keyword(Keyword::WITH) {
        return Ok(options);
    }
    loop {
        let slot = match parser.expect_one_of_keywords(&[Keyword::ADMIN, Keyword::INHERIT, Keyword::SET])? {
            Keyword::ADMIN => &mut options.admin,
            Keyword::INHERIT => &mut options.inherit,
            _ => &mut options.set,
        };
        let value = parser.expect_one_of_keywords(&[Keyword::OPTION, Keyword::TRUE, Keyword::FALSE])?;
        *slot = Some(value != Keyword::FALSE);
        if !parser.consume_token(&Token::Comma) {
            return Ok(options);
        }
    }
}

/// `{ ADMIN | INHERIT | SET } OPTION FOR`
fn parse_option_for(parser: &mut Parser<'_>) -> RevokeMembership {
    let forms = [
        (Keyword::ADMIN, RevokeMembership::AdminOption),
        (Keyword::INHERIT, RevokeMembership::InheritOption),
        (Keyword::SET, RevokeMembership::SetOption),
    ];
    let found = forms.into_iter().find(|(word, _)| parser.parse_keywords(&[*word, Keyword::OPTION, Keyword::FOR]));
    found.map_or(RevokeMembership::Membership, |(_, what)| what)
}

/// `GRANTED BY role`: only the session's own role can be meant, as in PostgreSQL.
fn parse_granted_by(parser: &mut Parser<'_>) -> Result<(), ParserError> {
    if !parser.parse_keywords(&[Keyword::GRANTED, Keyword::BY]) {
        return Ok(());
    }
    match names::role(parser)? {
        names::RoleSpec::CurrentUser | names::RoleSpec::SessionUser => Ok(()),
        _ => Err(names::error("grantor must be current user")),
    }
}

fn parse_behaviour(parser: &mut Parser<'_>) -> RevokeBehaviour {
    match parser.parse_one_of_keywords(&[Keyword::CASCADE, Keyword::RESTRICT]) {
        Some(Keyword::CASCADE) => RevokeBehaviour::Cascade,
        _ => RevokeBehaviour::Restrict,
    }
}

//! Random roles, grants, policies and masks, each told twice: as the statements that make them, and as plain SQL that says
//! what one role may see. The second telling knows nothing of the wall.

use super::dice::Dice;
use super::table::{COMMON, Column, Kind, Table};

/// SQL with questions about the caller: `{attribute}`, `{user}`, `{member:g0}`, and `{other}` for another table.
#[derive(Debug, Clone)]
struct Template {
    text: String,
    /// The table that `{other}` names.
    other: usize,
}

#[derive(Debug, Clone)]
pub struct Role {
    pub name: String,
    /// A group and whether its rights are inherited.
    groups: Vec<(&'static str, bool)>,
    attribute: Option<&'static str>,
}

#[derive(Debug, Clone)]
struct Policy {
    permissive: bool,
    command: &'static str,
    to: Vec<String>,
    using: Option<Template>,
}

/// What lies over one table.
#[derive(Debug, Clone, Default)]
struct TableRules {
    enabled: bool,
    policies: Vec<Policy>,
    /// By the number of the column.
    masks: Vec<(usize, Template)>,
    /// For each role the columns that it may read; None is all.
    granted: Vec<Option<Vec<String>>>,
}

#[derive(Debug)]
pub struct Rules {
    pub roles: Vec<Role>,
    tables: Vec<TableRules>,
}

pub const ROLES: usize = 3;
const GROUPS: [&str; 2] = ["g0", "g1"];

const CONDITIONS: [&str; 29] = [
    "team = 'a'",
    "team = 'a'",
    "team = 'a' AND x <> 5",
    "team IN ('a', 'b')",
    "team <> 'c'",
    "team LIKE 'a%'",
    "NOT (x = 5)",
    "x <> 5",
    "x > 3",
    "x BETWEEN 1 AND 4",
    "id % 20 = 0",
    "id % 20 <> 0",
    "id % 2 = 1",
    "s IS NULL",
    "length(s) < 5",
    "at >= '2024-06-01'",
    "at < '2024-06-01 03:00:00' OR at > '2024-06-15'",
    "CAST(at AS date) <> DATE '2024-06-01'",
    "NOT at BETWEEN '2024-05-31' AND '2024-06-01'",
    "s NOT LIKE 'SECRET%'",
    "team = {attribute}",
    "{member:g0} AND team = 'a'",
    "{user} = 'r0' OR team = 'a'",
    "true",
    "false",
    "NULL",
    "coalesce(x, 0) < 5",
    "CASE WHEN team = 'a' THEN x < 9 ELSE id % 9 = 0 END",
    "upper(team) = 'A'",
];

const SUB_QUERIES: [&str; 7] = [
    "id IN (SELECT id FROM {other} WHERE x > 3)",
    "EXISTS (SELECT 1 FROM {other} AS o WHERE o.team = {table}.team AND o.x <> 5)",
    "x NOT IN (SELECT x FROM {other} WHERE x IS NOT NULL AND x > 4)",
    "team IN (SELECT team FROM {other})",
    "EXISTS (SELECT 1 FROM {other} AS o WHERE o.team = {table}.team AND o.at < '2024-06-01')",
    "x < (SELECT max(x) FROM {other})",
    "team = 'a' OR NOT EXISTS (SELECT 1 FROM {other} AS o WHERE o.id = {table}.id)",
];

impl Rules {
    pub fn random(dice: &mut Dice, tables: &[Table]) -> Self {
        let roles: Vec<Role> = (0..ROLES).map(|number| Role::random(dice, number)).collect();
        let rules = (0..tables.len()).map(|number| TableRules::random(dice, tables, number, &roles)).collect();
        Self { roles, tables: rules }
    }

    /// The statements that make all of it, for the superuser.
    pub fn script(&self, tables: &[Table]) -> Vec<String> {
        let mut script: Vec<String> = GROUPS.iter().map(|group| format!("CREATE ROLE {group}")).collect();
        for role in &self.roles {
            script.extend(role.script());
        }
        for (table, rules) in tables.iter().zip(&self.tables) {
            script.extend(rules.script(tables, table, &self.roles));
        }
        script
    }

    /// The columns of a table that a role may read.
    pub fn readable<'a>(&self, table: &'a Table, number: usize, role: usize) -> Vec<&'a Column> {
        let granted = &self.tables[number].granted[role];
        let may = |column: &&Column| granted.as_ref().is_none_or(|names| names.contains(&column.name));
        table.columns.iter().filter(may).collect()
    }

    pub fn grants_whole(&self, number: usize, role: usize) -> bool {
        self.tables[number].granted[role].is_none()
    }

    /// A query, for someone whom nothing binds, that gives what `role` may see of a table.
    pub fn visible_sql(&self, tables: &[Table], number: usize, role: usize) -> String {
        let (table, rules) = (&tables[number], &self.tables[number]);
        let told = |template: &Template| self.told(template, tables, table, role);
        let item = |(nth, column): (usize, &Column)| match rules.masks.iter().find(|(masked, _)| *masked == nth) {
            Some((_, mask)) => format!("CAST(({}) AS {}) AS {}", told(mask), column.sql_type, column.name),
            None => column.name.clone(),
        };
        let items: Vec<String> = table.columns.iter().enumerate().map(item).collect();
        let condition = if rules.enabled { rules.condition(&self.roles[role], told) } else { "true".to_owned() };
        format!("SELECT {} FROM {} WHERE {condition}", items.join(", "), table.name)
    }

    /// The template with the role's own constants, and with what the role sees in place of the other table.
    fn told(&self, template: &Template, tables: &[Table], table: &Table, role: usize) -> String {
        let who = &self.roles[role];
        let attribute = who.attribute.map_or("NULL".to_owned(), |value| format!("'{value}'"));
        let mut text = template.text.replace("{attribute}", &format!("CAST({attribute} AS text)"));
        text = text.replace("{user}", &format!("'{}'", who.name)).replace("{table}", &table.name);
        for group in GROUPS {
            let member = who.groups.iter().any(|(name, _)| *name == group);
            text = text.replace(&format!("{{member:{group}}}"), &member.to_string());
        }
        if text.contains("{other}") {
            let other = self.visible_sql(tables, template.other, role);
            // A table without an alias of its own keeps its name.
            let name = &tables[template.other].name;
            text = text.replace("{other} AS o", &format!("({other}) AS o"));
            text = text.replace("{other}", &format!("({other}) AS {name}"));
        }
        text
    }
}

impl Role {
    fn random(dice: &mut Dice, number: usize) -> Self {
        let groups: Vec<&'static str> = dice.some(&GROUPS, 40).into_iter().copied().collect();
        let groups = groups.into_iter().map(|group| (group, dice.chance(75))).collect();
        Self { name: format!("r{number}"), groups, attribute: dice.chance(60).then(|| *dice.pick(&["a", "b", "z"])) }
    }

    fn script(&self) -> Vec<String> {
        let name = &self.name;
        let mut script = vec![format!("CREATE USER {name}")];
        script.extend(
            self.groups.iter().map(|(group, inherit)| format!("GRANT {group} TO {name} WITH INHERIT {inherit}")),
        );
        script.extend(self.attribute.map(|value| format!("ALTER ROLE {name} SET henna.team = '{value}'")));
        script
    }

    fn is_bound_by(&self, policy: &Policy) -> bool {
        policy.to.iter().any(|to| {
            let inherited = self.groups.iter().any(|(group, inherit)| *inherit && group == to);
            to == "PUBLIC" || *to == self.name || inherited
        })
    }
}

impl TableRules {
    fn random(dice: &mut Dice, tables: &[Table], number: usize, roles: &[Role]) -> Self {
        let mut rules = Self { enabled: dice.chance(88), ..Self::default() };
        for _ in 0..dice.between(1, 4) {
            let policy = Policy::random(dice, tables, number, roles, rules.policies.is_empty());
            rules.policies.push(policy);
        }
        for column in 2..tables[number].columns.len() {
            if dice.chance(if column == 2 { 8 } else { 25 }) {
                rules.masks.push((column, mask(dice, tables, number, &tables[number].columns[column])));
            }
        }
        rules.granted = roles.iter().map(|_| grant(dice, &tables[number])).collect();
        rules
    }

    fn script(&self, tables: &[Table], table: &Table, roles: &[Role]) -> Vec<String> {
        let name = &table.name;
        let sql = |template: &Template| {
            let mut text =
                template.text.replace("{attribute}", "role_attribute('team')").replace("{user}", "current_user");
            for group in GROUPS {
                text = text.replace(&format!("{{member:{group}}}"), &format!("pg_has_role('{group}', 'member')"));
            }
            text.replace("{table}", name).replace("{other}", &tables[template.other].name)
        };
        let mut script = Vec::new();
        for (role, granted) in roles.iter().zip(&self.granted) {
            let columns = granted.as_ref().map(|columns| format!(" ({})", columns.join(", "))).unwrap_or_default();
            script.push(format!("GRANT SELECT{columns} ON {name} TO {}", role.name));
        }
        for (number, policy) in self.policies.iter().enumerate() {
            let kind = if policy.permissive { "PERMISSIVE" } else { "RESTRICTIVE" };
            let using = policy.using.as_ref().map(|using| format!(" USING ({})", sql(using))).unwrap_or_default();
            let (command, to) = (policy.command, policy.to.join(", "));
            script.push(format!("CREATE POLICY p{number} ON {name} AS {kind} FOR {command} TO {to}{using}"));
        }
        for (column, mask) in &self.masks {
            let (column, mask) = (&table.columns[*column].name, sql(mask).replace('\'', "''"));
            script.push(format!("SECURITY LABEL FOR henna ON COLUMN {name}.{column} IS '{mask}'"));
        }
        if self.enabled {
            script.push(format!("ALTER TABLE {name} ENABLE ROW LEVEL SECURITY"));
        }
        script
    }

    /// PostgreSQL's rule: one of the permissive policies, and all of the restrictive ones; NULL is false.
    fn condition(&self, role: &Role, told: impl Fn(&Template) -> String) -> String {
        let reads = |policy: &&Policy| policy.command != "INSERT" && role.is_bound_by(policy);
        let texts = |permissive: bool| {
            let chosen = self.policies.iter().filter(reads).filter(move |policy| policy.permissive == permissive);
            let using = chosen.filter_map(|policy| policy.using.as_ref());
            using.map(|using| format!("coalesce(({}), false)", told(using))).collect::<Vec<_>>()
        };
        let (any, all) = (texts(true), texts(false));
        if any.is_empty() {
            return "false".to_owned();
        }
        std::iter::once(format!("({})", any.join(" OR "))).chain(all).collect::<Vec<_>>().join(" AND ")
    }
}

impl Policy {
    fn random(dice: &mut Dice, tables: &[Table], number: usize, roles: &[Role], first: bool) -> Self {
        let others = tables.len() - number - 1;
        let from_other = others > 0 && dice.chance(30);
        let text = if from_other { dice.pick(&SUB_QUERIES) } else { dice.pick(&CONDITIONS) };
        let other = if from_other { number + 1 + dice.below(others) } else { number };
        let mut to: Vec<String> = roles.iter().map(|role| role.name.clone()).collect();
        to.extend(GROUPS.iter().map(|group| (*group).to_owned()));
        let to: Vec<String> = dice.some(&to, 45).into_iter().cloned().collect();
        let everyone = to.is_empty() || first && dice.chance(60);
        Self {
            permissive: first || dice.chance(65),
            command: *dice.pick(&["ALL", "SELECT", "SELECT", if first { "ALL" } else { "INSERT" }]),
            to: if everyone { vec!["PUBLIC".to_owned()] } else { to },
            using: Some(Template { text: (*text).to_owned(), other }),
        }
        .fit()
    }

    /// A policy for INSERT has no USING.
    fn fit(mut self) -> Self {
        if self.command == "INSERT" {
            self.using = None;
        }
        self
    }
}

/// All columns, or the common ones and some others.
fn grant(dice: &mut Dice, table: &Table) -> Option<Vec<String>> {
    if dice.chance(70) {
        return None;
    }
    let mut columns: Vec<String> = COMMON.iter().map(|name| (*name).to_owned()).collect();
    columns.extend(dice.some(&table.columns[COMMON.len()..], 50).into_iter().map(|column| column.name.clone()));
    Some(columns)
}

fn mask(dice: &mut Dice, tables: &[Table], number: usize, column: &Column) -> Template {
    let (name, sql_type) = (&column.name, column.sql_type);
    let others = tables.len() - number - 1;
    let mut forms = vec![
        format!("CAST(NULL AS {sql_type})"),
        format!("CASE WHEN team = 'a' THEN {name} END"),
        format!("CASE WHEN {{member:g1}} THEN {name} END"),
        format!("CASE WHEN {{member:g0}} OR x <> 5 THEN {name} END"),
    ];
    if others > 0 {
        forms.push(format!(
            "CASE WHEN (SELECT count(*) FROM {{other}} AS o WHERE o.team = {{table}}.team) > 0 THEN {name} END"
        ));
    }
    match column.kind {
        Kind::Integer => {
            let more = [
                format!("{name} - {name} % 4"),
                format!("CASE WHEN {name} = 5 THEN 1 ELSE {name} END"),
                "0".to_owned(),
            ];
            forms.extend(more);
        }
        Kind::Text => {
            let more = [
                format!("left({name}, 2)"),
                format!("replace({name}, 'SECRET', 'MASK')"),
                format!("md5({name})"),
                "'***'".to_owned(),
            ];
            forms.extend(more);
        }
        Kind::Numeric | Kind::Double => forms.push(format!("{name} * 2")),
        Kind::Boolean => forms.push(format!("NOT {name}")),
        Kind::Date => forms.push("DATE '2000-01-01'".to_owned()),
        Kind::Instant => {
            forms.push(format!("date_trunc('month', {name})"));
            forms.push(format!("CASE WHEN {name} >= '2024-06-01' THEN {name} END"));
        }
    }
    let other = if others > 0 { number + 1 + dice.below(others) } else { number };
    Template { text: dice.pick(&forms).clone(), other }
}

//! A random statement as its parts, so that a smaller one can be made of it.

use std::fmt;

/// `SELECT items FROM from WHERE predicates GROUP BY 1 .. groups HAVING having`
#[derive(Debug, Clone, Default)]
pub struct Select {
    pub distinct: bool,
    pub items: Vec<String>,
    pub from: String,
    /// In place of `from`: a query, and a LIMIT that no order decides.
    pub inner: Option<(Box<Select>, &'static str)>,
    pub joins: Vec<String>,
    pub predicates: Vec<String>,
    /// So many of the first items are keys; None is a query without aggregates.
    pub groups: Option<usize>,
    pub having: Option<String>,
}

#[derive(Debug, Clone, Default)]
pub enum Order {
    #[default]
    None,
    /// By every item of the answer.
    Items,
    /// By these expressions, which leave no two rows equal that differ.
    By(Vec<String>),
}

#[derive(Debug, Clone, Default)]
pub struct Statement {
    pub with: Option<(String, Select)>,
    pub body: Select,
    /// UNION and its kin.
    pub also: Option<(&'static str, Select)>,
    pub order: Order,
    /// Only where there is an order.
    pub limit: Option<(i64, i64)>,
}

impl fmt::Display for Select {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let distinct = if self.distinct { "DISTINCT " } else { "" };
        let items = self.items.iter().enumerate().map(|(number, item)| format!("{item} AS a{}", number + 1));
        write!(f, "SELECT {distinct}{} FROM ", items.collect::<Vec<_>>().join(", "))?;
        match &self.inner {
            Some((inner, window)) => write!(f, "({inner} {window}) AS l")?,
            None => write!(f, "{}", self.from)?,
        }
        for join in &self.joins {
            write!(f, " {join}")?;
        }
        if !self.predicates.is_empty() {
            write!(f, " WHERE {}", self.predicates.join(" AND "))?;
        }
        if let Some(groups) = self.groups.filter(|groups| *groups > 0) {
            let positions: Vec<String> = (1..=groups).map(|position| position.to_string()).collect();
            write!(f, " GROUP BY {}", positions.join(", "))?;
        }
        self.having.iter().try_for_each(|having| write!(f, " HAVING {having}"))
    }
}

impl fmt::Display for Statement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some((name, select)) = &self.with {
            write!(f, "WITH {name} AS ({select}) ")?;
        }
        write!(f, "{}", self.body)?;
        if let Some((word, select)) = &self.also {
            write!(f, " {word} {select}")?;
        }
        match &self.order {
            Order::None => {}
            Order::By(expressions) => write!(f, " ORDER BY {}", expressions.join(", "))?,
            Order::Items => {
                let positions: Vec<String> = (1..=self.body.items.len()).map(|position| position.to_string()).collect();
                write!(f, " ORDER BY {}", positions.join(", "))?;
            }
        }
        self.limit.iter().try_for_each(|(limit, offset)| write!(f, " LIMIT {limit} OFFSET {offset}"))
    }
}

impl Statement {
    pub fn is_ordered(&self) -> bool {
        !matches!(self.order, Order::None)
    }

    /// Each side of a set operation as a statement of its own.
    pub fn sides(&self) -> Option<[Self; 2]> {
        let (_, also) = self.also.as_ref()?;
        let side = |body: &Select| Self { with: self.with.clone(), body: body.clone(), ..Self::default() };
        Some([side(&self.body), side(also)])
    }

    /// Statements that are this one without one of its parts.
    pub fn smaller(&self) -> Vec<Self> {
        let mut found = Vec::new();
        let mut without = |change: &dyn Fn(&mut Self)| {
            let mut statement = self.clone();
            change(&mut statement);
            found.push(statement);
        };
        if self.also.is_some() {
            without(&|statement| statement.also = None);
        }
        if self.limit.is_some() {
            without(&|statement| statement.limit = None);
        }
        if self.is_ordered() {
            without(&|statement| (statement.order, statement.limit) = (Order::None, None));
        }
        if let Order::By(expressions) = &self.order
            && expressions.len() > 1
        {
            without(&|statement| statement.order = Order::By(expressions[..1].to_vec()));
        }
        if self.body.having.is_some() {
            without(&|statement| statement.body.having = None);
        }
        if self.body.distinct {
            without(&|statement| statement.body.distinct = false);
        }
        for number in 0..self.body.predicates.len() {
            without(&|statement| drop(statement.body.predicates.remove(number)));
        }
        for number in 0..self.body.joins.len() {
            without(&|statement| drop(statement.body.joins.remove(number)));
        }
        // The items of both sides of a set operation go together.
        let keys = self.body.groups.unwrap_or(0);
        for number in (0..self.body.items.len()).filter(|_| self.body.items.len() > 1) {
            without(&|statement| {
                let sides = std::iter::once(&mut statement.body).chain(statement.also.iter_mut().map(|(_, also)| also));
                for side in sides {
                    side.items.remove(number);
                    side.groups = side.groups.map(|groups| if number < keys { groups - 1 } else { groups });
                }
            });
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_smaller_statement_lacks_one_part() {
        let body = Select {
            items: vec!["x".into(), "count(*)".into()],
            from: "t".into(),
            predicates: vec!["x > 1".into(), "y".into()],
            groups: Some(1),
            ..Select::default()
        };
        let statement = Statement { body, order: Order::Items, limit: Some((2, 1)), ..Statement::default() };
        let text = "SELECT x AS a1, count(*) AS a2 FROM t WHERE x > 1 AND y GROUP BY 1 ORDER BY 1, 2 LIMIT 2 OFFSET 1";
        assert_eq!(statement.to_string(), text);
        let smaller: Vec<String> = statement.smaller().iter().map(Statement::to_string).collect();
        assert!(smaller.contains(
            &"SELECT x AS a1, count(*) AS a2 FROM t WHERE y GROUP BY 1 ORDER BY 1, 2 LIMIT 2 OFFSET 1".into()
        ));
        assert!(smaller.contains(&"SELECT count(*) AS a1 FROM t WHERE x > 1 AND y ORDER BY 1 LIMIT 2 OFFSET 1".into()));
    }
}

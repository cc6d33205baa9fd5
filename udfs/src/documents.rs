//! The documentation of every function, in DataFusion's own form so that a server can list it.

use datafusion_expr::{DocSection, Documentation};

pub(crate) const RFM: DocSection =
    section("RFM", "Recency, frequency, monetary value: who bought lately, often, much.");
pub(crate) const CHURN: DocSection = section("Churn", "How likely it is that a customer is gone.");
pub(crate) const LIFETIME: DocSection = section("Lifetime", "Buy-till-you-die models of the customer base.");
pub(crate) const ATTRIBUTION: DocSection = section("Attribution", "Which channel earned a conversion.");
pub(crate) const BEHAVIOUR: DocSection =
    section("Behaviour", "What people did, in which order, how fast: funnels, sequences, sessions, paths.");
pub(crate) const SURVIVAL: DocSection = section("Survival", "How long customers last, and where they stand.");
pub(crate) const EXPERIMENTS: DocSection = section("Experiments", "Whether the arms of an experiment differ.");
pub(crate) const SETS: DocSection = section("Sets", "Sets of customers, and what is bought together.");
pub(crate) const TRADE: DocSection = section("Trade", "Measures whose definition must be named.");
pub(crate) const RETURNS: DocSection = section("Channel returns", "What a channel gives back for what it costs.");

/// What a function's documentation is made of.
pub(crate) struct Entry {
    pub section: DocSection,
    pub description: &'static str,
    /// `name(argument type, ... [, optional type, ...]) -> type`. Types are the narrowest usual ones, in PostgreSQL's words; a
    /// struct is `json`, which is what a client of PostgreSQL's protocol sees of it.
    pub syntax: &'static str,
    /// Name and meaning (with unit) of each argument.
    pub arguments: &'static [(&'static str, &'static str)],
    pub example: &'static str,
    pub related: &'static [&'static str],
}

impl Entry {
    pub fn build(self) -> Documentation {
        let mut builder = Documentation::builder(self.section, self.description, self.syntax)
            .with_sql_example(format!("```sql\n{}\n```", self.example));
        for (name, meaning) in self.arguments {
            builder = builder.with_argument(*name, *meaning);
        }
        for name in self.related {
            builder = builder.with_related_udf(*name);
        }
        builder.build()
    }
}

const fn section(label: &'static str, description: &'static str) -> DocSection {
    DocSection { include: true, label, description: Some(description) }
}

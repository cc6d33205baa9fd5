//! CREATE VIEW: planned once as its author, kept as text, and planned anew for everyone who reads it.

use std::collections::BTreeSet;

use datafusion::logical_expr::LogicalPlan;

use super::full_names::give_full_names;
use super::place::{Place, shown};
use super::{CreateView, ObjectKind};
use crate::access::{ObjectChange, ObjectId, TableId};
use crate::catalog::definition::{Comments, Definition, ViewDefinition, kept, shape};
use crate::catalog::inventory::{Inventory, Relation, ViewRights, sql_type_of};
use crate::catalog::shown_name;
use crate::dataset::Column;
use crate::error::{Error, Reason, Result};
use crate::query::failure::failure;
use crate::query::session::Session;
use crate::query::viewpoint::{BareNames, Viewpoint, select_plan};

impl Session {
    pub(super) async fn create_view(&self, create: &CreateView) -> Result<()> {
        let id = self.new_name(&create.name)?;
        let (view, columns) = self.view_definition(&id, create).await?;
        let or_replace = create.or_replace;
        let made = self.author("CREATE VIEW", move |place| {
            place.require_create(&id.schema)?;
            for read in &view.reads {
                place.require_there(read)?;
            }
            let before = place.inventory.find(&id.schema, &id.table);
            match before.filter(|_| or_replace) {
                None => place.require_free(&id)?,
                Some(before) => place.require_replaceable(before, &columns, &view.reads)?,
            }
            let object = ObjectId::Relation(id.clone());
            // A view that is replaced keeps its comments as it keeps its grants.
            let comments = match kept(place.security, &object)? {
                Some(Definition::View(before)) => before.comments,
                _ => Comments::default(),
            };
            let definition = Definition::View(ViewDefinition { comments, ..view.clone() }).text()?;
            let created = before.is_none().then(|| ObjectChange::RelationCreated(id.clone()));
            let changes = created.into_iter().chain([ObjectChange::Defined { object, definition }]);
            Ok((changes.collect(), ()))
        });
        made.await
    }

    /// What is to be kept of the view, and its columns.
    async fn view_definition(&self, id: &TableId, create: &CreateView) -> Result<(ViewDefinition, Vec<Column>)> {
        let mut query = create.query.clone();
        let reads = give_full_names(&mut query, &|schema, name| self.names().locate(schema, name))?;
        let select = query.to_string();
        // From the text, so that what is kept is what was planned.
        let (own, principal) = (Viewpoint::of(self.principal().clone()), self.principal().clone());
        let state = self.names().state_at(own.inside(id, principal, BareNames::None)?)?;
        let text = select.clone();
        let plan = self.lake().pool().run(async move { select_plan(&state, &text).await }).await?;
        refuse_parameters(&plan)?;
        let fields = plan.schema().fields();
        if create.columns.len() > fields.len() {
            return Err(Error::new(Reason::Syntax, "CREATE VIEW specifies more column names than columns"));
        }
        let given = create.columns.iter().map(Some).chain(std::iter::repeat(None));
        let columns: Vec<Column> = fields
            .iter()
            .zip(given)
            .map(|(field, given)| Column {
                name: given.cloned().unwrap_or_else(|| shown_name(field.name()).to_owned()),
                sql_type: sql_type_of(field),
                nullable: true,
                default: None,
                comment: None,
            })
            .collect();
        refuse_equal_names(columns.iter().map(|column| column.name.as_str()))?;
        let view = ViewDefinition {
            select,
            columns: shape(&columns),
            sources: fields.iter().map(|field| field.name().clone()).collect(),
            reads: reads.into_iter().collect(),
            security_invoker: create.rights == ViewRights::Caller,
            comments: Comments::default(),
        };
        Ok((view, columns))
    }
}

/// An error where a plan waits for values that nobody gives.
pub(super) fn refuse_parameters(plan: &LogicalPlan) -> Result<()> {
    let parameters = plan.get_parameter_types().map_err(failure)?;
    match parameters.keys().min() {
        Some(parameter) => Err(Error::new(Reason::UndefinedParameter, format!("there is no parameter {parameter}"))),
        None => Ok(()),
    }
}

/// An error where two columns share a name.
pub(super) fn refuse_equal_names<'a>(names: impl Iterator<Item = &'a str>) -> Result<()> {
    let mut taken = BTreeSet::new();
    for name in names {
        if !taken.insert(name) {
            let text = format!("column \"{name}\" specified more than once");
            return Err(Error::new(Reason::DuplicateColumn, text));
        }
    }
    Ok(())
}

impl Place<'_> {
    /// An error where a relation that the view reads went while the view was planned.
    fn require_there(&self, id: &TableId) -> Result<()> {
        let system = ["pg_catalog", "information_schema"].contains(&id.schema.as_str());
        if system || self.inventory.find(&id.schema, &id.table).is_some() {
            return Ok(());
        }
        let name = crate::access::statement::RelationName { schema: Some(id.schema.clone()), name: id.table.clone() };
        Err(Error::new(Reason::UndefinedTable, format!("relation \"{}\" does not exist", shown(&name))))
    }

    /// An error unless the view may take the place of `before`.
    fn require_replaceable(&self, before: &Relation, columns: &[Column], reads: &[TableId]) -> Result<()> {
        self.require_own(before, ObjectKind::View, "replace")?;
        if leads_to(self.inventory, reads, &before.id()) {
            let text = format!("infinite recursion detected in rules for relation \"{}\"", before.name);
            return Err(Error::new(Reason::InvalidDefinition, text));
        }
        let refused = |text: String| Err(Error::new(Reason::InvalidColumns, text));
        if columns.len() < before.columns().len() {
            return refused("cannot drop columns from view".to_owned());
        }
        for (old, new) in before.columns().iter().zip(columns) {
            if old.name != new.name {
                let text = format!("cannot change name of view column \"{}\" to \"{}\"", old.name, new.name);
                return refused(text);
            }
            if old.sql_type != new.sql_type {
                let (name, from, to) = (&old.name, &old.sql_type, &new.sql_type);
                return refused(format!("cannot change data type of view column \"{name}\" from {from} to {to}"));
            }
        }
        Ok(())
    }
}

/// Whether one of `reads`, or what it reads in turn, is `id`.
fn leads_to(inventory: &Inventory, reads: &[TableId], id: &TableId) -> bool {
    let (mut open, mut seen) = (reads.to_vec(), BTreeSet::new());
    while let Some(next) = open.pop() {
        if next == *id {
            return true;
        }
        if seen.insert(next.clone())
            && let Some(relation) = inventory.find(&next.schema, &next.table)
        {
            open.extend(relation.reads().iter().cloned());
        }
    }
    false
}

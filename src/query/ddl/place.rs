//! Where a new object goes, which object a name means, and who may do what to it.

use crate::access::statement::{RelationName, RoleSpec};
use crate::access::{AccessError, ObjectId, Principal, Privilege, RoleId, SecuritySnapshot, TableId, Visible};
use crate::catalog::inventory::{HOUSE, Inventory, Origin, Relation};
use crate::error::{Error, Reason, Result};
use crate::query::names::Names;
use crate::query::session::Session;

use super::{OBJECTS_MAX, ObjectKind};

/// As PostgreSQL's; longer names are an error and not cut.
const NAME_BYTES_MAX: usize = 63;

/// What exists at one moment, as a principal may know it.
pub struct Place<'a> {
    pub security: &'a SecuritySnapshot,
    pub inventory: &'a Inventory,
    pub principal: &'a Principal,
}

impl Place<'_> {
    /// An error unless a relation of that name may be made.
    pub fn require_free(&self, id: &TableId) -> Result<()> {
        self.require_create(&id.schema)?;
        require_name(&id.table)?;
        let defined = self.security.relation(id).is_some_and(|relation| relation.definition.is_some());
        if defined || self.inventory.find(&id.schema, &id.table).is_some() {
            return Err(Error::new(Reason::DuplicateTable, format!("relation \"{}\" already exists", id.table)));
        }
        self.require_room()
    }

    /// An error unless the principal may make relations in the schema.
    pub fn require_create(&self, schema: &str) -> Result<()> {
        self.schema(schema)?;
        let role = self.principal.checked_role();
        if schema != HOUSE && self.security.has_schema_privilege(role, schema, Privilege::Create) {
            return Ok(());
        }
        Err(AccessError::Denied { kind: "schema", name: schema.to_owned() }.into())
    }

    /// An error where users have made all that a lake may hold.
    pub fn require_room(&self) -> Result<()> {
        let relations = self.inventory.relations().filter(|relation| relation.origin == Origin::Authored).count();
        let schemas = self.inventory.schemas().filter(|(_, schema)| schema.origin == Origin::Authored).count();
        if relations + schemas < OBJECTS_MAX {
            return Ok(());
        }
        let text = format!("users may have made {OBJECTS_MAX} schemas, tables and views");
        Err(Error::new(Reason::LimitExceeded, text))
    }

    /// An error where there is no such schema or the principal may not know of it.
    pub fn schema(&self, name: &str) -> Result<()> {
        let known = self.inventory.has_schema(name) && Visible::new(self.security, self.principal).may_use_schema(name);
        if known { Ok(()) } else { Err(AccessError::SchemaMissing(name.to_owned()).into()) }
    }

    /// What a name means to the principal; `path` is where a bare name is looked for.
    pub fn find(&self, name: &RelationName, path: &[String]) -> Result<&Relation> {
        let schemas = name.schema.as_ref().map_or(path, std::slice::from_ref);
        let seen = Visible::new(self.security, self.principal);
        let found = schemas.iter().filter_map(|schema| self.inventory.find(schema, &name.name));
        let found = found.map(AsRef::as_ref).find(|relation: &&Relation| seen.may_see(&relation.id()));
        found.ok_or_else(|| AccessError::RelationMissing(shown(name)).into())
    }

    /// An error unless the relation is of that kind, of a user's making, and the principal's to change. To own its schema
    /// is not enough: who changes a view says what its owner's rights are used for.
    pub fn require_own(&self, relation: &Relation, kind: ObjectKind, action: &str) -> Result<()> {
        self.require_kind(relation, kind)?;
        self.require_authored_by(self.owns(&relation.id()), relation, kind, action)
    }

    /// The same for taking it away, which the owner of its schema may, too.
    pub fn require_droppable(&self, relation: &Relation, kind: ObjectKind) -> Result<()> {
        self.require_kind(relation, kind)?;
        let schema = ObjectId::Schema(relation.schema.clone());
        let may = self.owns(&relation.id()) || self.security.owns(self.principal.checked_role(), &schema);
        self.require_authored_by(may, relation, kind, "drop")
    }

    fn require_kind(&self, relation: &Relation, kind: ObjectKind) -> Result<()> {
        if relation.is_view() == (kind == ObjectKind::View) {
            return Ok(());
        }
        let text = format!("\"{}\" is not a {}", relation.name, kind.word());
        Err(Error::new(Reason::WrongKind, text))
    }

    fn require_authored_by(&self, may: bool, relation: &Relation, kind: ObjectKind, action: &str) -> Result<()> {
        if !may {
            return Err(AccessError::NotOwner { kind: kind.word(), name: relation.name.clone() }.into());
        }
        require_authored(relation.origin, action, kind.word(), &relation.name)
    }

    pub fn owns(&self, id: &TableId) -> bool {
        self.security.owns(self.principal.checked_role(), &ObjectId::Relation(id.clone()))
    }

    /// An error unless the schema is of a user's making and the principal's to change.
    pub fn require_own_schema(&self, name: &str, action: &str) -> Result<()> {
        self.schema(name)?;
        let role = self.principal.checked_role();
        if !self.security.owns(role, &ObjectId::Schema(name.to_owned())) {
            return Err(AccessError::NotOwner { kind: "schema", name: name.to_owned() }.into());
        }
        let origin = self.inventory.schema(name).map_or(Origin::Founded, |schema| schema.origin);
        require_authored(origin, action, "schema", name)
    }

    /// The role that a statement names as an owner, which the principal must be able to become.
    pub fn owner(&self, spec: &RoleSpec) -> Result<RoleId> {
        let id = match spec {
            RoleSpec::CurrentUser => self.principal.current_role(),
            RoleSpec::SessionUser => self.principal.session_user(),
            RoleSpec::Name(name) => self.security.require_role(name)?.id,
            RoleSpec::Public => return Err(AccessError::RoleReserved("public".to_owned()).into()),
        };
        if self.security.may_set_role(self.principal.current_role(), id) {
            return Ok(id);
        }
        let action = format!("set role \"{}\"", self.security.role_name(id));
        Err(AccessError::Forbidden { action }.into())
    }
}

fn require_authored(origin: Origin, action: &str, kind: &str, name: &str) -> Result<()> {
    match origin {
        Origin::Authored => Ok(()),
        Origin::Founded => {
            let text = format!("cannot {action} {kind} {name} because the dataset requires it");
            Err(Error::new(Reason::DependentObjects, text))
        }
    }
}

/// A name as the statement wrote it.
pub fn shown(name: &RelationName) -> String {
    match &name.schema {
        Some(schema) => format!("{schema}.{}", name.name),
        None => name.name.clone(),
    }
}

/// An error where a name cannot be that of an object.
pub fn require_name(name: &str) -> Result<()> {
    if name.len() > NAME_BYTES_MAX {
        return Err(Error::new(Reason::LimitExceeded, format!("a name may have {NAME_BYTES_MAX} bytes")));
    }
    if name.is_empty() || name.chars().any(char::is_control) {
        return Err(Error::new(Reason::Syntax, "a name must have letters, and no control characters"));
    }
    Ok(())
}

impl Session {
    /// The full name of a relation to be made: in the schema that is named, else in the first of the search path that exists.
    pub(in crate::query) fn new_name(&self, name: &RelationName) -> Result<TableId> {
        if let Some(schema) = &name.schema {
            return Ok(TableId::new(schema, &name.name));
        }
        let principal = self.principal().get();
        self.names().at_place(&self.security().snapshot(), &principal, |place| {
            let first = self.search_path().into_iter().find(|schema| place.schema(schema).is_ok());
            let none = || Error::new(Reason::UndefinedSchema, "no schema has been selected to create in");
            Ok(TableId::new(first.ok_or_else(none)?, &name.name))
        })
    }
}

impl Names {
    /// Runs `work` over what exists as a snapshot knows it.
    pub(in crate::query) fn at_place<T>(
        &self,
        security: &SecuritySnapshot,
        principal: &Principal,
        work: impl FnOnce(&Place<'_>) -> Result<T>,
    ) -> Result<T> {
        work(&Place { security, inventory: &self.inventory_at(security), principal })
    }
}

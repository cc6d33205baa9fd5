//! CREATE SCHEMA: for superusers, and for those with CREATE on the database.

use super::place::require_name;
use crate::access::statement::RoleSpec;
use crate::access::{AccessError, ObjectChange, ObjectId, Privilege};
use crate::catalog::definition::{Definition, SchemaDefinition};
use crate::catalog::inventory::{HOUSE, PUBLIC};
use crate::error::{Error, Reason, Result};
use crate::query::session::Session;

/// Whether it was there already.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Made {
    New,
    Before,
}

impl Session {
    pub(super) async fn create_schema(
        &self,
        name: Option<&str>,
        owner: Option<&RoleSpec>,
        if_not_exists: bool,
    ) -> Result<()> {
        let definition = Definition::Schema(SchemaDefinition::default()).text()?;
        let (name, owner) = (name.map(str::to_owned), owner.cloned());
        let made = self.author("CREATE SCHEMA", move |place| {
            let (security, principal) = (place.security, place.principal);
            if !security.has_database_privilege(principal.checked_role(), Privilege::Create) {
                return Err(AccessError::Denied { kind: "database", name: "henna".to_owned() }.into());
            }
            let owner = owner.as_ref().map(|owner| place.owner(owner)).transpose()?.unwrap_or(principal.current_role());
            let name = name.clone().unwrap_or_else(|| security.role_name(owner));
            require_schema_name(&name)?;
            if place.inventory.has_schema(&name) || security.schema(&name).is_some() {
                let exists = Error::new(Reason::DuplicateSchema, format!("schema \"{name}\" already exists"));
                return if if_not_exists { Ok((Vec::new(), (Made::Before, name))) } else { Err(exists) };
            }
            place.require_room()?;
            let object = ObjectId::Schema(name.clone());
            let changes = vec![
                ObjectChange::SchemaCreated(name.clone()),
                ObjectChange::Owned { object: object.clone(), owner },
                ObjectChange::Defined { object, definition: definition.clone() },
            ];
            Ok((changes, (Made::New, name)))
        });
        if let (Made::Before, name) = made.await? {
            self.tell(format!("schema \"{name}\" already exists, skipping"));
        }
        Ok(())
    }
}

/// Names that begin with `pg_` are the system's, those with `$` and those with a blank after `henna` the engine's own.
pub(super) fn require_schema_name(name: &str) -> Result<()> {
    require_name(name)?;
    let reserved = [HOUSE, PUBLIC, "information_schema"].contains(&name)
        || ["pg_", "$", "henna "].iter().any(|prefix| name.starts_with(prefix));
    if !reserved {
        return Ok(());
    }
    let error = Error::new(Reason::ReservedName, format!("unacceptable schema name \"{name}\""));
    Err(error.with_detail("The name is reserved for system schemas."))
}

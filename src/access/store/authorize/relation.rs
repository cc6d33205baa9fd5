//! Row security, owners and masks: for the owner of the object.

use super::Planner;
use super::role::forbidden;
use crate::access::error::AccessError;
use crate::access::model::change::Change;
use crate::access::model::mask::Mask;
use crate::access::model::object::ObjectId;
use crate::access::statement::{OwnedObject, RelationName, RoleSpec, RowSecurityToggle};
use crate::access::store::qualify::qualified;
use crate::error::{Reason, Result};

impl Planner<'_> {
    pub(super) async fn row_security(
        &mut self,
        table: &RelationName,
        if_exists: bool,
        toggles: &[RowSecurityToggle],
    ) -> Result<()> {
        let relation = match self.own_table(table).await {
            Err(error) if if_exists && error.reason() == Reason::UndefinedTable => {
                self.notice("NOTICE", format!("relation \"{}\" does not exist, skipping", table.name));
                return Ok(());
            }
            other => other?,
        };
        let known = self.state.relation(&relation.id);
        let (mut enabled, mut forced) = known.map_or((false, false), |r| (r.row_security, r.row_security_forced));
        for toggle in toggles {
            match toggle {
                RowSecurityToggle::Enable => enabled = true,
                RowSecurityToggle::Disable => enabled = false,
                RowSecurityToggle::Force => forced = true,
                RowSecurityToggle::NoForce => forced = false,
            }
        }
        self.push(Change::SetRowSecurity { table: relation.id.clone(), enabled, forced });
        self.warn_of_blind_grantees(&relation);
        Ok(())
    }

    pub(super) async fn owner_to(&mut self, object: &OwnedObject, if_exists: bool, owner: &RoleSpec) -> Result<()> {
        let object = match self.own_object(object).await {
            Err(error) if if_exists && error.reason() == Reason::UndefinedTable => {
                self.notice("NOTICE", format!("{error}, skipping"));
                return Ok(());
            }
            other => other?,
        };
        let owner = self.role(owner)?;
        if !self.state.may_set_role(self.actor(), owner.id) {
            return Err(forbidden(&format!("set role \"{}\"", owner.name)));
        }
        self.push(Change::SetOwner { object, owner: owner.id });
        Ok(())
    }

    async fn own_object(&self, object: &OwnedObject) -> Result<ObjectId> {
        match object {
            OwnedObject::Relation(name) => {
                let relation = self.relation(name).await?;
                self.require_owner(&relation)?;
                Ok(ObjectId::Relation(relation.id))
            }
            OwnedObject::Schema(name) => {
                let known = self.objects.relations_in(name).await?;
                known.ok_or_else(|| AccessError::SchemaMissing(name.clone()))?;
                let object = ObjectId::Schema(name.clone());
                let own = self.state.owns(self.actor(), &object);
                let denied = || AccessError::NotOwner { kind: "schema", name: name.clone() };
                own.then_some(object).ok_or_else(|| denied().into())
            }
        }
    }

    pub(super) async fn mask(&mut self, table: &RelationName, column: &str, expression: Option<&str>) -> Result<()> {
        let relation = self.own_table(table).await?;
        if !relation.columns.iter().any(|known| known == column) {
            let column = column.to_string();
            return Err(AccessError::ColumnMissing { relation: relation.id.table, column }.into());
        }
        let mask = match expression {
            Some(text) => {
                let expression = qualified(text, self.objects).await?;
                self.objects.validate_mask(&relation.id, column, &expression).await?;
                Some(Mask { expression })
            }
            None => None,
        };
        self.push(Change::SetMask { table: relation.id, column: column.to_string(), mask });
        Ok(())
    }
}

//! CREATE, ALTER and DROP POLICY: for the owner of the table.

use super::Planner;
use crate::access::error::AccessError;
use crate::access::model::change::Change;
use crate::access::model::object::{ObjectId, TableId};
use crate::access::model::policy::Policy;
use crate::access::statement::{AccessStatement, RelationName, RoleSpec};
use crate::access::store::qualify::qualified;
use crate::error::Result;

impl Planner<'_> {
    pub(super) async fn create_policy(&mut self, statement: &AccessStatement) -> Result<()> {
        let AccessStatement::CreatePolicy { name, table, permissive, command, roles, using, check } = statement else {
            return Ok(());
        };
        let table = self.own_table(table).await?.id;
        if self.policy(&table, name).is_ok() {
            return Err(AccessError::PolicyExists { policy: name.clone(), table: table.table }.into());
        }
        let policy = Policy {
            id: self.state.next_id(),
            name: name.clone(),
            permissive: *permissive,
            command: *command,
            roles: roles.iter().map(|role| self.grantee(role)).collect::<Result<_, _>>()?,
            using: self.checked(&table, using.as_deref()).await?,
            check: self.checked(&table, check.as_deref()).await?,
            comment: None,
        };
        self.push(Change::PutPolicy { table, policy });
        Ok(())
    }

    pub(super) async fn alter_policy(
        &mut self,
        name: &str,
        table: &RelationName,
        roles: Option<&[RoleSpec]>,
        using: Option<&str>,
        check: Option<&str>,
    ) -> Result<()> {
        let table = self.own_table(table).await?.id;
        let mut policy = self.policy(&table, name)?;
        if let Some(roles) = roles {
            policy.roles = roles.iter().map(|role| self.grantee(role)).collect::<Result<_, _>>()?;
        }
        policy.using = self.checked(&table, using).await?.or(policy.using);
        policy.check = self.checked(&table, check).await?.or(policy.check);
        self.push(Change::PutPolicy { table, policy });
        Ok(())
    }

    pub(super) async fn rename_policy(&mut self, name: &str, table: &RelationName, to: &str) -> Result<()> {
        let table = self.own_table(table).await?.id;
        let mut policy = self.policy(&table, name)?;
        if self.policy(&table, to).is_ok() {
            return Err(AccessError::PolicyExists { policy: to.to_string(), table: table.table }.into());
        }
        policy.name = to.to_string();
        self.push(Change::PutPolicy { table, policy });
        Ok(())
    }

    pub(super) async fn drop_policy(&mut self, name: &str, table: &RelationName, if_exists: bool) -> Result<()> {
        let relation = match self.relation(table).await {
            Err(error) if if_exists && error.reason() == crate::Reason::UndefinedTable => {
                self.notice("NOTICE", format!("relation \"{}\" does not exist, skipping", table.name));
                return Ok(());
            }
            other => other?,
        };
        if !self.state.owns(self.actor(), &ObjectId::Relation(relation.id.clone())) {
            return Err(AccessError::NotOwner { kind: "relation", name: relation.id.table }.into());
        }
        match self.policy(&relation.id, name) {
            Ok(policy) => self.push(Change::DropPolicy { table: relation.id, id: policy.id }),
            Err(error) if if_exists => self.notice("NOTICE", format!("{error}, skipping")),
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    pub(super) async fn comment_on_policy(
        &mut self,
        name: &str,
        table: &RelationName,
        comment: Option<&str>,
    ) -> Result<()> {
        let table = self.own_table(table).await?.id;
        let mut policy = self.policy(&table, name)?;
        policy.comment = comment.map(str::to_string);
        self.push(Change::PutPolicy { table, policy });
        Ok(())
    }

    fn policy(&self, table: &TableId, name: &str) -> Result<Policy, AccessError> {
        let found = self.state.relation(table).and_then(|relation| relation.policies.get(name)).cloned();
        found.ok_or_else(|| AccessError::PolicyMissing { policy: name.to_string(), table: table.table.clone() })
    }

    /// The expression with full names, once the catalog has found it sound.
    async fn checked(&self, table: &TableId, expression: Option<&str>) -> Result<Option<String>> {
        let Some(expression) = expression else { return Ok(None) };
        let full = qualified(expression, self.objects).await?;
        self.objects.validate_policy(table, &full).await?;
        Ok(Some(full))
    }
}

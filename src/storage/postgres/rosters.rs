//! The live sessions of accounts.

use std::sync::Arc;

use async_trait::async_trait;
use sqlx::query;

use super::PostgresStore;
use super::changes;
use super::rows::id_array;
use crate::domain::Fault;
use crate::domain::changes::{ChangedContacts, Cursor};
use crate::domain::ids::{AccountNumber, UserId};
use crate::domain::ports::Rosters;
use crate::domain::roster::Roster;
use crate::storage::error::during;
use crate::storage::records;

/// One statement reads sessions and generation together, so they belong to the same moment.
pub(super) const ROSTERS: &str = "
    SELECT accounts.number AS account, accounts.id AS user_id, accounts.roster_generation,
        sessions.id AS session_id, sessions.number AS session, sessions.agreement_key,
        sessions.platform
    FROM accounts
    LEFT JOIN sessions ON sessions.account = accounts.number AND sessions.ended_at IS NULL
    WHERE accounts.id = ANY($1) AND accounts.dialect = 'mixin'
    ORDER BY accounts.number";

#[async_trait]
impl Rosters for PostgresStore {
    async fn rosters(&self, users: &[UserId]) -> Result<Vec<Arc<Roster>>, Fault> {
        self.fresh_rosters(users).await
    }

    async fn fresh_rosters(&self, users: &[UserId]) -> Result<Vec<Arc<Roster>>, Fault> {
        if users.is_empty() {
            return Ok(Vec::new());
        }
        let wanted = query(ROSTERS).bind(id_array(users.iter().copied()));
        let rows = wanted.fetch_all(&mut self.reader().await?).await;
        let rows = rows.map_err(during("reading rosters"))?;
        let mut rosters = records::Rosters::default();
        rows.iter().try_for_each(|row| rosters.add(row))?;
        Ok(rosters.done())
    }

    async fn newest_change(&self) -> Result<Cursor, Fault> {
        Ok(changes::newest(&mut self.reader().await?).await?)
    }

    async fn changed_contacts(
        &self,
        account: AccountNumber,
        after: Cursor,
        limit: u32,
    ) -> Result<ChangedContacts, Fault> {
        Ok(changes::contacts(&mut self.reader().await?, account, after, limit).await?)
    }
}

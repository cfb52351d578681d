//! The live sessions of accounts.

use std::sync::Arc;

use async_trait::async_trait;

use super::SqliteStore;
use super::changes;
use super::connection::hand_out;
use super::rows::id_list;
use crate::domain::Fault;
use crate::domain::changes::{ChangedContacts, Cursor};
use crate::domain::ids::{AccountNumber, UserId};
use crate::domain::ports::Rosters;
use crate::domain::roster::Roster;
use crate::storage::records;

/// One statement reads sessions and generation together, so they belong to the same moment. The loops
/// are in the order in which they stand, so the rows of an account follow each other without a sort.
pub(super) const ROSTERS: &str = "
    SELECT accounts.number AS account, accounts.id AS user_id, accounts.roster_generation,
        sessions.id AS session_id, sessions.number AS session, sessions.agreement_key,
        sessions.platform
    FROM json_each(?1) AS wanted
    CROSS JOIN accounts ON accounts.id = unhex(wanted.value) AND accounts.dialect = 'mixin'
    LEFT JOIN sessions ON sessions.account = accounts.number AND sessions.ended_at IS NULL";

#[async_trait]
impl Rosters for SqliteStore {
    async fn rosters(&self, users: &[UserId]) -> Result<Vec<Arc<Roster>>, Fault> {
        self.fresh_rosters(users).await
    }

    async fn fresh_rosters(&self, users: &[UserId]) -> Result<Vec<Arc<Roster>>, Fault> {
        if users.is_empty() {
            return Ok(Vec::new());
        }
        let list = id_list(users.iter().copied());
        let read = self.direct.read(move |connection| {
            let mut rosters = records::Rosters::default();
            hand_out(connection, ROSTERS, [list], "reading rosters", |row| rosters.add(row))?;
            Ok(rosters.done())
        });
        Ok(read.await?)
    }

    async fn newest_change(&self) -> Result<Cursor, Fault> {
        Ok(changes::newest(&self.readers).await?)
    }

    async fn changed_contacts(
        &self,
        account: AccountNumber,
        after: Cursor,
        limit: u32,
    ) -> Result<ChangedContacts, Fault> {
        Ok(changes::contacts(&self.readers, account, after, limit).await?)
    }
}

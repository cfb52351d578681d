//! The live sessions of accounts.

use std::sync::Arc;

use async_trait::async_trait;

use super::SqliteStore;
use super::changes;
use super::connection::{NamedRow, hand_out};
use super::readers::AsOf;
use super::rows::id_list;
use crate::domain::Fault;
use crate::domain::changes::{ChangedContacts, Cursor};
use crate::domain::ids::{AccountNumber, UserId};
use crate::domain::ports::Rosters;
use crate::domain::roster::Roster;
use crate::storage::error::StoreError;
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
        Ok(self.rosters_as_of(AsOf::LastChange, users).await?)
    }

    async fn fresh_rosters(&self, users: &[UserId]) -> Result<Vec<Arc<Roster>>, Fault> {
        Ok(self.rosters_as_of(AsOf::Now, users).await?)
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

impl SqliteStore {
    async fn rosters_as_of(
        &self,
        as_of: AsOf,
        users: &[UserId],
    ) -> Result<Vec<Arc<Roster>>, StoreError> {
        if users.is_empty() {
            return Ok(Vec::new());
        }
        let list = id_list(users.iter().copied());
        let read = self.direct.read(as_of, move |view| {
            let mut rosters = records::Rosters::default();
            let each = |row: &NamedRow<'_>| rosters.add(row);
            hand_out(view.connection, ROSTERS, [list], "reading rosters", each)?;
            let rosters = rosters.done();
            view.hold(rosters.iter().map(|one| one.guard()));
            Ok(rosters)
        });
        read.await
    }
}

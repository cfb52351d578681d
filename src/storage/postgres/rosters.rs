//! The live sessions of accounts.

use std::sync::Arc;

use async_trait::async_trait;
use sqlx::postgres::PgRow;
use sqlx::query;

use super::PostgresStore;
use super::changes;
use super::rows::{agreement_key, id, id_array, optional_id, value};
use crate::domain::Fault;
use crate::domain::changes::{ChangedContacts, Cursor};
use crate::domain::ids::{AccountNumber, SessionNumber, UserId};
use crate::domain::ports::Rosters;
use crate::domain::roster::{Roster, RosterMember};
use crate::storage::error::{StoreError, during};

/// One statement reads sessions and generation together, so they belong to the same moment.
const ROSTERS: &str = "
    SELECT accounts.number AS account, accounts.id AS user_id, accounts.roster_generation,
        sessions.id AS session_id, sessions.number AS session, sessions.agreement_key,
        sessions.platform
    FROM accounts
    LEFT JOIN sessions ON sessions.account = accounts.number AND sessions.ended_at IS NULL
    WHERE accounts.id = ANY($1)
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
        let members = rows.iter().map(member).collect::<Result<Vec<_>, StoreError>>()?;
        let accounts = members.chunk_by(|one, next| one.account == next.account);
        Ok(accounts.filter_map(roster).collect())
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

/// A row: an account, and one of its sessions if it has any.
struct Member {
    account: AccountNumber,
    user: UserId,
    generation: i64,
    member: Option<RosterMember>,
}

fn member(row: &PgRow) -> Result<Member, StoreError> {
    let member = match optional_id(row, "session_id")? {
        None => None,
        Some(session) => Some(RosterMember {
            session,
            number: SessionNumber(value(row, "session")?),
            key: agreement_key(row, "agreement_key")?,
            platform: value(row, "platform")?,
        }),
    };
    Ok(Member {
        account: AccountNumber(value(row, "account")?),
        user: id(row, "user_id")?,
        generation: value(row, "roster_generation")?,
        member,
    })
}

fn roster(rows: &[Member]) -> Option<Arc<Roster>> {
    let first = rows.first()?;
    let members = rows.iter().filter_map(|row| row.member.clone()).collect();
    Some(Arc::new(Roster::new(first.account, first.user, first.generation, members)))
}

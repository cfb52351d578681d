//! Which contacts of an account changed their rosters.

use sqlx::postgres::PgRow;
use sqlx::query;

use super::link::Link;
use super::rows::{id, value};
use crate::domain::changes::{ChangedContacts, Cursor, LOOK};
use crate::domain::ids::{AccountNumber, UserId};
use crate::storage::error::{StoreError, during};

const NEWEST: &str = "SELECT value FROM sequences WHERE name = 'rosters'";

/// A stretch of the accounts in the order of their latest changes, each with whether it shares a
/// conversation. The walk goes from the one that changed to its conversations, and looks for the
/// reader in each: people are in few, and a reader that is in many is not walked through. `OFFSET`
/// and `LIMIT` keep the planner from turning it round.
pub(super) const CONTACTS: &str = "
    SELECT recent.id, recent.roster_changed,
        (recent.number = $1 OR (
            SELECT true FROM participants AS theirs
            CROSS JOIN LATERAL (
                SELECT 1 FROM participants AS mine
                WHERE mine.conversation = theirs.conversation AND mine.account = $1 OFFSET 0
            ) AS shared
            WHERE theirs.account = recent.number LIMIT 1
        ) IS NOT NULL) AS is_contact
    FROM (
        SELECT number, id, roster_changed FROM accounts
        WHERE roster_changed > $2 ORDER BY roster_changed LIMIT $3
    ) AS recent
    ORDER BY recent.roster_changed";

pub(super) async fn newest(link: &mut Link<'_>) -> Result<Cursor, StoreError> {
    let row = query(NEWEST).fetch_one(link).await.map_err(during("reading the last change"))?;
    value(&row, "value").map(Cursor)
}

pub(super) async fn contacts(
    link: &mut Link<'_>,
    account: AccountNumber,
    after: Cursor,
    limit: u32,
) -> Result<ChangedContacts, StoreError> {
    let rows =
        query(CONTACTS).bind(account.0).bind(after.0).bind(i64::from(LOOK)).fetch_all(link).await;
    let rows = rows.map_err(during("looking for changed contacts"))?;
    let mut found = ChangedContacts { cursor: after, ..ChangedContacts::default() };
    for (index, row) in rows.iter().enumerate() {
        found.cursor = Cursor(value(row, "roster_changed")?);
        found.users.extend(contact(row)?);
        if found.users.len() >= limit as usize {
            found.more = index + 1 < rows.len() || rows.len() >= LOOK as usize;
            return Ok(found);
        }
    }
    found.more = rows.len() >= LOOK as usize;
    Ok(found)
}

fn contact(row: &PgRow) -> Result<Option<UserId>, StoreError> {
    let is_contact: bool = value(row, "is_contact")?;
    is_contact.then(|| id(row, "id")).transpose()
}

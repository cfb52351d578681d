//! What waits in an inbox, handed out or not.

use sqlx::query;

use super::PostgresStore;
use crate::domain::inbox::{InboxKey, Stretch, Waiting};
use crate::storage::error::{StoreError, during};
use crate::storage::records;

/// Gap markers, and messages from where the inbox begins ([`super::fronts`]), along the inbox and
/// then to each payload by its key; as many as fit the bytes, but one.
pub(super) const BROWSE: &str = "
    SELECT number, deliveries, slot, message_id, category, details, accepted_at, body,
        (SELECT id FROM accounts WHERE accounts.number = sender_account) AS sender,
        (SELECT id FROM sessions WHERE sessions.number = behind.sender_session) AS sender_session,
        (SELECT id FROM conversations WHERE conversations.number = behind.conversation)
            AS conversation
    FROM (
        SELECT recent.number, recent.deliveries, recent.slot, payload.*, row_number() OVER run AS nth,
            sum(octet_length(payload.body) + octet_length(recent.slot)) OVER run AS bytes
        FROM (
            (SELECT number, home, deliveries, slot FROM inbox
            WHERE shard = $1 AND session = $2 AND number < 0 AND number > $6
                AND set_aside_at IS NULL
            ORDER BY number LIMIT $3)
            UNION ALL
            (SELECT number, home, deliveries, slot FROM inbox
            WHERE shard = $1 AND session = $2 AND number >= $4 AND set_aside_at IS NULL
            ORDER BY number LIMIT $3)
        ) AS recent
        CROSS JOIN LATERAL (
            SELECT sender_account, sender_session, conversation, message_id, category, details,
                accepted_at, body
            FROM payloads
            WHERE payloads.shard = recent.home AND payloads.number = recent.number
            OFFSET 0
        ) AS payload
        WINDOW run AS (ORDER BY recent.number)
    ) AS behind
    WHERE (nth = 1 OR bytes <= $5) AND (SELECT ended_at IS NULL FROM sessions WHERE sessions.number = $2)
    ORDER BY number LIMIT $3";

/// No message stands before this number.
const BEGINNING: i64 = 1;

impl PostgresStore {
    /// Where an inbox begins is a hint; who finds nothing looks through all of it.
    pub(super) async fn stretch_of(
        &self,
        inbox: InboxKey,
        stretch: Stretch,
    ) -> Result<Vec<Waiting>, StoreError> {
        let front = self.front(inbox).await?;
        let found = self.stretch_from(front, inbox, stretch).await?;
        match found.is_empty() && front > BEGINNING {
            true => self.stretch_from(BEGINNING, inbox, stretch).await,
            false => Ok(found),
        }
    }

    async fn stretch_from(
        &self,
        from: i64,
        inbox: InboxKey,
        stretch: Stretch,
    ) -> Result<Vec<Waiting>, StoreError> {
        let after = stretch.after.map_or(i64::MIN, |order| order.0);
        let rows = query(BROWSE)
            .bind(inbox.shard.0)
            .bind(inbox.session.0)
            .bind(i64::from(stretch.limit))
            .bind(from.max(after.saturating_add(1)))
            .bind(i64::try_from(stretch.max_bytes).unwrap_or(i64::MAX))
            .bind(after)
            .fetch_all(&mut self.reader().await?)
            .await
            .map_err(during("looking through an inbox"))?;
        rows.iter().map(records::waiting).collect()
    }
}

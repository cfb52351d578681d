//! What was handed out from an inbox and not acknowledged.

use sqlx::query;

use super::PostgresStore;
use crate::domain::inbox::{InboxKey, Waiting};
use crate::storage::error::{StoreError, during};
use crate::storage::records;

/// Gap markers, and messages from where the inbox begins ([`super::fronts`]), along the inbox and
/// then to each payload by its key.
pub(super) const HANDED_OUT: &str = "
    SELECT recent.number, recent.deliveries, recent.slot, payload.message_id, payload.category,
        payload.details, payload.accepted_at, payload.body,
        (SELECT id FROM accounts WHERE accounts.number = payload.sender_account) AS sender,
        (SELECT id FROM sessions WHERE sessions.number = payload.sender_session)
            AS sender_session,
        (SELECT id FROM conversations WHERE conversations.number = payload.conversation)
            AS conversation
    FROM (
        (SELECT number, home, deliveries, slot FROM inbox
        WHERE shard = $1 AND session = $2 AND number < 0
            AND deliveries > 0 AND set_aside_at IS NULL)
        UNION ALL
        (SELECT number, home, deliveries, slot FROM inbox
        WHERE shard = $1 AND session = $2 AND number >= $4
            AND deliveries > 0 AND set_aside_at IS NULL
        ORDER BY number LIMIT $3)
    ) AS recent
    CROSS JOIN LATERAL (
        SELECT sender_account, sender_session, conversation, message_id, category, details,
            accepted_at, body
        FROM payloads
        WHERE payloads.shard = recent.home AND payloads.number = recent.number
        OFFSET 0
    ) AS payload
    WHERE (SELECT ended_at IS NULL FROM sessions WHERE sessions.number = $2)
    ORDER BY recent.number LIMIT $3";

/// No message stands before this number.
const BEGINNING: i64 = 1;

impl PostgresStore {
    /// Where an inbox begins is a hint; who finds nothing looks through all of it.
    pub(super) async fn all_handed_out(
        &self,
        inbox: InboxKey,
        limit: u32,
    ) -> Result<Vec<Waiting>, StoreError> {
        let front = self.front(inbox).await?;
        let found = self.handed_out_from(front, inbox, limit).await?;
        match found.is_empty() && front > BEGINNING {
            true => self.handed_out_from(BEGINNING, inbox, limit).await,
            false => Ok(found),
        }
    }

    async fn handed_out_from(
        &self,
        from: i64,
        inbox: InboxKey,
        limit: u32,
    ) -> Result<Vec<Waiting>, StoreError> {
        let rows = query(HANDED_OUT)
            .bind(inbox.shard.0)
            .bind(inbox.session.0)
            .bind(i64::from(limit))
            .bind(from)
            .fetch_all(&mut self.reader().await?)
            .await
            .map_err(during("looking for what was handed out"))?;
        rows.iter().map(records::waiting).collect()
    }
}

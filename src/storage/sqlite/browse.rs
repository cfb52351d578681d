//! What waits in an inbox, handed out or not.

use std::fmt::Write;

use futures_util::TryStreamExt;
use sqlx::query;

use super::SqliteStore;
use super::fresh::FreshRow;
use super::rows::json_list;
use crate::domain::inbox::{InboxKey, Stretch, Waiting};
use crate::storage::error::{StoreError, during};
use crate::storage::records;

/// Rows in the table and fresh ones, merged as those that are free; see [`super::inbox::FREE`].
pub(super) const BROWSE: &str = "
    SELECT waiting.number, waiting.deliveries, payloads.message_id,
        coalesce(substr(payloads.slots, waiting.slot_start + 1, waiting.slot_length), x'') AS slot,
        conversations.id AS conversation, accounts.id AS sender, sessions.id AS sender_session,
        payloads.category, payloads.details, payloads.accepted_at, payloads.body
    FROM (
        SELECT number, deliveries, slot_start, slot_length FROM inbox
        WHERE shard = ?1 AND session = ?2 AND number > ?3 AND set_aside_at IS NULL
        UNION ALL
        SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3 FROM json_each(?4)
        ORDER BY 1 LIMIT -1
    ) AS waiting
    CROSS JOIN payloads ON payloads.number = waiting.number
    CROSS JOIN accounts ON accounts.number = payloads.sender_account
    CROSS JOIN sessions ON sessions.number = payloads.sender_session
    LEFT JOIN conversations ON conversations.number = payloads.conversation
    WHERE NOT EXISTS (SELECT 1 FROM ended_inboxes WHERE shard = ?1 AND session = ?2)
    LIMIT ?5";

impl SqliteStore {
    /// Reads row by row, so that no more is in memory than was asked for.
    pub(super) async fn stretch_of(
        &self,
        inbox: InboxKey,
        stretch: Stretch,
    ) -> Result<Vec<Waiting>, StoreError> {
        let doing = "looking through an inbox";
        let after = stretch.after.map_or(i64::MIN, |order| order.0);
        let held = self.leases.held(inbox.session);
        let fresh = self.fresh.behind(inbox, after, stretch.limit);
        let mut rows = query(BROWSE)
            .bind(inbox.shard.0)
            .bind(inbox.session.0)
            .bind(after)
            .bind(json_list(&fresh, |json, (number, row)| {
                let FreshRow { start, length, deliveries, .. } = row;
                write!(json, "[{number},{deliveries},{start},{length}]")
            }))
            .bind(stretch.limit)
            .fetch(&self.readers);
        let mut messages: Vec<Waiting> = Vec::new();
        let mut bytes = 0_u64;
        while let Some(row) = rows.try_next().await.map_err(during(doing))? {
            let mut message = records::waiting(&row)?;
            // A fresh row that was just put into the table is met in both places.
            if messages.last().is_some_and(|last| last.order == message.order) {
                continue;
            }
            bytes = bytes.saturating_add(message.size());
            if bytes > stretch.max_bytes && !messages.is_empty() {
                break;
            }
            // What is held may not know yet that it was handed out.
            if held.contains(&message.order) {
                message.deliveries = message.deliveries.max(1);
            }
            messages.push(message);
        }
        Ok(messages)
    }
}

//! What was handed out from an inbox and not acknowledged.

use std::fmt::Write;

use sqlx::query;

use super::SqliteStore;
use super::fresh::FreshRow;
use super::inbox::orders_list;
use super::rows::json_list;
use crate::domain::inbox::{InboxKey, Waiting};
use crate::storage::error::{StoreError, during};
use crate::storage::records;

/// Rows in the table and fresh ones, merged as those that are free; see [`super::inbox::FREE`]. Those
/// that are held may not know yet that they were handed out.
pub(super) const HANDED_OUT: &str = "
    SELECT free.number, free.deliveries, payloads.message_id,
        coalesce(substr(payloads.slots, free.slot_start + 1, free.slot_length), x'') AS slot,
        conversations.id AS conversation, accounts.id AS sender, sessions.id AS sender_session,
        payloads.category, payloads.details, payloads.accepted_at, payloads.body
    FROM (
        SELECT number, deliveries, slot_start, slot_length FROM inbox
        WHERE shard = ?1 AND session = ?2 AND set_aside_at IS NULL
            AND (deliveries > 0 OR number IN (SELECT value FROM json_each(?3)))
        UNION ALL
        SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3 FROM json_each(?4)
        ORDER BY 1 LIMIT -1
    ) AS free
    CROSS JOIN payloads ON payloads.number = free.number
    CROSS JOIN accounts ON accounts.number = payloads.sender_account
    CROSS JOIN sessions ON sessions.number = payloads.sender_session
    LEFT JOIN conversations ON conversations.number = payloads.conversation
    WHERE NOT EXISTS (SELECT 1 FROM ended_inboxes WHERE shard = ?1 AND session = ?2)
    LIMIT ?5";

impl SqliteStore {
    pub(super) async fn all_handed_out(
        &self,
        inbox: InboxKey,
        limit: u32,
    ) -> Result<Vec<Waiting>, StoreError> {
        let held = self.leases.held(inbox.session);
        let fresh = self.fresh.handed_out(inbox, &held);
        let rows = query(HANDED_OUT)
            .bind(inbox.shard.0)
            .bind(inbox.session.0)
            .bind(orders_list(&held))
            .bind(json_list(&fresh, |json, (number, row)| {
                let FreshRow { start, length, deliveries, .. } = row;
                write!(json, "[{number},{deliveries},{start},{length}]")
            }))
            .bind(limit)
            .fetch_all(&self.readers)
            .await
            .map_err(during("looking for what was handed out"))?;
        let messages = rows.iter().map(records::waiting).collect::<Result<Vec<_>, _>>();
        let mut messages = messages?;
        // A fresh row that was just put into the table is met in both places.
        messages.dedup_by_key(|message| message.order);
        for message in &mut messages {
            message.deliveries = message.deliveries.max(1);
        }
        Ok(messages)
    }
}

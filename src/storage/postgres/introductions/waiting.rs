//! What waits of introductions.

use sqlx::query;

use crate::domain::clock::Timestamp;
use crate::domain::ids::{AccountNumber, SessionNumber};
use crate::domain::messenger::Introduction;
use crate::domain::messenger::introduction::{IntroductionHead, IntroductionId, Page};
use crate::storage::error::{StoreError, during};
use crate::storage::postgres::PostgresStore;
use crate::storage::records;

#[cfg(test)]
pub(in crate::storage::postgres) const STATEMENTS: &[&str] = &[WAITING, HEADS, HEAD, IS_BY];

/// The texts are read only of those that are wanted.
const WAITING: &str = "
    WITH waiting AS MATERIALIZED (
        SELECT number,
            sum(octet_length(ephemeral_key) + octet_length(sender_key)
                + octet_length(one_time_key) + octet_length(ciphertext))
                OVER (ORDER BY number ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS ahead
        FROM introductions WHERE recipient = $1 AND expires_at + 0 > $4
        ORDER BY number LIMIT $2
    )
    SELECT introductions.id, senders.id AS sender_id, accounts.id AS user_id,
        recipients.id AS recipient_id, introductions.ephemeral_key, introductions.sender_key,
        introductions.one_time_key, introductions.ciphertext, introductions.created_at
    FROM waiting
    JOIN introductions ON introductions.number = waiting.number
    JOIN sessions AS senders ON senders.number = introductions.sender
    JOIN accounts ON accounts.number = senders.account
    JOIN sessions AS recipients ON recipients.number = introductions.recipient
    WHERE coalesce(waiting.ahead, -1) < $3
    ORDER BY introductions.number";

/// The oldest first.
pub(super) async fn list(
    store: &PostgresStore,
    to: SessionNumber,
    page: Page,
) -> Result<Vec<Introduction>, StoreError> {
    let max_bytes = i64::try_from(page.max_bytes).unwrap_or(i64::MAX);
    let wanted = query(WAITING)
        .bind(to.0)
        .bind(i64::from(page.limit))
        .bind(max_bytes)
        .bind(page.now.as_micros());
    let rows = wanted.fetch_all(&mut store.reader().await?).await;
    rows.map_err(during("reading introductions"))?.iter().map(records::introduction).collect()
}

const HEADS: &str = "
    SELECT introductions.id, senders.id AS sender_id, recipients.id AS recipient_id,
        introductions.created_at
    FROM introductions
    JOIN sessions AS senders ON senders.number = introductions.sender
    JOIN sessions AS recipients ON recipients.number = introductions.recipient
    WHERE introductions.recipient = $1 AND introductions.expires_at + 0 > $3
    ORDER BY introductions.number LIMIT $2";

/// The oldest first, without their texts.
pub(super) async fn heads(
    store: &PostgresStore,
    to: SessionNumber,
    now: Timestamp,
    limit: u32,
) -> Result<Vec<IntroductionHead>, StoreError> {
    let wanted = query(HEADS).bind(to.0).bind(i64::from(limit)).bind(now.as_micros());
    let rows = wanted.fetch_all(&mut store.reader().await?).await;
    let rows = rows.map_err(during("reading who introduced themselves"))?;
    rows.iter().map(records::introduction_head).collect()
}

const HEAD: &str = "
    SELECT introductions.id, senders.id AS sender_id, recipients.id AS recipient_id,
        introductions.created_at
    FROM introductions
    JOIN sessions AS senders ON senders.number = introductions.sender
    JOIN sessions AS recipients ON recipients.number = introductions.recipient
    WHERE introductions.id = $1 AND introductions.recipient = $2
        AND introductions.expires_at + 0 > $3";

/// One of them.
pub(super) async fn one(
    store: &PostgresStore,
    to: SessionNumber,
    now: Timestamp,
    id: IntroductionId,
) -> Result<Option<IntroductionHead>, StoreError> {
    let wanted = query(HEAD).bind(&id.as_bytes()[..]).bind(to.0).bind(now.as_micros());
    let row = wanted.fetch_optional(&mut store.reader().await?).await;
    let row = row.map_err(during("looking for an introduction"))?;
    row.as_ref().map(records::introduction_head).transpose()
}

const IS_BY: &str = "
    SELECT 1 AS one
    FROM member_devices
    CROSS JOIN unnest($2::bigint[]) AS wanted (value)
    JOIN introductions ON introductions.recipient = wanted.value
        AND introductions.sender = member_devices.session
        AND introductions.expires_at + 0 > $3
    WHERE member_devices.account = $1
    LIMIT 1";

/// Whether one by any device of that account waits for one of these devices.
pub(super) async fn is_by(
    store: &PostgresStore,
    from: AccountNumber,
    to: &[SessionNumber],
    now: Timestamp,
) -> Result<bool, StoreError> {
    let to = to.iter().map(|it| it.0).collect::<Vec<_>>();
    let found = query(IS_BY).bind(from.0).bind(to).bind(now.as_micros());
    let found = found.fetch_optional(&mut store.reader().await?).await;
    Ok(found.map_err(during("looking for an introduction by somebody"))?.is_some())
}

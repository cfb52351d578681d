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

/// The texts are read only of those that are wanted. Each row is looked up by its key, whatever the
/// tables' statistics say: a plan is kept while the tables grow.
const WAITING: &str = "
    WITH oldest AS MATERIALIZED (
        SELECT number, octet_length(ephemeral_key) + octet_length(sender_key)
            + octet_length(one_time_key) + octet_length(ciphertext) AS size
        FROM introductions WHERE recipient = $1 AND expires_at + 0 > $4
        ORDER BY number + 0 LIMIT $2
    ), waiting AS MATERIALIZED (
        SELECT number,
            sum(size) OVER (ORDER BY number ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
                AS ahead
        FROM oldest
    )
    SELECT it.*
    FROM waiting
    CROSS JOIN LATERAL (
        SELECT introductions.id,
            (SELECT id FROM sessions WHERE number = introductions.sender) AS sender_id,
            (SELECT (SELECT id FROM accounts WHERE number = sessions.account)
                FROM sessions WHERE number = introductions.sender) AS user_id,
            (SELECT id FROM sessions WHERE number = introductions.recipient) AS recipient_id,
            ephemeral_key, sender_key, one_time_key, ciphertext, created_at
        FROM introductions WHERE number = waiting.number
        LIMIT 1
    ) AS it
    WHERE coalesce(waiting.ahead, -1) < $3
    ORDER BY waiting.number";

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
    SELECT id, (SELECT id FROM sessions WHERE number = introductions.sender) AS sender_id,
        (SELECT id FROM sessions WHERE number = introductions.recipient) AS recipient_id,
        created_at
    FROM introductions
    WHERE recipient = $1 AND expires_at + 0 > $3
    ORDER BY number + 0 LIMIT $2";

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
    SELECT id, (SELECT id FROM sessions WHERE number = introductions.sender) AS sender_id,
        (SELECT id FROM sessions WHERE number = introductions.recipient) AS recipient_id,
        created_at
    FROM introductions
    WHERE id = $1 AND recipient + 0 = $2 AND expires_at + 0 > $3";

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
    FROM unnest($2::bigint[]) AS wanted (value)
    CROSS JOIN LATERAL (
        SELECT FROM introductions
        WHERE recipient = wanted.value AND expires_at + 0 > $3
            AND (SELECT account FROM member_devices WHERE session = introductions.sender) = $1
        LIMIT 1
    ) AS theirs
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

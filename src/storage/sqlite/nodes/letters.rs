//! What waits for other gateways, in lines.

use async_trait::async_trait;
use sqlx::{SqliteConnection, query};

use super::super::SqliteStore;
use super::super::rows::value;
use crate::domain::Fault;
use crate::domain::clock::Timestamp;
use crate::domain::inbox::FULL_RETRY;
use crate::domain::messenger::outbox::{Letter, NewLetter, Settled};
use crate::domain::ports::NodeOutbox;
use crate::storage::error::{StoreError, during};
use crate::storage::records;

#[async_trait]
impl NodeOutbox for SqliteStore {
    async fn put_letter(&self, letter: NewLetter, most: u32) -> Result<(), Fault> {
        self.change((letter, most), |input, connection| Box::pin(put(input, connection))).await
    }

    async fn due_letters(
        &self,
        now: Timestamp,
        until: Timestamp,
        limit: u32,
    ) -> Result<Vec<Letter>, Fault> {
        // Nearly always there is nothing to do, and a reader finds that out.
        let due = query(ANY_DUE).bind(now.as_micros()).fetch_optional(&self.readers).await;
        if due.map_err(during("looking for letters"))?.is_none() {
            return Ok(Vec::new());
        }
        let input = (now, until, limit);
        self.change(input, |input, connection| Box::pin(take(input, connection))).await
    }

    async fn settle_letter(&self, letter: &Letter, settled: Settled) -> Result<(), Fault> {
        let input = (letter.clone(), settled);
        self.change(input, |input, connection| Box::pin(settle(input, connection))).await
    }
}

pub(in super::super) const OPEN: &str = "
    INSERT INTO node_lines (node, sender, attempts, next_at) VALUES (?1, ?2, 0, ?3)
    ON CONFLICT DO NOTHING";

pub(in super::super) const WAITING: &str = "
    SELECT count(*) AS letters FROM (
        SELECT 1 FROM node_letters WHERE node = ?1 AND sender = ?2 LIMIT ?3
    ) AS surplus";

pub(in super::super) const IS_THERE: &str = "
    SELECT number FROM node_letters
    WHERE node = ?1 AND logical = ?2 AND sender = ?3 AND digest = ?4";

pub(in super::super) const PUT: &str = "
    INSERT INTO node_letters (node, sender, number, logical, digest, body, expires_at)
    VALUES (?1, ?2, (
        SELECT coalesce(max(number), 0) + 1 FROM node_letters WHERE node = ?1 AND sender = ?2
    ), ?3, ?4, ?5, ?6)";

async fn put(
    (letter, most): &(NewLetter, u32),
    connection: &mut SqliteConnection,
) -> Result<Result<(), Fault>, StoreError> {
    let (node, sender) = (letter.node.as_str(), letter.sender.0);
    let same = query(IS_THERE)
        .bind(node)
        .bind(letter.logical.as_str())
        .bind(sender)
        .bind(letter.digest.as_slice())
        .fetch_optional(&mut *connection)
        .await
        .map_err(during("looking for a letter"))?;
    if same.is_some() {
        return Ok(Ok(()));
    }
    let waiting = query(WAITING).bind(node).bind(sender).bind(most).fetch_one(&mut *connection);
    let waiting: i64 = value(&waiting.await.map_err(during("counting letters"))?, "letters")?;
    if waiting >= i64::from(*most) {
        return Ok(Err(Fault::Deferred { retry_after: FULL_RETRY }));
    }
    let open = query(OPEN).bind(node).bind(sender).bind(letter.at.as_micros());
    open.execute(&mut *connection).await.map_err(during("opening a line of letters"))?;
    query(PUT)
        .bind(node)
        .bind(sender)
        .bind(letter.logical.as_str())
        .bind(letter.digest.as_slice())
        .bind(letter.body.as_slice())
        .bind(letter.expires_at.as_micros())
        .execute(connection)
        .await
        .map_err(during("keeping a letter"))?;
    Ok(Ok(()))
}

pub(in super::super) const ANY_DUE: &str =
    "SELECT node FROM node_lines WHERE next_at <= ?1 LIMIT 1";

pub(in super::super) const TAKE: &str = "
    UPDATE node_lines SET next_at = ?2 WHERE (node, sender) IN (
        SELECT node, sender FROM node_lines WHERE next_at <= ?1 ORDER BY next_at LIMIT ?3
    ) RETURNING node, sender";

pub(in super::super) const FIRST: &str = "
    SELECT letters.node, letters.sender, letters.number, letters.logical, letters.digest,
        letters.body, letters.expires_at, lines.attempts
    FROM node_letters AS letters JOIN node_lines AS lines
        ON lines.node = letters.node AND lines.sender = letters.sender
    WHERE letters.node = ?1 AND letters.sender = ?2 ORDER BY letters.number LIMIT 1";

pub(in super::super) const CLOSE: &str = "DELETE FROM node_lines WHERE node = ?1 AND sender = ?2";

async fn take(
    (now, until, limit): &(Timestamp, Timestamp, u32),
    connection: &mut SqliteConnection,
) -> Result<Result<Vec<Letter>, Fault>, StoreError> {
    let lines = query(TAKE).bind(now.as_micros()).bind(until.as_micros()).bind(limit);
    let lines = lines.fetch_all(&mut *connection).await.map_err(during("taking letters"))?;
    let mut letters = Vec::with_capacity(lines.len());
    for line in &lines {
        let (node, sender): (&str, i64) = (value(line, "node")?, value(line, "sender")?);
        let first = query(FIRST).bind(node).bind(sender).fetch_optional(&mut *connection).await;
        match first.map_err(during("reading a letter"))? {
            Some(row) => letters.push(records::letter(&row)?),
            None => {
                let close = query(CLOSE).bind(node).bind(sender).execute(&mut *connection).await;
                close.map_err(during("closing a line of letters"))?;
            }
        }
    }
    Ok(Ok(letters))
}

pub(in super::super) const DROP: &str = "
    DELETE FROM node_letters WHERE node = ?1 AND sender = ?2 AND number = ?3 AND digest = ?4";

pub(in super::super) const NEXT: &str =
    "UPDATE node_lines SET attempts = 0, next_at = ?3 WHERE node = ?1 AND sender = ?2";

pub(in super::super) const AGAIN: &str = "
    UPDATE node_lines SET attempts = attempts + 1, next_at = ?3
    WHERE node = ?1 AND sender = ?2 AND EXISTS (
        SELECT 1 FROM node_letters AS waiting
        WHERE waiting.node = ?1 AND waiting.sender = ?2 AND waiting.number = ?4
            AND waiting.digest = ?5
    )";

async fn settle(
    (letter, settled): &(Letter, Settled),
    connection: &mut SqliteConnection,
) -> Result<Result<(), Fault>, StoreError> {
    let (node, sender) = (letter.node.as_str(), letter.sender.0);
    let digest = letter.digest.as_slice();
    match settled {
        Settled::Done { at } => {
            let dropped = query(DROP).bind(node).bind(sender).bind(letter.number).bind(digest);
            let dropped = dropped.execute(&mut *connection).await;
            if dropped.map_err(during("dropping a letter"))?.rows_affected() == 1 {
                let next = query(NEXT).bind(node).bind(sender).bind(at.as_micros());
                next.execute(connection).await.map_err(during("going on to the next letter"))?;
            }
        }
        Settled::Again { at } => {
            let again = query(AGAIN).bind(node).bind(sender).bind(at.as_micros());
            let again = again.bind(letter.number).bind(digest).execute(connection).await;
            again.map_err(during("putting a letter off"))?;
        }
    }
    Ok(Ok(()))
}

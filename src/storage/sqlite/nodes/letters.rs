//! What waits for other gateways, in lines.

use std::collections::BTreeMap;

use async_trait::async_trait;
use sqlx::{SqliteConnection, query};

use super::super::SqliteStore;
use super::super::rows::value;
use crate::domain::Fault;
use crate::domain::clock::Timestamp;
use crate::domain::messenger::node::NodeId;
use crate::domain::messenger::outbox::{Amount, Letter, Line, NewLetter, Settled};
use crate::domain::ports::NodeOutbox;
use crate::storage::error::{StoreError, during};
use crate::storage::records;

#[async_trait]
impl NodeOutbox for SqliteStore {
    async fn put_letter(&self, letter: NewLetter, most: Amount) -> Result<(), Fault> {
        self.change((letter, most), |input, connection| Box::pin(put(input, connection))).await
    }

    async fn due_lines(
        &self,
        now: Timestamp,
        until: Timestamp,
        limit: u32,
    ) -> Result<Vec<Line>, Fault> {
        // Nearly always there is nothing to do, and a reader finds that out.
        let due = query(ANY_DUE).bind(now.as_micros());
        let due = due.fetch_optional(&self.readers).await;
        if due.map_err(during("looking for letters"))?.is_none() {
            return Ok(Vec::new());
        }
        let input = (now, until, limit);
        self.change(input, |input, connection| Box::pin(take(input, connection))).await
    }

    async fn first_letter(&self, line: &Line) -> Result<Option<Letter>, Fault> {
        let first = query(FIRST).bind(line.sender.0).bind(line.node.as_str());
        let first = first.fetch_optional(&self.readers).await;
        let row = first.map_err(during("reading a letter"))?;
        Ok(row.as_ref().map(records::letter).transpose()?)
    }

    async fn settle_letter(&self, letter: &Letter, settled: Settled) -> Result<(), Fault> {
        let input = (letter.clone(), settled);
        self.change(input, |input, connection| Box::pin(settle(input, connection))).await
    }

    async fn put_off_lines(&self, node: &NodeId, until: Timestamp) -> Result<(), Fault> {
        let input = (node.clone(), until);
        self.change(input, |input, connection| Box::pin(put_off(input, connection))).await
    }

    async fn forget_letters(&self, now: Timestamp, limit: u32) -> Result<u64, Fault> {
        // Nearly always there is nothing to do, and a reader finds that out.
        let old = query(ANY_OVER).bind(now.as_micros());
        let old = old.fetch_optional(&self.readers).await;
        if old.map_err(during("looking for old letters"))?.is_none() {
            return Ok(0);
        }
        self.change((now, limit), |input, connection| Box::pin(forget(input, connection))).await
    }
}

/// Whoever ends the device waits, and so does another letter of it.
pub(in super::super) const SENDER: &str = "SELECT session FROM member_devices WHERE session = ?1";

pub(in super::super) const SAME: &str = "
    SELECT number FROM node_letters
    WHERE sender = ?1 AND node = ?2 AND logical = ?3 AND digest = ?4";

pub(in super::super) const LINES: &str =
    "SELECT node, letters, bytes FROM node_lines WHERE sender = ?1";

const GROW: &str = "
    INSERT INTO node_lines (sender, node, letters, bytes, attempts, next_at)
    VALUES (?1, ?2, 1, ?3, 0, ?4)
    ON CONFLICT (sender, node) DO UPDATE SET
        letters = node_lines.letters + 1, bytes = node_lines.bytes + excluded.bytes";

const PUT: &str = "
    INSERT INTO node_letters (sender, node, number, logical, digest, body, expires_at)
    VALUES (?1, ?2, (
        SELECT coalesce(max(number), 0) + 1 FROM node_letters WHERE sender = ?1 AND node = ?2
    ), ?3, ?4, ?5, ?6)";

async fn put(
    (letter, most): &(NewLetter, Amount),
    connection: &mut SqliteConnection,
) -> Result<Result<(), Fault>, StoreError> {
    let (node, sender) = (letter.node.as_str(), letter.sender.0);
    let live = query(SENDER).bind(sender).fetch_optional(&mut *connection).await;
    if live.map_err(during("looking for a letter's sender"))?.is_none() {
        return Ok(Err(Fault::NotFound { what: "device" }));
    }
    let same = query(SAME).bind(sender).bind(node).bind(letter.logical.as_str());
    let same = same.bind(letter.digest.as_slice()).fetch_optional(&mut *connection).await;
    if same.map_err(during("looking for a letter"))?.is_some() {
        return Ok(Ok(()));
    }
    let (waiting, has_line) = waiting(letter, connection).await?;
    if let Err(full) = waiting.with(letter.body.len(), !has_line, *most) {
        return Ok(Err(full));
    }
    let grow = query(GROW).bind(sender).bind(node).bind(size(letter.body.len()));
    let grow = grow.bind(letter.at.as_micros()).execute(&mut *connection).await;
    grow.map_err(during("lengthening a line of letters"))?;
    query(PUT)
        .bind(sender)
        .bind(node)
        .bind(letter.logical.as_str())
        .bind(letter.digest.as_slice())
        .bind(letter.body.as_slice())
        .bind(letter.expires_at.as_micros())
        .execute(connection)
        .await
        .map_err(during("keeping a letter"))?;
    Ok(Ok(()))
}

fn size(bytes: usize) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

/// What waits of the sender, and whether there is a line for the letter's gateway.
async fn waiting(
    letter: &NewLetter,
    connection: &mut SqliteConnection,
) -> Result<(Amount, bool), StoreError> {
    let rows = query(LINES).bind(letter.sender.0).fetch_all(connection).await;
    let (mut waiting, mut has_line) = (Amount::default(), false);
    for row in rows.map_err(during("counting letters"))? {
        let (node, letters, bytes): (&str, i64, i64) =
            (value(&row, "node")?, value(&row, "letters")?, value(&row, "bytes")?);
        waiting.lines += 1;
        waiting.letters += letters.unsigned_abs();
        waiting.bytes += bytes.unsigned_abs();
        has_line |= node == letter.node.as_str();
    }
    Ok((waiting, has_line))
}

pub(in super::super) const ANY_DUE: &str =
    "SELECT node FROM node_lines WHERE next_at <= ?1 ORDER BY next_at LIMIT 1";

pub(in super::super) const TAKE: &str = "
    UPDATE node_lines SET next_at = ?2 WHERE (sender, node) IN (
        SELECT sender, node FROM node_lines WHERE next_at <= ?1 ORDER BY next_at LIMIT ?3
    ) RETURNING sender, node";

async fn take(
    (now, until, limit): &(Timestamp, Timestamp, u32),
    connection: &mut SqliteConnection,
) -> Result<Result<Vec<Line>, Fault>, StoreError> {
    let lines = query(TAKE).bind(now.as_micros()).bind(until.as_micros()).bind(i64::from(*limit));
    let lines = lines.fetch_all(connection).await.map_err(during("taking letters"))?;
    Ok(Ok(lines.iter().map(records::line).collect::<Result<_, _>>()?))
}

pub(in super::super) const FIRST: &str = "
    SELECT letters.node, letters.sender, letters.number, letters.logical, letters.digest,
        letters.body, letters.expires_at, lines.attempts
    FROM node_letters AS letters JOIN node_lines AS lines
        ON lines.sender = letters.sender AND lines.node = letters.node
    WHERE letters.sender = ?1 AND letters.node = ?2 ORDER BY letters.number LIMIT 1";

pub(in super::super) const DROP: &str = "
    DELETE FROM node_letters WHERE sender = ?1 AND node = ?2 AND number = ?3 AND digest = ?4";

pub(in super::super) const NEXT: &str = "
    UPDATE node_lines SET letters = letters - 1, bytes = bytes - ?3, attempts = 0, next_at = ?4
    WHERE sender = ?1 AND node = ?2";

pub(in super::super) const CLOSE: &str =
    "DELETE FROM node_lines WHERE sender = ?1 AND node = ?2 AND letters <= 0";

pub(in super::super) const AGAIN: &str = "
    UPDATE node_lines SET attempts = attempts + 1, next_at = ?3
    WHERE sender = ?1 AND node = ?2 AND EXISTS (
        SELECT 1 FROM node_letters AS waiting
        WHERE waiting.sender = ?1 AND waiting.node = ?2 AND waiting.number = ?4
            AND waiting.digest = ?5
    )";

async fn settle(
    (letter, settled): &(Letter, Settled),
    connection: &mut SqliteConnection,
) -> Result<Result<(), Fault>, StoreError> {
    match settled {
        Settled::Done { at } => drop_one(letter, *at, connection).await?,
        Settled::Again { at } => {
            let again = query(AGAIN).bind(letter.sender.0).bind(letter.node.as_str());
            let again = again.bind(at.as_micros()).bind(letter.number);
            let again = again.bind(letter.digest.as_slice()).execute(connection).await;
            again.map_err(during("putting a letter off"))?;
        }
    }
    Ok(Ok(()))
}

async fn drop_one(
    letter: &Letter,
    at: Timestamp,
    connection: &mut SqliteConnection,
) -> Result<(), StoreError> {
    let (node, sender) = (letter.node.as_str(), letter.sender.0);
    let dropped = query(DROP).bind(sender).bind(node).bind(letter.number);
    let dropped = dropped.bind(letter.digest.as_slice()).execute(&mut *connection).await;
    if dropped.map_err(during("dropping a letter"))?.rows_affected() == 0 {
        return Ok(());
    }
    let next = query(NEXT).bind(sender).bind(node).bind(size(letter.body.len()));
    let next = next.bind(at.as_micros()).execute(&mut *connection).await;
    next.map_err(during("going on to the next letter"))?;
    close(sender, node, connection).await
}

async fn close(
    sender: i64,
    node: &str,
    connection: &mut SqliteConnection,
) -> Result<(), StoreError> {
    let close = query(CLOSE).bind(sender).bind(node).execute(connection).await;
    close.map_err(during("closing a line of letters"))?;
    Ok(())
}

/// Lines that somebody changes just now are not waited for.
pub(in super::super) const PUT_OFF: &str = "
    UPDATE node_lines SET next_at = ?2 WHERE node = ?1";

async fn put_off(
    (node, until): &(NodeId, Timestamp),
    connection: &mut SqliteConnection,
) -> Result<Result<(), Fault>, StoreError> {
    let put_off =
        query(PUT_OFF).bind(node.as_str()).bind(until.as_micros()).execute(connection).await;
    put_off.map_err(during("putting off letters for a gateway"))?;
    Ok(Ok(()))
}

pub(in super::super) const ANY_OVER: &str =
    "SELECT node FROM node_letters WHERE expires_at <= ?1 ORDER BY expires_at LIMIT 1";

pub(in super::super) const FORGET: &str = "
    DELETE FROM node_letters WHERE (sender, node, number) IN (
        SELECT sender, node, number FROM node_letters
        WHERE expires_at <= ?1 ORDER BY expires_at LIMIT ?2
    ) RETURNING sender, node, length(body) AS bytes";

pub(in super::super) const SHRINK: &str = "
    UPDATE node_lines SET letters = letters - ?3, bytes = bytes - ?4, attempts = 0
    WHERE sender = ?1 AND node = ?2";

async fn forget(
    (now, limit): &(Timestamp, u32),
    connection: &mut SqliteConnection,
) -> Result<Result<u64, Fault>, StoreError> {
    let rows = query(FORGET).bind(now.as_micros()).bind(i64::from(*limit));
    let rows = rows.fetch_all(&mut *connection).await.map_err(during("forgetting letters"))?;
    // In their order, so that nobody waits for somebody who waits.
    let mut lines = BTreeMap::<Line, (i64, i64)>::new();
    for row in &rows {
        let (letters, bytes) = lines.entry(records::line(row)?).or_default();
        (*letters, *bytes) = (*letters + 1, *bytes + value::<i64>(row, "bytes")?);
    }
    for (line, (letters, bytes)) in lines {
        let (sender, node) = (line.sender.0, line.node.as_str());
        let shrink = query(SHRINK).bind(sender).bind(node).bind(letters).bind(bytes);
        let shrink = shrink.execute(&mut *connection).await;
        shrink.map_err(during("shortening a line of letters"))?;
        close(sender, node, connection).await?;
    }
    Ok(Ok(rows.len() as u64))
}

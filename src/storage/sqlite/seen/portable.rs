//! All accepted ids, for a [move](crate::storage::portable) to another database or from one.

use futures_util::TryStreamExt;
use sqlx::{SqliteConnection, query};

use super::entry::{Entry, Secret, pack, unpack};
use super::ledger::{Ledger, Newest, State};
use super::load::secret;
use super::newest::{self, Group};
use super::records;
use crate::domain::ids::{AccountNumber, MessageId};
use crate::domain::inbox::MessageDigest;
use crate::storage::error::{StoreError, during};
use crate::storage::portable::{Cell, Each, PortableError, Row};
use crate::storage::sqlite::rows::value;

const READING: &str = "reading all message ids";

/// Groups that were moved here are numbered from here on, far below those of messages.
const FIRST_GROUP: i64 = -(1 << 40);

const NEWEST: &str = "SELECT newest_at, ids FROM seen_newest WHERE number > ?1 ORDER BY number";

const CHUNKS: &str = "SELECT ids FROM seen_chunks WHERE run = ?1 ORDER BY first";

/// Where ids are looked for: the newest after a number, and these runs with the time of each.
async fn places(connection: &mut SqliteConnection) -> Result<(i64, Vec<(i64, i64)>), StoreError> {
    let ledger = Ledger::new(records::all(connection).await?, Newest::NONE);
    // What is in a run that is whole is not looked for among the newest any more.
    let folded = ledger.records().filter(|it| it.state != State::Writing);
    let after = folded.filter_map(|it| it.folds_to).max().unwrap_or(i64::MIN);
    let asked = ledger.records().filter(|it| ledger.is_asked(it));
    Ok((after, asked.map(|it| (it.number, it.newest_at)).collect()))
}

/// Hands every id out.
pub(in super::super) async fn read_all(
    connection: &mut SqliteConnection,
    each: Each<'_>,
) -> Result<(), PortableError> {
    let secret = secret(connection).await?;
    let (after, runs) = places(connection).await?;
    for (run, newest_at) in runs {
        let mut chunks = query(CHUNKS).bind(run).fetch(&mut *connection);
        while let Some(chunk) = chunks.try_next().await.map_err(during(READING))? {
            hand_out(value(&chunk, "ids")?, newest_at, secret, each)?;
        }
    }
    let mut groups = query(NEWEST).bind(after).fetch(connection);
    while let Some(group) = groups.try_next().await.map_err(during(READING))? {
        hand_out(value(&group, "ids")?, value(&group, "newest_at")?, secret, each)?;
    }
    Ok(())
}

fn hand_out(ids: &[u8], at: i64, secret: Secret, each: Each<'_>) -> Result<(), PortableError> {
    for Entry { key, digest } in unpack(ids, secret)? {
        each(vec![
            Cell::Number(key.sender.0),
            Cell::Bytes(key.id.as_bytes().to_vec()),
            Cell::Bytes(digest.0.to_vec()),
            Cell::Number(at),
        ])?;
    }
    Ok(())
}

/// How many ids there are.
pub(in super::super) async fn count_all(
    connection: &mut SqliteConnection,
) -> Result<u64, PortableError> {
    let mut count = 0;
    let each = &mut |_: Row| {
        count += 1;
        Ok(())
    };
    read_all(connection, each).await?;
    Ok(count)
}

/// Adds ids as the `number`th group, from 1. They become runs when messages come in.
pub(in super::super) async fn write_group(
    connection: &mut SqliteConnection,
    number: i64,
    rows: &[Row],
) -> Result<(), StoreError> {
    let secret = secret(connection).await?;
    let mut group = Group { number: FIRST_GROUP + number, newest_at: 0, entries: Vec::new() };
    for row in rows {
        let (entry, at) = entry(row, secret).ok_or(StoreError::Corrupt { column: "ids" })?;
        group.entries.push(entry);
        group.newest_at = group.newest_at.max(at);
    }
    let add = query(newest::APPEND).bind(group.number).bind(group.newest_at);
    let added = add.bind(pack(&group.entries)).execute(connection).await;
    added.map_err(during("storing message ids"))?;
    Ok(())
}

fn entry(row: &Row, secret: Secret) -> Option<(Entry, i64)> {
    let [sender, id, digest, at] = row.as_slice() else { return None };
    let key = secret
        .key(AccountNumber(sender.number()?), MessageId::from_bytes(id.bytes()?.try_into().ok()?));
    let digest = MessageDigest(digest.bytes()?.try_into().ok()?);
    Some((Entry { key, digest }, at.number()?))
}

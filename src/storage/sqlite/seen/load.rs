//! From what is on disk to what is known in memory.

use sqlx::{SqliteConnection, query};

use super::Sizes;
use super::entry::Secret;
use super::index::{Filters, Ids, Index, Run};
use super::ledger::{Ledger, Newest, Record, State};
use super::{newest, records};
use crate::storage::error::{StoreError, during};
use crate::storage::filter::Filter;
use crate::storage::sqlite::rows::{array, value};

/// What a database says.
pub(super) struct Loaded {
    pub secret: Secret,
    pub ledger: Ledger,
    pub index: Index,
}

const SECRET: &str = "SELECT value FROM settings WHERE name = 'seen_secret'";

/// Reads everything.
pub(super) async fn load(
    connection: &mut SqliteConnection,
    sizes: &Sizes,
) -> Result<Loaded, StoreError> {
    let secret = secret(connection).await?;
    let records = records::all(connection).await?;
    let fold = records.iter().find(|it| it.folds_to.is_some());
    let (newest, frozen, last) = newest_ids(connection, fold, secret).await?;
    let ledger = Ledger::new(records, last);
    let mut index = Index::new(sizes.held, newest, frozen);
    add_runs(connection, &ledger, &mut index, sizes).await?;
    Ok(Loaded { secret, ledger, index })
}

/// What places ids in their order.
pub(super) async fn secret(connection: &mut SqliteConnection) -> Result<Secret, StoreError> {
    let row = query(SECRET).fetch_one(connection).await;
    let row = row.map_err(during("reading where message ids have their places"))?;
    Ok(Secret::from_bytes(array(&row, "value")?))
}

/// The newest ids, those that are being moved into a run, and what there is to say of the newest.
async fn newest_ids(
    connection: &mut SqliteConnection,
    fold: Option<&Record>,
    secret: Secret,
) -> Result<(Ids, Ids, Newest), StoreError> {
    let folds_to = fold.and_then(|it| it.folds_to).unwrap_or(i64::MIN);
    // What is in a run that is asked need not be looked at.
    let is_writing = fold.is_some_and(|it| it.state == State::Writing);
    let after = if is_writing { i64::MIN } else { folds_to };
    let groups = newest::after(connection, after, i64::MAX, secret).await?;
    let (mut frozen, mut others) = (Vec::new(), Vec::new());
    let mut all = Newest::NONE;
    for group in groups {
        let ids = group.entries.iter().map(|it| (it.key, it.digest));
        if group.number <= folds_to {
            frozen.extend(ids);
        } else {
            others.extend(ids);
            all = Newest {
                ids: others.len(),
                last: group.number,
                newest_at: all.newest_at.max(group.newest_at),
            };
        }
    }
    Ok((others.into_iter().collect(), frozen.into_iter().collect(), all))
}

pub(super) const FILTERS: &str =
    "SELECT first, bits FROM seen_filters WHERE run = ?1 ORDER BY first";

async fn add_runs(
    connection: &mut SqliteConnection,
    ledger: &Ledger,
    index: &mut Index,
    sizes: &Sizes,
) -> Result<(), StoreError> {
    let mut records: Vec<&Record> = ledger.records().collect();
    records.sort_by_key(|record| record.ids);
    let mut held = 0;
    for record in records {
        if record.state == State::Writing {
            index.add_growing(record.number, filters(connection, record.number).await?);
        } else if ledger.is_asked(record) {
            held += record.ids;
            let filters = match held <= sizes.held {
                true => Some(filters(connection, record.number).await?.into()),
                false => None,
            };
            index.add(Run { number: record.number, ids: record.ids, filters });
        }
    }
    Ok(())
}

async fn filters(connection: &mut SqliteConnection, run: i64) -> Result<Filters, StoreError> {
    let rows = query(FILTERS).bind(run).fetch_all(connection).await;
    let mut filters = Filters::default();
    for row in rows.map_err(during("reading the filters of message ids"))? {
        filters.push(value(&row, "first")?, Filter::from_bytes(value(&row, "bits")?));
    }
    Ok(filters)
}

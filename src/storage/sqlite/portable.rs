//! The database file as the source or the target of a [move](crate::storage::portable).

use async_trait::async_trait;
use futures_util::TryStreamExt;
use sqlx::{AssertSqlSafe, Connection, SqliteConnection, query};

use super::SqliteStore;
use super::connect;
use super::rows::value;
use super::seen;
use crate::domain::ports::Store;
use crate::storage::error::{StoreError, during};
use crate::storage::open::{OpenError, StorageConfig};
use crate::storage::portable::{
    Cell, Column, Each, FILLING, LEFT_OUT, Port, PortableError, READING, Row, Table, cells,
};

/// A connection in a transaction.
pub(in crate::storage) struct SqlitePort {
    connection: SqliteConnection,
    /// The slots of the message whose rows of inboxes are being written.
    slots: Option<(i64, Vec<u8>)>,
    /// The groups of ids that were written.
    groups: i64,
}

impl SqlitePort {
    /// A moment to read. Rows of inboxes that were in memory are put into their table first.
    pub(in crate::storage) async fn reading(config: &StorageConfig) -> Result<Self, PortableError> {
        let store = SqliteStore::open(config).await?;
        let settled = store.settle_all().await;
        store.close().await;
        settled.map_err(PortableError::Restless)?;
        Self::begin(config, "BEGIN").await
    }

    /// A database to fill, brought up to date.
    pub(in crate::storage) async fn writing(config: &StorageConfig) -> Result<Self, PortableError> {
        SqliteStore::open(config).await?.close().await;
        Self::begin(config, "BEGIN IMMEDIATE").await
    }

    async fn begin(config: &StorageConfig, begin: &'static str) -> Result<Self, PortableError> {
        let unusable = |source| OpenError::Database { path: config.path.clone(), source };
        let options = connect::writer_options(config);
        let mut connection = connect::writer(&options).await.map_err(unusable)?;
        query(begin).execute(&mut connection).await.map_err(during(READING))?;
        Ok(Self { connection, slots: None, groups: 0 })
    }

    /// Writes the slots of a message beside its body.
    async fn put_slots(&mut self) -> Result<(), StoreError> {
        let Some((number, slots)) = self.slots.take() else { return Ok(()) };
        let put = query("UPDATE payloads SET slots = ?2 WHERE number = ?1").bind(number);
        let put = put.bind(slots).execute(&mut self.connection).await;
        put.map_err(during(FILLING)).map(drop)
    }

    async fn write_inbox(&mut self, rows: Vec<Row>) -> Result<(), StoreError> {
        for row in rows {
            let [number, _, shard, session, deliveries, set_aside_at, slot] = row.as_slice() else {
                return Err(StoreError::Corrupt { column: "inbox" });
            };
            let corrupt = StoreError::Corrupt { column: "inbox" };
            let (Some(message), Some(slot)) = (number.number(), slot.bytes()) else {
                return Err(corrupt);
            };
            if self.slots.as_ref().is_none_or(|(open, _)| *open != message) {
                self.put_slots().await?;
            }
            let (_, slots) = self.slots.get_or_insert((message, Vec::new()));
            let start = slots.len() as i64;
            slots.extend_from_slice(slot);
            let insert = query(INSERT_INBOX)
                .bind(shard.number())
                .bind(session.number())
                .bind(message)
                .bind(deliveries.number())
                .bind(set_aside_at.number())
                .bind(start)
                .bind(slot.len() as i64);
            insert.execute(&mut self.connection).await.map_err(during(FILLING))?;
        }
        Ok(())
    }

    async fn write_sequences(&mut self, rows: &[Row]) -> Result<(), StoreError> {
        for row in rows {
            let [name, value] = row.as_slice() else { continue };
            let statements: &[&'static str] = match name.text() {
                Some(DROP_BOXES) => &[FORGET_BOXES, PUT_BOXES],
                Some("messages") => &[PUT_SEQUENCE, PUT_SETTLED],
                _ => &[PUT_SEQUENCE],
            };
            for statement in statements {
                let put = query(*statement).bind(name.text()).bind(value.number());
                put.execute(&mut self.connection).await.map_err(during(FILLING))?;
            }
        }
        Ok(())
    }

    async fn write_plain(
        &mut self,
        name: &'static str,
        columns: &[Column],
        rows: Vec<Row>,
    ) -> Result<(), StoreError> {
        let names: Vec<_> = columns.iter().map(|column| column.name.as_str()).collect();
        let places = vec!["?"; columns.len()].join(", ");
        let insert = format!("INSERT INTO {name} ({}) VALUES ({places})", names.join(", "));
        for row in rows {
            let mut statement = query(AssertSqlSafe(insert.clone()));
            for cell in row {
                statement = match cell {
                    Cell::Null => statement.bind(None::<i64>),
                    Cell::Number(number) => statement.bind(number),
                    Cell::Text(text) => statement.bind(text),
                    Cell::Bytes(bytes) => statement.bind(bytes),
                };
            }
            statement.execute(&mut self.connection).await.map_err(during(FILLING))?;
        }
        Ok(())
    }
}

const INSERT_INBOX: &str = "
    INSERT INTO inbox
        (shard, session, number, deliveries, set_aside_at, slot_start, slot_length)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";

/// The sequence that SQLite keeps itself, so that no box comes back under another one's number.
const DROP_BOXES: &str = "drop_boxes";

const FORGET_BOXES: &str = "DELETE FROM sqlite_sequence WHERE name = ?1 AND ?2 >= 0";

const PUT_BOXES: &str = "
    INSERT INTO sqlite_sequence (name, seq) SELECT ?1, ?2 WHERE ?2 > 0";

const PUT_SEQUENCE: &str = "
    INSERT INTO sequences (name, value) VALUES (?1, ?2)
    ON CONFLICT (name) DO UPDATE SET value = excluded.value";

/// All rows of inboxes are in their table.
const PUT_SETTLED: &str = "
    UPDATE settled SET through = ?2, target = ?2, shard = 0, session = 0, number = 0
    WHERE ?1 = 'messages'";

const COLUMNS: &str = "SELECT name, type FROM pragma_table_info(?1) ORDER BY cid";

const INBOX: &str = "
    SELECT inbox.number, payloads.shard AS home, inbox.shard, inbox.session, inbox.deliveries,
        inbox.set_aside_at,
        coalesce(substr(payloads.slots, inbox.slot_start + 1, inbox.slot_length), x'') AS slot
    FROM inbox JOIN payloads ON payloads.number = inbox.number
    ORDER BY inbox.number, inbox.shard, inbox.session";

const COUNT_INBOX: &str = "
    SELECT count(*) AS rows FROM inbox JOIN payloads ON payloads.number = inbox.number";

const SEQUENCES: &str = "
    SELECT name, value FROM sequences
    UNION ALL SELECT 'drop_boxes',
        coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'drop_boxes'), 0)";

/// What stays as it is wherever the rest goes: the order of the ids in this file.
const KEPT: &str = "name <> 'seen_secret'";

/// The statement's condition, if it has one.
fn condition(name: &str) -> &'static str {
    if name == "settings" { KEPT } else { "true" }
}

#[async_trait]
impl Port for SqlitePort {
    async fn columns(&mut self, table: Table) -> Result<Vec<Column>, StoreError> {
        if let Some(columns) = table.own_columns() {
            return Ok(columns);
        }
        let name = table.name();
        let rows = query(COLUMNS).bind(name).fetch_all(&mut self.connection).await;
        let mut columns = Vec::new();
        for row in rows.map_err(during(READING))? {
            let column: String = value(&row, "name")?;
            if LEFT_OUT.contains(&(name, column.as_str())) {
                continue;
            }
            let column = Column::new(column, value(&row, "type")?);
            columns.push(column.ok_or(StoreError::Corrupt { column: "type" })?);
        }
        Ok(columns)
    }

    async fn count(&mut self, table: Table) -> Result<u64, PortableError> {
        let statement = match table {
            Table::Plain(name) => {
                format!("SELECT count(*) AS rows FROM {name} WHERE {}", condition(name))
            }
            Table::Inbox => COUNT_INBOX.to_owned(),
            Table::Sequences => "SELECT count(*) + 1 AS rows FROM sequences".to_owned(),
            Table::Seen => return seen::count_all(&mut self.connection).await,
        };
        let row = query(AssertSqlSafe(statement)).fetch_one(&mut self.connection).await;
        let rows: i64 = value(&row.map_err(during(READING))?, "rows")?;
        Ok(rows.unsigned_abs())
    }

    async fn read(
        &mut self,
        table: Table,
        columns: &[Column],
        each: Each<'_>,
    ) -> Result<(), PortableError> {
        let statement = match table {
            Table::Seen => return seen::read_all(&mut self.connection, each).await,
            Table::Inbox => INBOX.to_owned(),
            Table::Sequences => SEQUENCES.to_owned(),
            Table::Plain(name) => {
                let names: Vec<_> = columns.iter().map(|column| column.name.as_str()).collect();
                format!("SELECT {} FROM {name} WHERE {}", names.join(", "), condition(name))
            }
        };
        let mut rows = query(AssertSqlSafe(statement)).fetch(&mut self.connection);
        while let Some(row) = rows.try_next().await.map_err(during(READING))? {
            each(cells(&row, columns)?)?;
        }
        Ok(())
    }

    async fn write(
        &mut self,
        table: Table,
        columns: &[Column],
        rows: Vec<Row>,
    ) -> Result<(), StoreError> {
        match table {
            Table::Plain(name) => self.write_plain(name, columns, rows).await,
            Table::Inbox => self.write_inbox(rows).await,
            Table::Sequences => self.write_sequences(&rows).await,
            Table::Seen => {
                self.groups += 1;
                seen::write_group(&mut self.connection, self.groups, &rows).await
            }
        }
    }

    async fn settle(&mut self) -> Result<(), StoreError> {
        self.put_slots().await
    }

    async fn clear_settings(&mut self) -> Result<(), StoreError> {
        let clear = query(AssertSqlSafe(format!("DELETE FROM settings WHERE {KEPT}")));
        clear.execute(&mut self.connection).await.map_err(during(FILLING)).map(drop)
    }

    async fn commit(mut self: Box<Self>) -> Result<(), StoreError> {
        query("COMMIT").execute(&mut self.connection).await.map_err(during(FILLING))?;
        self.connection.close().await.map_err(during(FILLING))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::portable::TABLES;

    /// Tables that travel in another form or not at all.
    const OTHERS: &[&str] =
        &["fresh_rows", "settled", "seen_newest", "seen_runs", "seen_chunks", "seen_filters"];

    #[tokio::test]
    async fn every_table_travels() {
        let folder = tempfile::tempdir().unwrap();
        let config = StorageConfig::at(folder.path().join("x.db"));
        let mut port = SqlitePort::writing(&config).await.unwrap();
        let all = "SELECT name FROM pragma_table_list WHERE schema = 'main' AND strict";
        let rows = query(all).fetch_all(&mut port.connection).await.unwrap();
        let names = rows.iter().map(|row| value::<String>(row, "name").unwrap());
        let mut missing: Vec<_> = names.filter(|it| !OTHERS.contains(&it.as_str())).collect();
        assert!(missing.len() > 30, "{missing:?}");
        missing.retain(|name| !TABLES.iter().any(|table| table.name() == name));
        assert_eq!(missing, Vec::<String>::new());
    }

    #[tokio::test]
    async fn whoever_refers_to_a_table_comes_after_it() {
        let folder = tempfile::tempdir().unwrap();
        let config = StorageConfig::at(folder.path().join("x.db"));
        let mut port = SqlitePort::writing(&config).await.unwrap();
        let mut before: Vec<&str> = Vec::new();
        let mut references = 0;
        for table in TABLES {
            let list = query("SELECT \"table\" AS name FROM pragma_foreign_key_list(?1)");
            let rows = list.bind(table.name()).fetch_all(&mut port.connection).await.unwrap();
            for row in rows {
                let to: String = value(&row, "name").unwrap();
                assert!(before.contains(&to.as_str()), "{} refers to {to}", table.name());
                references += 1;
            }
            before.push(table.name());
        }
        assert!(references > 20, "only {references} references");
    }
}

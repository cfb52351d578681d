//! Everything that a database keeps, in a file that either kind of database can be filled from.
//!
//! The two have the same tables but for a few that are laid out in their own way; those travel in a
//! form of their own (`tables`), everything else a row at a time as it is. A file begins with a
//! line that says what it is, then come the tables one after the other, each with a line before it
//! that names its columns and one after it with the number of its rows and a digest over them. It
//! ends with a line that says so; without that one it is cut off.
//!
//! What is read is one moment of the database: a transaction that sees no later change. What is
//! written is one transaction too, and before it is committed all of it is read again and compared
//! with the file, so that a database is either filled with all that the file has or stays empty.

mod cells;
mod error;
mod lines;
mod tables;

use std::io::{BufRead, Write};

use async_trait::async_trait;

pub(super) use self::cells::cells;
pub use self::error::PortableError;
use self::lines::{Digest, Reader, Writer};
pub(super) use self::tables::{Cell, Column, Kind, LEFT_OUT, Row, TABLES, Table};
use super::error::StoreError;
use super::open::Database;
use super::postgres::PostgresPort;
use super::sqlite::SqlitePort;

/// A batch that is written at once has no more rows, and no more bytes by much.
const BATCH_ROWS: usize = 500;
const BATCH_BYTES: usize = 4 * 1024 * 1024;

/// What a database is asked for.
pub(super) const READING: &str = "reading all of the database";
pub(super) const FILLING: &str = "filling the database";

/// Is told how many rows there are in all, and each time how many more are done.
pub trait Watcher: Send {
    /// So many rows are to be gone through; told once, before the first of them.
    fn begins(&mut self, rows: u64);

    /// So many more rows are done.
    fn advanced(&mut self, rows: u64);
}

/// What was in a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moved {
    /// Tables.
    pub tables: u64,
    /// Rows in all of them.
    pub rows: u64,
}

/// What is done with each row that is read.
pub(super) type Each<'a> = &'a mut (dyn FnMut(Row) -> Result<(), PortableError> + Send);

/// One database, in a transaction that either reads one moment of it or fills it.
#[async_trait]
pub(super) trait Port: Send {
    /// The columns in which a table travels, in the table's order.
    async fn columns(&mut self, table: Table) -> Result<Vec<Column>, StoreError>;

    /// How many rows a table has.
    async fn count(&mut self, table: Table) -> Result<u64, PortableError>;

    /// Reads all rows of a table.
    async fn read(
        &mut self,
        table: Table,
        columns: &[Column],
        each: Each<'_>,
    ) -> Result<(), PortableError>;

    /// Adds rows to a table.
    async fn write(
        &mut self,
        table: Table,
        columns: &[Column],
        rows: Vec<Row>,
    ) -> Result<(), StoreError>;

    /// Removes what a database that was only just made has among its settings, but for what is only
    /// about how it keeps things.
    async fn clear_settings(&mut self) -> Result<(), StoreError>;

    /// Brings in order what follows from all rows together.
    async fn settle(&mut self) -> Result<(), StoreError>;

    /// Keeps what was written.
    async fn commit(self: Box<Self>) -> Result<(), StoreError>;
}

/// Writes all of a database that nobody else works on.
///
/// # Errors
/// When the database cannot be opened or read, and when the file cannot be written.
pub async fn export(
    database: &Database,
    to: impl Write + Send,
    watcher: &mut dyn Watcher,
) -> Result<Moved, PortableError> {
    let mut port: Box<dyn Port> = match database {
        Database::Sqlite(config) => Box::new(SqlitePort::reading(config).await?),
        Database::Postgres(config) => Box::new(PostgresPort::reading(config).await?),
    };
    let mut total = 0;
    for table in TABLES {
        total += port.count(*table).await?;
    }
    watcher.begins(total);
    let mut writer = Writer::begin(to, total)?;
    let mut moved = Moved::default();
    for table in TABLES {
        let columns = port.columns(*table).await?;
        writer.table(*table, &columns)?;
        let mut rows = 0;
        let write = &mut |row: Row| {
            rows += 1;
            watcher.advanced(1);
            writer.row(&row)
        };
        port.read(*table, &columns, write).await?;
        writer.end_table()?;
        moved = Moved { tables: moved.tables + 1, rows: moved.rows + rows };
    }
    writer.finish()?;
    Ok(moved)
}

/// Fills an empty database that nobody else works on from what [`export`] wrote.
///
/// # Errors
/// When the database cannot be opened, is not empty, or has other tables than the file; when the file
/// is none of these, is cut off or was changed; and when what was written is not what was read. The
/// database is as it was then.
pub async fn import(
    database: &Database,
    from: impl BufRead + Send,
    watcher: &mut dyn Watcher,
) -> Result<Moved, PortableError> {
    let (mut reader, total) = Reader::begin(from)?;
    let mut port: Box<dyn Port> = match database {
        Database::Sqlite(config) => Box::new(SqlitePort::writing(config).await?),
        Database::Postgres(config) => Box::new(PostgresPort::writing(config).await?),
    };
    for table in TABLES.iter().filter(|table| table.is_empty_at_first()) {
        if port.count(*table).await? > 0 {
            return Err(PortableError::NotEmpty { table: table.name() });
        }
    }
    watcher.begins(total);
    port.clear_settings().await?;
    let mut moved = Moved::default();
    let mut written = Vec::with_capacity(TABLES.len());
    for table in TABLES {
        let columns = reader.table(*table, &port.columns(*table).await?)?;
        while let Some(batch) = batch(&mut reader, &columns)? {
            let rows = batch.len() as u64;
            port.write(*table, &columns, batch).await?;
            watcher.advanced(rows);
            moved.rows += rows;
        }
        written.push((columns, reader.end_table(*table)?));
        moved.tables += 1;
    }
    reader.finish()?;
    port.settle().await?;
    for (table, (columns, expected)) in TABLES.iter().zip(&written) {
        let mut found = Digest::default();
        let look = &mut |row: Row| {
            found.add(*table, &row);
            Ok(())
        };
        port.read(*table, columns, look).await?;
        if found != *expected {
            return Err(PortableError::Differs { table: table.name() });
        }
    }
    port.commit().await?;
    Ok(moved)
}

/// The next rows of a table; none at its end.
fn batch(
    reader: &mut Reader<impl BufRead>,
    columns: &[Column],
) -> Result<Option<Vec<Row>>, PortableError> {
    let (mut rows, mut bytes) = (Vec::new(), 0);
    while rows.len() < BATCH_ROWS && bytes < BATCH_BYTES {
        let Some(row) = reader.row(columns)? else { break };
        bytes += row.iter().map(Cell::size).sum::<usize>();
        rows.push(row);
    }
    Ok((!rows.is_empty()).then_some(rows))
}

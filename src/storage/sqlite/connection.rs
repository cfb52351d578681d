//! The writer's connection, in two ways: sqlx's for what is rare, and SQLite's own for what each
//! group of messages does.
//!
//! A statement of sqlx's crosses to the driver's thread and back, with copies of all its values. The
//! writer has a thread of its own, so what it does all day runs right there, with values that are
//! borrowed.

mod direct;

use std::ops::{Deref, DerefMut};

use rusqlite::types::ValueRef;
use rusqlite::{CachedStatement, Connection, Params, Row};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{Connection as _, SqliteConnection};

use crate::storage::cells::Cells;
use crate::storage::error::StoreError;
use direct::Shared;
pub(super) use direct::{keep_plans, keep_plans_of};

/// How many statements are kept prepared.
const STATEMENTS: usize = 64;

/// A connection that writes. As an [`SqliteConnection`] it is for what is rare.
pub struct WriterConnection(Shared);

impl WriterConnection {
    /// Opens a connection.
    ///
    /// # Errors
    /// When the database cannot be opened.
    pub async fn open(options: &SqliteConnectOptions) -> Result<Self, StoreError> {
        let shared = Shared::open(options).await?;
        shared.direct().set_prepared_statement_cache_capacity(STATEMENTS);
        Ok(Self(shared))
    }

    /// A statement, prepared when it is first asked for.
    fn prepared(
        &self,
        statement: &'static str,
        doing: &'static str,
    ) -> Result<CachedStatement<'_>, StoreError> {
        self.0.direct().prepare_cached(statement).map_err(failed(doing))
    }

    /// Runs a statement; returns how many rows it changed.
    pub(super) fn run(
        &self,
        statement: &'static str,
        values: impl Params,
        doing: &'static str,
    ) -> Result<usize, StoreError> {
        let _turn = self.0.turn();
        self.prepared(statement, doing)?.execute(values).map_err(failed(doing))
    }

    /// Runs a statement with each of these lists of values.
    pub(super) fn each<V: Params>(
        &self,
        statement: &'static str,
        lists: impl IntoIterator<Item = V>,
        doing: &'static str,
    ) -> Result<(), StoreError> {
        let _turn = self.0.turn();
        let mut statement = self.prepared(statement, doing)?;
        for values in lists {
            statement.execute(values).map_err(failed(doing))?;
        }
        Ok(())
    }

    /// Hands out the rows that a statement gives.
    pub(super) fn rows(
        &self,
        statement: &'static str,
        values: impl Params,
        doing: &'static str,
        each: impl FnMut(&NamedRow<'_>) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let _turn = self.0.turn();
        hand_out(self.0.direct(), statement, values, doing, each)
    }

    /// Reads the first row that a statement gives, if it gives any.
    pub(super) fn first<T>(
        &self,
        statement: &'static str,
        values: impl Params,
        doing: &'static str,
        read: impl FnOnce(&Row<'_>) -> Result<T, StoreError>,
    ) -> Result<Option<T>, StoreError> {
        let _turn = self.0.turn();
        let mut statement = self.prepared(statement, doing)?;
        let mut rows = statement.query(values).map_err(failed(doing))?;
        rows.next().map_err(failed(doing))?.map(read).transpose()
    }

    /// Closes it.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn close(self) -> Result<(), sqlx::Error> {
        self.0.into_sqlx().close().await
    }

    /// Closes it without a last checkpoint; what a transaction did is rolled back.
    pub(super) async fn close_hard(self) -> Result<(), sqlx::Error> {
        self.0.into_sqlx().close_hard().await
    }
}

impl Deref for WriterConnection {
    type Target = SqliteConnection;

    fn deref(&self) -> &SqliteConnection {
        self.0.sqlx()
    }
}

/// To run statements. Nobody may put another connection in its place: what runs directly would go on
/// with one that is closed.
impl DerefMut for WriterConnection {
    fn deref_mut(&mut self) -> &mut SqliteConnection {
        self.0.sqlx_mut()
    }
}

/// Hands out the rows that a statement gives.
pub(super) fn hand_out(
    connection: &Connection,
    statement: &'static str,
    values: impl Params,
    doing: &'static str,
    mut each: impl FnMut(&NamedRow<'_>) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let mut statement = connection.prepare_cached(statement).map_err(failed(doing))?;
    let names: Vec<String> = statement.column_names().into_iter().map(str::to_owned).collect();
    let mut rows = statement.query(values).map_err(failed(doing))?;
    while let Some(row) = rows.next().map_err(failed(doing))? {
        each(&NamedRow { row, names: &names })?;
    }
    Ok(())
}

/// A row of several, whose columns' names were asked for once: SQLite itself has to be asked for one
/// name after the other, for each column of each row.
pub(super) struct NamedRow<'r> {
    row: &'r Row<'r>,
    names: &'r [String],
}

/// Turns SQLite's word into ours, with what was being done.
pub(super) fn failed(doing: &'static str) -> impl FnOnce(rusqlite::Error) -> StoreError {
    move |source| StoreError::Sqlite { doing, source }
}

const READING: &str = "reading a row";

fn missing(column: &str) -> StoreError {
    failed(READING)(rusqlite::Error::InvalidColumnName(column.to_owned()))
}

/// The cell of a column.
trait Cell {
    fn cell(&self, column: &'static str) -> Result<ValueRef<'_>, StoreError>;
}

impl Cell for Row<'_> {
    fn cell(&self, column: &'static str) -> Result<ValueRef<'_>, StoreError> {
        self.get_ref(column).map_err(failed(READING))
    }
}

impl Cell for NamedRow<'_> {
    fn cell(&self, column: &'static str) -> Result<ValueRef<'_>, StoreError> {
        let place = self.names.iter().position(|name| name == column);
        self.row.get_ref(place.ok_or_else(|| missing(column))?).map_err(failed(READING))
    }
}

impl<C: Cell> Cells for C {
    fn integer(&self, column: &'static str) -> Result<i64, StoreError> {
        self.cell(column)?.as_i64().map_err(|_| StoreError::Corrupt { column })
    }

    fn optional_integer(&self, column: &'static str) -> Result<Option<i64>, StoreError> {
        let number = self.cell(column)?.as_i64_or_null();
        number.map_err(|_| StoreError::Corrupt { column })
    }

    fn text(&self, column: &'static str) -> Result<&str, StoreError> {
        self.cell(column)?.as_str().map_err(|_| StoreError::Corrupt { column })
    }

    fn optional_text(&self, column: &'static str) -> Result<Option<&str>, StoreError> {
        self.cell(column)?.as_str_or_null().map_err(|_| StoreError::Corrupt { column })
    }

    fn blob(&self, column: &'static str) -> Result<&[u8], StoreError> {
        self.cell(column)?.as_blob().map_err(|_| StoreError::Corrupt { column })
    }

    fn optional_blob(&self, column: &'static str) -> Result<Option<&[u8]>, StoreError> {
        self.cell(column)?.as_blob_or_null().map_err(|_| StoreError::Corrupt { column })
    }
}

#[cfg(test)]
mod tests {
    use rusqlite::StatementStatus;

    use super::*;

    const ALL: &str = "SELECT value FROM json_each('[1,2,3]') LIMIT ?1";

    async fn connection() -> WriterConnection {
        let options = SqliteConnectOptions::new().in_memory(true);
        WriterConnection::open(&options).await.unwrap()
    }

    #[tokio::test]
    async fn both_ways_lead_to_one_transaction() {
        let mut connection = connection().await;
        connection.run("CREATE TABLE numbers (number)", [], "making a table").unwrap();
        connection.run("BEGIN", [], "beginning").unwrap();
        let add = "INSERT INTO numbers VALUES (?1)";
        connection.each(add, [[1], [2]], "adding").unwrap();
        sqlx::query(add).bind(3).execute(&mut *connection).await.unwrap();
        let count = "SELECT count(*) AS numbers FROM numbers";
        let numbers = |connection: &WriterConnection| {
            connection.first(count, [], "counting", |row| row.integer("numbers")).unwrap()
        };
        assert_eq!(numbers(&connection), Some(3));
        sqlx::query("ROLLBACK").execute(&mut *connection).await.unwrap();
        assert_eq!(numbers(&connection), Some(0));
        connection.close().await.unwrap();
    }

    #[tokio::test]
    async fn a_statement_is_planned_once_whatever_its_values() {
        let connection = connection().await;
        let mut statement = connection.prepared(ALL, "planning").unwrap();
        for most in 1..=3 {
            let mut rows = statement.query([most]).unwrap();
            let mut seen = 0;
            while rows.next().unwrap().is_some() {
                seen += 1;
            }
            assert_eq!(seen, most);
        }
        assert_eq!(statement.get_status(StatementStatus::RePrepare), 0);
    }

    #[tokio::test]
    async fn what_fails_says_what_was_being_done() {
        let connection = connection().await;
        let failed = connection.run("SELECT missing", [], "looking").unwrap_err();
        assert_eq!(failed.to_string(), "the database failed while looking");
        let text = "SELECT 'text' AS number";
        let number = |row: &dyn Cells| row.integer("number").map(drop);
        let nothing = |row: &dyn Cells| row.integer("nothing").map(drop);
        let one = [
            connection.first(text, [], "reading", |row| number(row)).unwrap_err(),
            connection.rows(text, [], "reading", |row| number(row)).unwrap_err(),
        ];
        assert!(one.iter().all(|it| matches!(it, StoreError::Corrupt { column: "number" })));
        let none = [
            connection.first(text, [], "reading", |row| nothing(row)).unwrap_err(),
            connection.rows(text, [], "reading", |row| nothing(row)).unwrap_err(),
        ];
        for failed in none {
            assert_eq!(failed.to_string(), "the database failed while reading a row");
        }
    }
}

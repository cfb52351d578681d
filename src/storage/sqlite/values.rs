//! Many rows in few statements.
//!
//! A statement costs a trip to the driver's thread and back, more than inserting a row. So rows
//! go in as `VALUES` lists. A prepared statement belongs to one length of its list: short lists go
//! in one statement of their length, of longer ones as many as the longest power of two has, and so
//! on with the rest.

use std::collections::BTreeMap;

use sqlx::query::Query;
use sqlx::sqlite::{Sqlite, SqliteArguments};
use sqlx::{SqliteConnection, query};

/// A statement whose values are being bound.
pub(super) type Binding = Query<'static, Sqlite, SqliteArguments>;

/// Up to so many rows there is a statement for each number.
const SHORT: usize = 64;

/// An insert of any number of rows.
pub(super) struct Rows {
    /// The texts of statements by the number of rows that they take, as far as there are any.
    statements: BTreeMap<usize, String>,
}

impl Rows {
    /// `head` is everything up to `VALUES`; a row has `columns` values, of which a statement takes
    /// at most 2 to the power of `largest` rows.
    pub(super) fn new(head: &str, columns: usize, largest: u32) -> Self {
        let row = format!("({})", vec!["?"; columns].join(","));
        let powers = (0..=largest).map(|power| 1_usize << power);
        let lengths = (1..=SHORT.min(1 << largest)).chain(powers);
        let statement = |rows| format!("{head} VALUES {}", vec![row.as_str(); rows].join(","));
        Self { statements: lengths.map(|rows| (rows, statement(rows))).collect() }
    }

    /// Inserts `rows`; `bind` binds the values of one row.
    pub(super) async fn insert<R>(
        &'static self,
        connection: &mut SqliteConnection,
        mut rows: &[R],
        bind: impl Fn(Binding, &R) -> Binding,
    ) -> Result<(), sqlx::Error> {
        while let Some((length, statement)) = self.statements.range(..=rows.len()).next_back() {
            let (now, later) = rows.split_at(*length);
            let statement = now.iter().fold(query(statement.as_str()), &bind);
            statement.execute(&mut *connection).await?;
            rows = later;
        }
        Ok(())
    }
}

//! Many rows in few statements.
//!
//! A statement costs a trip to the driver's thread and back, more than inserting a row. So rows
//! go in as `VALUES` lists; and because a prepared statement belongs to one length of its list,
//! only lists whose length is a power of two are sent, the longest that fits first.

use sqlx::query::Query;
use sqlx::sqlite::{Sqlite, SqliteArguments};
use sqlx::{SqliteConnection, query};

/// A statement whose values are being bound.
pub(super) type Binding = Query<'static, Sqlite, SqliteArguments>;

/// An insert of any number of rows.
pub(super) struct Rows {
    /// How many rows a statement takes, and its text; the largest first.
    statements: Vec<(usize, String)>,
}

impl Rows {
    /// `head` is everything up to `VALUES`; a row has `columns` values, of which a statement takes
    /// at most 2 to the power of `largest` rows.
    pub(super) fn new(head: &str, columns: usize, largest: u32) -> Self {
        let row = format!("({})", vec!["?"; columns].join(","));
        let statements = (0..=largest).rev().map(|power| {
            let rows = 1_usize << power;
            (rows, format!("{head} VALUES {}", vec![row.as_str(); rows].join(",")))
        });
        Self { statements: statements.collect() }
    }

    /// Inserts `rows`; `bind` binds the values of one row.
    pub(super) async fn insert<R>(
        &'static self,
        connection: &mut SqliteConnection,
        mut rows: &[R],
        bind: impl Fn(Binding, &R) -> Binding,
    ) -> Result<(), sqlx::Error> {
        for (size, statement) in &self.statements {
            while let Some((now, later)) = rows.split_at_checked(*size) {
                let statement = now.iter().fold(query(statement.as_str()), &bind);
                statement.execute(&mut *connection).await?;
                rows = later;
            }
        }
        Ok(())
    }
}

//! Many rows in few statements.
//!
//! A statement costs a trip to the driver's thread and back, more than inserting a row. So rows
//! go in as `VALUES` lists. A prepared statement belongs to one length of its list: short lists go
//! in one statement of their length, of longer ones as many as the longest power of two has, and so
//! on with the rest.

use std::collections::BTreeMap;
use std::pin::pin;
use std::task::Poll;

use futures_util::poll;
use sqlx::error::BoxDynError;
use sqlx::query::Query;
use sqlx::sqlite::{Sqlite, SqliteArguments};
use sqlx::{Arguments, Encode, SqliteConnection, Type, query_with};

/// A statement and its values.
type Statement = Query<'static, Sqlite, SqliteArguments>;

/// Values that are being bound; the first that cannot be is kept.
pub(super) struct Binding(Result<SqliteArguments, BoxDynError>);

impl Binding {
    fn with_room(values: usize) -> Self {
        let mut arguments = SqliteArguments::default();
        arguments.reserve(values, 0);
        Self(Ok(arguments))
    }

    /// Adds the next value.
    pub(super) fn bind<'t>(mut self, value: impl Encode<'t, Sqlite> + Type<Sqlite>) -> Self {
        if let Ok(arguments) = &mut self.0
            && let Err(error) = Arguments::add(arguments, value)
        {
            self.0 = Err(error);
        }
        self
    }
}

/// Up to so many rows there is a statement for each number.
const SHORT: usize = 64;

/// An insert of any number of rows.
pub(super) struct Rows {
    /// The texts of statements by the number of rows that they take, as far as there are any.
    statements: BTreeMap<usize, String>,
    columns: usize,
}

impl Rows {
    /// `head` is everything up to `VALUES`; a row has `columns` values, of which a statement takes
    /// at most 2 to the power of `largest` rows.
    pub(super) fn new(head: &str, columns: usize, largest: u32) -> Self {
        let row = format!("({})", vec!["?"; columns].join(","));
        let powers = (0..=largest).map(|power| 1_usize << power);
        let lengths = (1..=SHORT.min(1 << largest)).chain(powers);
        let statement = |rows| format!("{head} VALUES {}", vec![row.as_str(); rows].join(","));
        let statements = lengths.map(|rows| (rows, statement(rows))).collect();
        Self { statements, columns }
    }

    /// Inserts `rows`; `bind` binds the values of one row. While the driver's thread runs a
    /// statement, the next one is prepared.
    pub(super) async fn insert<R>(
        &'static self,
        connection: &mut SqliteConnection,
        rows: &[R],
        bind: impl Fn(Binding, &R) -> Binding,
    ) -> Result<(), sqlx::Error> {
        let mut lists = self.lists(rows);
        let mut prepare =
            || lists.next().map(|(text, rows)| prepare(text, rows, self.columns, &bind));
        let mut next = prepare();
        while let Some(statement) = next {
            let outcome;
            (outcome, next) = meanwhile(statement?.execute(&mut *connection), &mut prepare).await;
            outcome?;
        }
        Ok(())
    }

    /// The texts of the statements that take `rows`, and which of them each takes.
    fn lists<'r, R>(
        &'static self,
        mut rows: &'r [R],
    ) -> impl Iterator<Item = (&'static str, &'r [R])> {
        std::iter::from_fn(move || {
            let (length, text) = self.statements.range(..=rows.len()).next_back()?;
            let now;
            (now, rows) = rows.split_at(*length);
            Some((text.as_str(), now))
        })
    }
}

fn prepare<R>(
    text: &'static str,
    rows: &[R],
    columns: usize,
    bind: impl Fn(Binding, &R) -> Binding,
) -> Result<Statement, sqlx::Error> {
    let values = rows.iter().fold(Binding::with_room(rows.len() * columns), bind);
    Ok(query_with(text, values.0.map_err(sqlx::Error::Encode)?))
}

/// Waits for a statement, and does something while the driver's thread runs it: the first poll
/// hands it over.
pub(super) async fn meanwhile<O, T>(
    statement: impl Future<Output = O>,
    something: impl FnOnce() -> T,
) -> (O, T) {
    let mut statement = pin!(statement);
    let first = poll!(&mut statement);
    let done = something();
    match first {
        Poll::Ready(outcome) => (outcome, done),
        Poll::Pending => (statement.await, done),
    }
}

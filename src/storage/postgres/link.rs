//! A connection that somebody works on, and how statements go over it.
//!
//! Nobody waits for ever. The server itself ends a statement that takes too long, and a transaction
//! in which nothing happens, so that what somebody locked who went away without a word is free
//! again. And a server that says nothing at all is given up after [`ANSWER`]: the connection is of
//! no more use then.

use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgArguments, PgQueryResult, PgRow, PgStatement, PgTypeInfo};
use sqlx::{Either, Error, Execute, Executor, PgConnection, Postgres, SqlStr, raw_sql};
use sqlx::{Transaction, error::BoxDynError};
use tokio::runtime::Handle;
use tokio::time::timeout;

use super::PostgresStore;
use super::silence::{Bounded, silence};
use crate::storage::error::{StoreError, during};

/// How long to wait for the answer to a statement. The server ends it after ten seconds, or says
/// earlier that somebody else has a lock.
const ANSWER: Duration = Duration::from_secs(15);

/// How long it may take to undo what somebody left unfinished.
const UNDOING: Duration = Duration::from_secs(5);

/// How a transaction begins, whatever the role's own settings are. They end with the transaction,
/// so this is right behind a pooler as well; and all of it is one trip to the server.
///
/// What a commit waits for is as it is set for the role, the database or the server, which is what
/// was looked at when the store was opened: behind a pooler, whoever had the connection before may
/// have left it with another setting. (No `SELECT` may stand here: it would be the first look of a
/// serialisable transaction, which has to come after a lock.)
macro_rules! begin {
    ($mode:literal) => {
        concat!(
            "BEGIN ISOLATION LEVEL ",
            $mode,
            "; SET LOCAL statement_timeout = '10s'",
            "; SET LOCAL idle_in_transaction_session_timeout = '10s'",
            "; SET LOCAL synchronous_commit TO DEFAULT"
        )
    };
}
pub(super) use begin;

/// What becomes of a statement after it was prepared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Statements {
    /// It has a name, and is kept for the next time.
    Kept,
    /// It has no name, and the next one takes its place. Behind a pooler a name would stay with a
    /// connection that is somebody else's by then.
    Unnamed,
}

/// A connection to run statements on. When it is in a transaction, everything of it is undone
/// unless it is [committed](Self::commit).
#[derive(Debug)]
pub(super) struct Link<'c> {
    over: Over<'c>,
    statements: Statements,
    patience: Duration,
}

#[derive(Debug)]
enum Over<'c> {
    Borrowed(&'c mut PgConnection),
    Transaction(Transaction<'c, Postgres>),
    Pooled(Pooled),
}

impl<'c> Link<'c> {
    fn new(over: Over<'c>, statements: Statements) -> Self {
        Self { over, statements, patience: ANSWER }
    }

    /// A link over somebody's connection: each statement is a transaction of its own.
    pub(super) fn outside(connection: &'c mut PgConnection, statements: Statements) -> Self {
        Self::new(Over::Borrowed(connection), statements)
    }

    /// A link over a transaction that somebody else began.
    pub(super) fn within(transaction: Transaction<'c, Postgres>, statements: Statements) -> Self {
        Self::new(Over::Transaction(transaction), statements)
    }

    /// Waits for other answers than usual so long, and no longer.
    pub(super) fn wait_for(&mut self, patience: Duration) {
        self.patience = patience;
    }

    /// Keeps what was done.
    ///
    /// # Errors
    /// When the server does not, or does not say so.
    pub(super) async fn commit(self) -> Result<(), StoreError> {
        let committing = async {
            match self.over {
                Over::Borrowed(_) => Ok(()),
                Over::Transaction(open) => open.commit().await,
                Over::Pooled(pooled) => pooled.end("COMMIT").await,
            }
        };
        let committed = timeout(self.patience, committing).await;
        committed.unwrap_or_else(|_| Err(silence())).map_err(during("committing"))
    }

    /// Undoes what was done, before anything else is. A link that is dropped does so as well, but at
    /// some later time, and its locks stand until then.
    pub(super) async fn undo(self) {
        // A connection that cannot even do this is given up, and its transaction with it.
        match self.over {
            Over::Borrowed(_) => {}
            Over::Transaction(open) => drop(timeout(UNDOING, open.rollback()).await),
            Over::Pooled(pooled) => drop(timeout(UNDOING, pooled.end("ROLLBACK")).await),
        }
    }

    /// The connection, and where to note that it says nothing any more.
    fn parts(&mut self) -> (&mut PgConnection, Option<&mut State>) {
        match &mut self.over {
            Over::Borrowed(connection) => (connection, None),
            Over::Transaction(transaction) => (transaction, None),
            Over::Pooled(Pooled { connection, state }) => {
                (connection.as_mut().expect("taken only when it is dropped"), Some(state))
            }
        }
    }
}

/// A connection of the pool. The driver would wait without end for the last word of one that goes
/// back, and keep its place meanwhile.
#[derive(Debug)]
struct Pooled {
    connection: Option<PoolConnection<Postgres>>,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Each statement is a transaction of its own.
    Idle,
    /// It is in a transaction.
    Open,
    /// It is of no more use.
    Silent,
}

impl Pooled {
    /// Ends the transaction, if there is one.
    async fn end(mut self, word: &'static str) -> Result<(), Error> {
        match self.state {
            State::Open => {}
            State::Idle => return Ok(()),
            State::Silent => return Err(silence()),
        }
        // Until the server has answered, nobody knows what it has done.
        self.state = State::Silent;
        let Some(connection) = &mut self.connection else { return Ok(()) };
        let ended = raw_sql(word).execute(&mut **connection).await;
        // A refusal is an answer as well: nothing of the transaction is left.
        if matches!(ended, Ok(_) | Err(Error::Database(_))) {
            self.state = State::Idle;
        }
        ended.map(drop)
    }
}

impl Drop for Pooled {
    fn drop(&mut self) {
        let Some(mut connection) = self.connection.take() else { return };
        let (state, Ok(runtime)) = (self.state, Handle::try_current()) else {
            return drop(connection.detach());
        };
        if state == State::Silent {
            return drop(connection.detach());
        }
        runtime.spawn(async move {
            let undone = async {
                match state {
                    State::Open => raw_sql("ROLLBACK").execute(&mut *connection).await.map(drop),
                    State::Idle | State::Silent => Ok(()),
                }
            };
            match timeout(UNDOING, undone).await {
                Ok(Ok(())) => drop(timeout(UNDOING, connection.return_to_pool()).await),
                _ => drop(connection.detach()),
            }
        });
    }
}

const BEGINNING: &str = "beginning a transaction";

/// Nobody waits for what is done in the background, and a step of it may read many rows that have
/// not been in memory for days: its statements may take so long.
pub(super) const UNHURRIED: Duration = Duration::from_secs(75);

/// How such a transaction begins: as any other, but for the limit, which the server keeps earlier.
macro_rules! begin_unhurried {
    ($mode:literal) => {
        concat!(begin!($mode), "; SET LOCAL statement_timeout = '60s'")
    };
}
pub(super) use begin_unhurried;

impl PostgresStore {
    /// A connection to read with. Two statements on it may see two states of the database.
    ///
    /// # Errors
    /// When there is none in time.
    pub(super) async fn reader(&self) -> Result<Link<'static>, StoreError> {
        // A statement without a name is prepared and executed in two steps, which belong to one
        // connection of the server only inside a transaction.
        if self.statements == Statements::Unnamed {
            return self.begin(begin!("READ COMMITTED READ ONLY")).await;
        }
        let connection = self.pool.acquire().await.map_err(during("waiting for a connection"))?;
        let pooled = Pooled { connection: Some(connection), state: State::Idle };
        Ok(Link::new(Over::Pooled(pooled), self.statements))
    }

    /// A connection to read with in the background.
    ///
    /// # Errors
    /// When there is none in time.
    pub(super) async fn unhurried_reader(&self) -> Result<Link<'static>, StoreError> {
        let mut link = self.begin(begin_unhurried!("READ COMMITTED READ ONLY")).await?;
        link.wait_for(UNHURRIED);
        Ok(link)
    }

    /// A transaction that begins with these statements, of which none may fail. It begins in a task
    /// of its own: whoever asked may go away meanwhile, and a connection on which one has half begun
    /// is of no more use.
    ///
    /// # Errors
    /// When there is no connection in time.
    pub(super) async fn begin(&self, begin: &'static str) -> Result<Link<'static>, StoreError> {
        let (pool, statements) = (self.pool.clone(), self.statements);
        let begun = tokio::spawn(async move {
            let connection = pool.acquire().await?;
            let mut pooled = Pooled { connection: Some(connection), state: State::Silent };
            if let Some(connection) = &mut pooled.connection {
                let begun = timeout(ANSWER, raw_sql(begin).execute(&mut **connection)).await;
                begun.unwrap_or_else(|_| Err(silence()))?;
            }
            pooled.state = State::Open;
            Ok(Link::new(Over::Pooled(pooled), statements))
        });
        begun.await.map_err(|_| StoreError::Panicked)?.map_err(during(BEGINNING))
    }
}

impl<'e> Executor<'e> for &'e mut Link<'_> {
    type Database = Postgres;

    fn fetch_many<'f, 'q: 'f, E>(
        self,
        query: E,
    ) -> BoxStream<'f, Result<Either<PgQueryResult, PgRow>, Error>>
    where
        'e: 'f,
        E: 'q + Execute<'q, Postgres>,
    {
        let (statements, patience) = (self.statements, self.patience);
        let (connection, state) = self.parts();
        let answers = connection.fetch_many(Named { query, statements });
        Box::pin(Bounded::new(answers, patience, move || note(state)))
    }

    fn fetch_optional<'f, 'q: 'f, E>(self, query: E) -> BoxFuture<'f, Result<Option<PgRow>, Error>>
    where
        'e: 'f,
        E: 'q + Execute<'q, Postgres>,
    {
        let (statements, patience) = (self.statements, self.patience);
        let (connection, state) = self.parts();
        let answer = connection.fetch_optional(Named { query, statements });
        Box::pin(async move {
            timeout(patience, answer).await.unwrap_or_else(|_| {
                note(state);
                Err(silence())
            })
        })
    }

    fn prepare_with<'f>(
        self,
        sql: SqlStr,
        parameters: &'f [PgTypeInfo],
    ) -> BoxFuture<'f, Result<PgStatement, Error>>
    where
        'e: 'f,
    {
        self.parts().0.prepare_with(sql, parameters)
    }
}

fn note(state: Option<&mut State>) {
    if let Some(state) = state {
        *state = State::Silent;
    }
}

/// A query that is prepared with a name, or without.
struct Named<E> {
    query: E,
    statements: Statements,
}

impl<'q, E: Execute<'q, Postgres>> Execute<'q, Postgres> for Named<E> {
    fn sql(self) -> SqlStr {
        self.query.sql()
    }

    fn statement(&self) -> Option<&PgStatement> {
        self.query.statement()
    }

    fn take_arguments(&mut self) -> Result<Option<PgArguments>, BoxDynError> {
        self.query.take_arguments()
    }

    fn persistent(&self) -> bool {
        self.statements == Statements::Kept && self.query.persistent()
    }
}

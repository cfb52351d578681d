//! A connection that somebody works on, and how statements go over it.

use std::ops::{Deref, DerefMut};

use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgArguments, PgQueryResult, PgRow, PgStatement, PgTypeInfo};
use sqlx::{Either, Error, Execute, Executor, PgConnection, Postgres, SqlStr};
use sqlx::{Transaction, error::BoxDynError};

use super::PostgresStore;
use crate::storage::error::{StoreError, during};

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
}

#[derive(Debug)]
enum Over<'c> {
    Borrowed(&'c mut PgConnection),
    Alone(PoolConnection<Postgres>),
    Transaction(Transaction<'c, Postgres>),
}

impl<'c> Link<'c> {
    /// A link over somebody's connection: each statement is a transaction of its own.
    pub(super) fn outside(connection: &'c mut PgConnection, statements: Statements) -> Self {
        Self { over: Over::Borrowed(connection), statements }
    }

    /// A link over a transaction that somebody else began.
    pub(super) fn within(transaction: Transaction<'c, Postgres>, statements: Statements) -> Self {
        Self { over: Over::Transaction(transaction), statements }
    }

    /// Keeps what was done.
    ///
    /// # Errors
    /// When the server does not, or does not say so.
    pub(super) async fn commit(self) -> Result<(), StoreError> {
        match self.over {
            Over::Borrowed(_) | Over::Alone(_) => Ok(()),
            Over::Transaction(open) => open.commit().await.map_err(during("committing")),
        }
    }
}

impl Link<'_> {
    /// Undoes what was done, before anything else is. A link that is dropped does so as well, but at
    /// some later time, and its locks stand until then.
    pub(super) async fn undo(self) {
        if let Over::Transaction(open) = self.over {
            // A connection that cannot even do this is given up, and its transaction with it.
            let _ = open.rollback().await;
        }
    }
}

const BEGINNING: &str = "beginning a transaction";

impl PostgresStore {
    /// A connection to read with. Two statements on it may see two states of the database.
    ///
    /// # Errors
    /// When there is none in time.
    pub(super) async fn reader(&self) -> Result<Link<'static>, StoreError> {
        // A statement without a name is prepared and executed in two steps, which belong to one
        // connection of the server only inside a transaction.
        if self.statements == Statements::Unnamed {
            return self.begin("BEGIN READ ONLY").await;
        }
        let connection = self.pool.acquire().await.map_err(during("waiting for a connection"))?;
        Ok(Link { over: Over::Alone(connection), statements: self.statements })
    }

    /// A transaction that begins with these statements, of which none may fail: the driver counts a
    /// transaction only when it has begun, and would give a connection back in the middle of one.
    /// For the same reason it begins in a task of its own, whoever asked may go away meanwhile.
    ///
    /// # Errors
    /// When there is no connection in time.
    pub(super) async fn begin(&self, begin: &'static str) -> Result<Link<'static>, StoreError> {
        let (pool, statements) = (self.pool.clone(), self.statements);
        let begun = tokio::spawn(async move {
            let transaction = pool.begin_with(begin).await?;
            Ok(Link::within(transaction, statements))
        });
        begun.await.map_err(|_| StoreError::Panicked)?.map_err(during(BEGINNING))
    }
}

impl Deref for Link<'_> {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        match &self.over {
            Over::Borrowed(connection) => connection,
            Over::Alone(connection) => connection,
            Over::Transaction(transaction) => transaction,
        }
    }
}

impl DerefMut for Link<'_> {
    fn deref_mut(&mut self) -> &mut PgConnection {
        match &mut self.over {
            Over::Borrowed(connection) => connection,
            Over::Alone(connection) => connection,
            Over::Transaction(transaction) => transaction,
        }
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
        let statements = self.statements;
        (&mut **self).fetch_many(Named { query, statements })
    }

    fn fetch_optional<'f, 'q: 'f, E>(self, query: E) -> BoxFuture<'f, Result<Option<PgRow>, Error>>
    where
        'e: 'f,
        E: 'q + Execute<'q, Postgres>,
    {
        let statements = self.statements;
        (&mut **self).fetch_optional(Named { query, statements })
    }

    fn prepare_with<'f>(
        self,
        sql: SqlStr,
        parameters: &'f [PgTypeInfo],
    ) -> BoxFuture<'f, Result<PgStatement, Error>>
    where
        'e: 'f,
    {
        (&mut **self).prepare_with(sql, parameters)
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

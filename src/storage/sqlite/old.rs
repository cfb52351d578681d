//! Rows whose time is over go, a few at a time.

use futures_util::future::BoxFuture;
use sqlx::query;

use super::SqliteStore;
use super::connection::WriterConnection;
use crate::domain::Fault;
use crate::domain::clock::Timestamp;
use crate::storage::error::{StoreError, during};

/// What is to go: by which statement, what that does, of which time, and how many at most.
type Old = (&'static str, &'static str, Timestamp, u32);

impl SqliteStore {
    /// Deletes rows by a statement whose parameters are a time and the most rows; returns how many
    /// there were.
    ///
    /// # Errors
    /// Only when the store fails.
    pub(super) async fn forget_old(
        &self,
        statement: &'static str,
        doing: &'static str,
        until: Timestamp,
        limit: u32,
    ) -> Result<u64, Fault> {
        self.change((statement, doing, until, limit), forget).await
    }
}

fn forget<'a>(
    (statement, doing, until, limit): &'a Old,
    connection: &'a mut WriterConnection,
) -> BoxFuture<'a, Result<Result<u64, Fault>, StoreError>> {
    Box::pin(async move {
        let rows = query(*statement).bind(until.as_micros()).bind(*limit);
        let rows = rows.execute(&mut **connection).await.map_err(during(doing))?;
        Ok(Ok(rows.rows_affected()))
    })
}

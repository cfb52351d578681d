//! Transactions for what is rare: serialisable, and repeated when they met another one.

use std::time::Duration;

use futures_util::future::BoxFuture;
use sqlx::{Connection, PgConnection};
use tokio::time::sleep;

use super::PostgresStore;
use crate::domain::Fault;
use crate::storage::error::{StoreError, during};

/// What a step does in its transaction. It may be done several times, until one is committed. With
/// a [`Fault`], which is the step's own answer, nothing of it stays.
pub(super) type Apply<I, T> =
    for<'a> fn(&'a I, &'a mut PgConnection) -> BoxFuture<'a, Result<Result<T, Fault>, StoreError>>;

/// How often a step is tried that meets others each time.
const ATTEMPTS: u32 = 10;

/// The wait before the second attempt; it grows with each.
const PAUSE: Duration = Duration::from_millis(2);

impl PostgresStore {
    /// Does a step in a transaction of its own.
    ///
    /// # Errors
    /// The step's own; [`Fault::Unavailable`] when the server is out of reach, or others were faster
    /// each time.
    pub(super) async fn change<I, T>(&self, input: I, apply: Apply<I, T>) -> Result<T, Fault>
    where
        I: Send + Sync,
        T: Send,
    {
        let mut attempt = 1;
        loop {
            match self.attempt(&input, apply).await {
                Err(error) if error.met_another() && attempt < ATTEMPTS => {
                    sleep(PAUSE * attempt).await;
                    attempt += 1;
                }
                outcome => return outcome?,
            }
        }
    }

    async fn attempt<I, T>(
        &self,
        input: &I,
        apply: Apply<I, T>,
    ) -> Result<Result<T, Fault>, StoreError> {
        let doing = "beginning a transaction";
        let mut connection = self.pool.acquire().await.map_err(during(doing))?;
        let begun = connection.begin_with("BEGIN ISOLATION LEVEL SERIALIZABLE").await;
        let mut transaction = begun.map_err(during(doing))?;
        let outcome = apply(input, &mut transaction).await?;
        if outcome.is_ok() {
            transaction.commit().await.map_err(during("committing"))?;
        }
        Ok(outcome)
    }
}

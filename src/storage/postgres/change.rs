//! Transactions for what is rare, repeated when they met another one.
//!
//! There are three kinds. A step that decides on what it reads is serialisable ([`change`]). One
//! that changes a roster waits for its turn first ([`change_roster`]): all of them raise the same
//! row, so that of two which began together one would always have to begin again. And one that is
//! decided by a single statement, or by rows that it locks, needs no more than to read what is
//! committed ([`write`]).
//!
//! [`change`]: PostgresStore::change
//! [`change_roster`]: PostgresStore::change_roster
//! [`write`]: PostgresStore::write

use std::time::Duration;

use futures_util::future::BoxFuture;
use sqlx::query;
use tokio::time::{sleep, timeout};

use super::PostgresStore;
use super::link::{Link, UNHURRIED, begin, begin_unhurried};
use super::silence::silence;
use crate::domain::Fault;
use crate::storage::error::{StoreError, during};

/// What a step does in its transaction. It may be done several times, until one is committed. With
/// a [`Fault`], which is the step's own answer, nothing of it stays.
pub(super) type Apply<I, T> =
    for<'a> fn(&'a I, &'a mut Link<'static>) -> BoxFuture<'a, Result<Result<T, Fault>, StoreError>>;

/// How often a step is tried that meets others each time.
const ATTEMPTS: u32 = 10;

/// The wait before the second attempt; it grows with each.
const PAUSE: Duration = Duration::from_millis(2);

/// An attempt that takes so long is given up: the server is gone without a word.
const GIVE_UP: Duration = Duration::from_secs(30);

/// The same for one in the background, which may have several long statements.
const GIVE_UP_UNHURRIED: Duration = Duration::from_secs(5 * 60);

/// Nobody waits longer for somebody else's row.
macro_rules! beginning {
    ($begin:expr) => {
        concat!($begin, "; SET LOCAL lock_timeout = '5s'")
    };
}

/// How a transaction begins.
#[derive(Clone, Copy)]
struct Beginning {
    begin: &'static str,
    /// What it waits for before anything else.
    lock: Option<&'static str>,
    /// Whether somebody waits for it.
    is_urgent: bool,
}

const SERIALIZABLE: Beginning =
    Beginning { begin: beginning!(begin!("SERIALIZABLE")), lock: None, is_urgent: true };

/// The lock comes before the first look at the tables, so whoever gets it sees what the one before
/// has done. Nobody else takes it, and who only reads is not kept from that.
const ROSTERS: Beginning =
    Beginning { lock: Some("LOCK TABLE sequences IN SHARE UPDATE EXCLUSIVE MODE"), ..SERIALIZABLE };

const READ_COMMITTED: Beginning =
    Beginning { begin: beginning!(begin!("READ COMMITTED")), ..SERIALIZABLE };

const SOON: Beginning = Beginning {
    begin: concat!(beginning!(begin!("READ COMMITTED")), "; SET LOCAL synchronous_commit TO OFF"),
    ..SERIALIZABLE
};

const UPKEEP: Beginning = Beginning {
    begin: beginning!(begin_unhurried!("READ COMMITTED")),
    is_urgent: false,
    ..SERIALIZABLE
};

impl PostgresStore {
    /// Does a step in a transaction of its own, as if no other were done at the same time.
    ///
    /// # Errors
    /// The step's own; [`Fault::Unavailable`] when the server is out of reach, or others were faster
    /// each time.
    pub(super) async fn change<I, T>(&self, input: I, apply: Apply<I, T>) -> Result<T, Fault>
    where
        I: Send + Sync,
        T: Send,
    {
        self.repeat(SERIALIZABLE, &input, apply).await
    }

    /// The same for a step that changes a roster: they are done one after the other.
    ///
    /// # Errors
    /// As those of [`change`](Self::change).
    pub(super) async fn change_roster<I, T>(&self, input: I, apply: Apply<I, T>) -> Result<T, Fault>
    where
        I: Send + Sync,
        T: Send,
    {
        self.repeat(ROSTERS, &input, apply).await
    }

    /// Does a step whose every statement may see what was committed just before it.
    ///
    /// # Errors
    /// As those of [`change`](Self::change).
    pub(super) async fn write<I, T>(&self, input: I, apply: Apply<I, T>) -> Result<T, Fault>
    where
        I: Send + Sync,
        T: Send,
    {
        self.repeat(READ_COMMITTED, &input, apply).await
    }

    /// The same for what may be lost when the server crashes within a second: it does not wait for
    /// the disk.
    ///
    /// # Errors
    /// As those of [`change`](Self::change).
    pub(super) async fn write_soon<I, T>(&self, input: I, apply: Apply<I, T>) -> Result<T, Fault>
    where
        I: Send + Sync,
        T: Send,
    {
        self.repeat(SOON, &input, apply).await
    }

    /// The same in the background, with more time.
    ///
    /// # Errors
    /// As those of [`change`](Self::change).
    pub(super) async fn tidy<I, T>(&self, input: I, apply: Apply<I, T>) -> Result<T, Fault>
    where
        I: Send + Sync,
        T: Send,
    {
        self.repeat(UPKEEP, &input, apply).await
    }

    async fn repeat<I, T>(
        &self,
        beginning: Beginning,
        input: &I,
        apply: Apply<I, T>,
    ) -> Result<T, Fault> {
        let mut attempt = 1;
        let give_up = if beginning.is_urgent { GIVE_UP } else { GIVE_UP_UNHURRIED };
        loop {
            let outcome = timeout(give_up, self.attempt(beginning, input, apply)).await;
            match outcome.unwrap_or_else(|_| Err(during("waiting for the server")(silence()))) {
                Err(error) if may_go_better(&error) && attempt < ATTEMPTS => {
                    sleep(PAUSE * attempt).await;
                    attempt += 1;
                }
                outcome => return outcome?,
            }
        }
    }

    async fn attempt<I, T>(
        &self,
        beginning: Beginning,
        input: &I,
        apply: Apply<I, T>,
    ) -> Result<Result<T, Fault>, StoreError> {
        let mut link = self.begin(beginning.begin).await?;
        if !beginning.is_urgent {
            link.wait_for(UNHURRIED);
        }
        if let Some(lock) = beginning.lock {
            let locked = query(lock).execute(&mut link).await;
            locked.map_err(during("waiting for other changes to rosters"))?;
        }
        let outcome = apply(input, &mut link).await;
        match &outcome {
            Ok(Ok(_)) => link.commit().await?,
            _ => link.undo().await,
        }
        outcome
    }
}

/// A step looks for what is unique before it writes; who meets it all the same was not alone, and
/// finds it by looking the next time.
fn may_go_better(error: &StoreError) -> bool {
    error.met_another() || error.met_its_like()
}

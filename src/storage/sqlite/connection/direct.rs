//! SQLite's own functions on a connection of sqlx's: all that the compiler cannot check.

use std::marker::PhantomData;

use rusqlite::config::DbConfig;
use rusqlite::ffi;
use sqlx::SqliteConnection;
use sqlx::sqlite::SqliteConnectOptions;

use super::super::connect::{self, OPENING_WRITER};
use super::failed;
use crate::storage::error::{StoreError, during};

/// A connection, to be used by sqlx and directly.
///
/// The connection is opened `serialized`: SQLite itself sees to it that calls from two threads take
/// turns, whatever the driver's thread may be doing.
pub(super) struct Shared {
    /// Let go of before the connection that it belongs to.
    direct: rusqlite::Connection,
    connection: SqliteConnection,
}

impl Shared {
    /// Opens a connection.
    #[expect(unsafe_code, reason = "the only way from sqlx's connection to SQLite's functions")]
    pub(super) async fn open(options: &SqliteConnectOptions) -> Result<Self, StoreError> {
        let mut connection = connect::writer(&options.clone().serialized(true)).await?;
        let mut handle = connection.lock_handle().await.map_err(during(OPENING_WRITER))?;
        let pointer = handle.as_raw_handle().as_ptr();
        // SAFETY: the handle is open, and stays so as long as its `SqliteConnection`, which is let
        // go of after `direct`. Whoever borrows it runs statements and puts no other in its place:
        // `WriterConnection` says so where it lends it. It is `serialized`.
        let direct = unsafe { rusqlite::Connection::from_handle(pointer) };
        drop(handle);
        let direct = direct.map_err(failed(OPENING_WRITER))?;
        keep_plans(&direct).map_err(failed(OPENING_WRITER))?;
        Ok(Self { direct, connection })
    }

    /// For statements on this thread.
    pub(super) const fn direct(&self) -> &rusqlite::Connection {
        &self.direct
    }

    /// For statements on the driver's thread.
    pub(super) const fn sqlx(&self) -> &SqliteConnection {
        &self.connection
    }

    /// The same, to run some.
    pub(super) const fn sqlx_mut(&mut self) -> &mut SqliteConnection {
        &mut self.connection
    }

    /// Lets go of the direct way.
    pub(super) fn into_sqlx(self) -> SqliteConnection {
        let Self { direct, connection } = self;
        drop(direct);
        connection
    }

    /// Takes the turn for many calls: with it each of them costs a count instead of a lock.
    #[expect(unsafe_code, reason = "rusqlite has no word for SQLite's lock")]
    pub(super) fn turn(&self) -> Turn<'_> {
        // SAFETY: the handle is open, as long as `self` is there.
        let mutex = unsafe { ffi::sqlite3_db_mutex(self.direct.handle()) };
        // SAFETY: a connection that is `serialized` has a lock, which may be taken again and again
        // by the thread that has it.
        unsafe { ffi::sqlite3_mutex_enter(mutex) };
        Turn { mutex, connection: PhantomData }
    }
}

/// While it lasts, no other thread gets at the connection. It stays on its thread.
pub(super) struct Turn<'c> {
    mutex: *mut ffi::sqlite3_mutex,
    connection: PhantomData<&'c Shared>,
}

impl Drop for Turn<'_> {
    #[expect(unsafe_code, reason = "see `Shared::turn`")]
    fn drop(&mut self) {
        // SAFETY: this thread took the lock, and the connection is still there.
        unsafe { ffi::sqlite3_mutex_leave(self.mutex) };
    }
}

/// Has SQLite keep the plan that it made of a statement. By itself it makes a new one with each run
/// that has another value in its `LIMIT`, which takes longer than most of the runs.
pub(in super::super) fn keep_plans(connection: &rusqlite::Connection) -> rusqlite::Result<()> {
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).map(drop)
}

/// The same for a connection of sqlx's.
///
/// # Errors
/// When its thread is gone, or SQLite does not know of this.
#[expect(unsafe_code, reason = "sqlx has no word for this")]
pub(in super::super) async fn keep_plans_of(
    connection: &mut SqliteConnection,
) -> Result<(), sqlx::Error> {
    let mut handle = connection.lock_handle().await?;
    let pointer = handle.as_raw_handle().as_ptr();
    // SAFETY: the handle is open and this task's alone as long as it is locked, and what is made of
    // it here goes before that ends, without closing it.
    let direct = unsafe { rusqlite::Connection::from_handle(pointer) };
    let kept = direct.and_then(|direct| keep_plans(&direct));
    kept.map_err(|error| sqlx::Error::Configuration(error.into()))
}

//! What can go wrong in a store, and whose fault that is.

use std::sync::Arc;

use sqlx::postgres::PgDatabaseError;

use crate::domain::Fault;

/// Why a store could not do its work.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database refused a statement.
    #[error("the database failed while {doing}")]
    Database {
        /// What was being done.
        doing: &'static str,
        /// What the database says.
        #[source]
        source: sqlx::Error,
    },
    /// SQLite refused a statement that did not go through sqlx.
    #[error("the database failed while {doing}")]
    Sqlite {
        /// What was being done.
        doing: &'static str,
        /// What SQLite says.
        #[source]
        source: rusqlite::Error,
    },
    /// A value on file is not what its column may hold.
    #[error("column {column} holds a value of the wrong form")]
    Corrupt {
        /// The column.
        column: &'static str,
    },
    /// Another transaction did the same at the same moment; this one was undone.
    #[error("another transaction was faster while {doing}")]
    MetAnother {
        /// What was being done.
        doing: &'static str,
    },
    /// A job of the writer panicked; its transaction was undone.
    #[error("the writer panicked")]
    Panicked,
    /// Nobody was free to read for long.
    #[error("too many requests wait for a connection that reads")]
    NobodyFree,
    /// More is waiting for the writer than it may hold.
    #[error("too many requests wait for the writer")]
    QueueFull,
    /// The store was closed.
    #[error("the store is closed")]
    Closed,
}

/// What a failure says about the next attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Somebody else holds the database.
    Locked,
    /// Somebody holds rows for long, or a statement took too long; others may go through.
    Held,
    /// Another transaction was faster; the same again may succeed at once.
    MetAnother,
    /// There is no room for this.
    Full,
    /// The files cannot be reached.
    Unreachable,
    /// The queue is full or gone.
    Overloaded,
    /// A mistake of ours.
    Ours,
}

// SQLite's primary result codes, the low byte of the code it gives.
const BUSY: i32 = 5;
const LOCKED: i32 = 6;
const READ_ONLY: i32 = 8;
const INPUT_OUTPUT: i32 = 10;
const FULL: i32 = 13;
const CANNOT_OPEN: i32 = 14;
const PROTOCOL: i32 = 15;

// Extended result codes.
const PRIMARY_KEY: i32 = 1555;
const UNIQUE: i32 = 2067;

impl StoreError {
    /// Whether trying the jobs of a failed group one by one could help some of them.
    pub(super) fn may_be_one_jobs_fault(&self) -> bool {
        matches!(self.kind(), Kind::Held | Kind::MetAnother | Kind::Full | Kind::Ours)
    }

    /// Whether it took its time to fail.
    pub(super) fn waited(&self) -> bool {
        self.kind() == Kind::Held
    }

    /// Whether nothing of the transaction is on disk. After other failures nobody knows: what a
    /// commit could not sync may be found in the log all the same.
    pub(super) fn is_surely_undone(&self) -> bool {
        self.may_be_one_jobs_fault() || self.met_another()
    }

    /// Whether the same transaction may succeed at once: it met another one.
    pub(super) fn met_another(&self) -> bool {
        self.kind() == Kind::MetAnother
    }

    /// Whether the database is out of reach, so that nobody knows what became of a commit, and a
    /// connection is of no more use.
    pub(super) fn out_of_reach(&self) -> bool {
        self.kind() == Kind::Unreachable
    }

    /// Whether a value that must be unique is on file.
    pub(super) fn met_its_like(&self) -> bool {
        match self {
            Self::Database { source: sqlx::Error::Database(error), .. } => {
                error.is_unique_violation()
            }
            Self::Sqlite { source, .. } => source
                .sqlite_error()
                .is_some_and(|error| [UNIQUE, PRIMARY_KEY].contains(&error.extended_code)),
            _ => false,
        }
    }

    /// What whoever runs the gateway can do about it.
    pub(super) fn advice(&self) -> Option<&'static str> {
        match self.kind() {
            Kind::Locked | Kind::Held => Some(
                "another program holds the database: end it (a shell, a backup), then try again",
            ),
            Kind::Full => Some("make room on the disk, or raise storage.max_bytes"),
            Kind::Unreachable => Some(
                "look whether the disk, or the server that database.url names, can be reached and \
                 lets this user in",
            ),
            Kind::Overloaded => Some("try again when the gateway has less to do"),
            Kind::MetAnother | Kind::Ours => None,
        }
    }

    fn kind(&self) -> Kind {
        match self {
            Self::Database { source, .. } => database_kind(source),
            Self::Sqlite { source, .. } => {
                source.sqlite_error().map_or(Kind::Ours, |error| sqlite_kind(error.extended_code))
            }
            Self::MetAnother { .. } => Kind::MetAnother,
            Self::NobodyFree | Self::QueueFull | Self::Closed => Kind::Overloaded,
            Self::Corrupt { .. } | Self::Panicked => Kind::Ours,
        }
    }
}

fn database_kind(error: &sqlx::Error) -> Kind {
    match error {
        sqlx::Error::Database(error) if error.try_downcast_ref::<PgDatabaseError>().is_some() => {
            error.code().map_or(Kind::Ours, |state| postgres_kind(&state))
        }
        sqlx::Error::Database(error) => {
            let code = error.code().and_then(|code| code.parse::<i32>().ok());
            code.map_or(Kind::Ours, sqlite_kind)
        }
        sqlx::Error::PoolTimedOut => Kind::Overloaded,
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::Protocol(_)
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed => Kind::Unreachable,
        _ => Kind::Ours,
    }
}

fn sqlite_kind(code: i32) -> Kind {
    match code & 0xff {
        BUSY | LOCKED | PROTOCOL => Kind::Locked,
        FULL => Kind::Full,
        INPUT_OUTPUT | CANNOT_OPEN | READ_ONLY => Kind::Unreachable,
        _ => Kind::Ours,
    }
}

/// By the five characters of SQLSTATE, of which the first two are a class.
fn postgres_kind(state: &str) -> Kind {
    match state {
        // Serialization failure, deadlock.
        "40001" | "40P01" => Kind::MetAnother,
        // Lock not available, query cancelled: by a limit that we set.
        "55P03" | "57014" => Kind::Held,
        // Disk full.
        "53100" => Kind::Full,
        // Read-only transaction: a standby. Idle in a transaction for too long: it is cut off.
        "25006" | "25P03" => Kind::Unreachable,
        // Connection exceptions, authorization, no such database, lack of resources, the operator
        // intervenes, trouble of the system.
        _ => match state.get(..2) {
            Some("08" | "28" | "3D" | "53" | "57" | "58") => Kind::Unreachable,
            _ => Kind::Ours,
        },
    }
}

/// Turns the database's word into ours, with what was being done.
pub(super) fn during(doing: &'static str) -> impl FnOnce(sqlx::Error) -> StoreError {
    move |source| StoreError::Database { doing, source }
}

impl From<Arc<StoreError>> for Fault {
    /// Several callers may share one failure: that of the group that their jobs were in.
    fn from(error: Arc<StoreError>) -> Self {
        let reason = match error.kind() {
            Kind::Locked | Kind::Held | Kind::MetAnother => "the database is locked",
            Kind::Full => "the disk is full",
            Kind::Unreachable => "the database cannot be reached",
            Kind::Overloaded => "too much is waiting",
            Kind::Ours => return Self::internal("using the database", error),
        };
        Self::unavailable(reason, Some(Box::new(error)))
    }
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        Arc::new(error).into()
    }
}

//! Why a command failed.

use std::io;
use std::path::PathBuf;

use crate::admin::client::CallError;
use crate::app::AppError;
use crate::app::moving::MovingError;
use crate::config::ConfigError;
use crate::sdk::client::{BuildError, RequestError, SendError};
use crate::sdk::ids::{MessageId, UserId};
use crate::sdk::keystore::KeystoreError;
use crate::telemetry::logs::LogError;

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum CommandError {
    /// The settings cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Logging cannot begin.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The runtime cannot be built.
    #[error("cannot start the runtime")]
    Runtime(#[source] io::Error),
    /// The gateway cannot begin.
    #[error(transparent)]
    App(#[from] AppError),
    /// The listener's address cannot be taken.
    #[error("cannot listen on {address}")]
    Bind {
        /// Address and port.
        address: std::net::SocketAddr,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Signals cannot be watched for.
    #[error("cannot watch for signals")]
    Signals(#[source] io::Error),
    /// The operator's request came to nothing.
    #[error("cannot {doing}")]
    Call {
        /// What the request was for.
        doing: &'static str,
        /// Why.
        #[source]
        source: CallError,
    },
    /// A process other than a gateway works on the data directory and does not come to an end.
    #[error("process {pid} works on the data directory {} and does not let go", path.display())]
    Busy {
        /// The directory.
        path: PathBuf,
        /// The process.
        pid: u32,
    },
    /// A new file cannot be made or written.
    #[error("cannot write {}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The demo did not go as told.
    #[error(transparent)]
    Demo(#[from] crate::demo::DemoError),
    /// Standard output cannot be written.
    #[error("cannot write to standard output")]
    Print(#[source] io::Error),
    /// A keystore cannot be read or made.
    #[error("cannot use the keystore")]
    Keystore(#[from] KeystoreError),
    /// There is no randomness for a new key.
    #[error(transparent)]
    Entropy(#[from] crate::app::entropy::EntropyError),
    /// The gateway did something else than it was asked for: another version runs there.
    #[error("the running gateway's answer does not fit; is it of another version?")]
    Answer,
    /// A look at the database found damage, which was printed.
    #[error("the database is damaged")]
    Damaged,
    /// The database was not written into a file, or not filled from one.
    #[error("cannot move the database")]
    Moving(#[from] MovingError),
    /// The file to fill a database from cannot be opened.
    #[error("cannot read {}", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// What was asked for is a running gateway's alone.
    #[error("no gateway runs here")]
    NoGateway,
    /// No client can be made of a keystore.
    #[error("cannot speak for the keystore")]
    Client(#[from] BuildError),
    /// The text on standard input cannot be read.
    #[error("cannot read the text from standard input")]
    Input(#[source] io::Error),
    /// There is nothing to send.
    #[error("the text is empty")]
    NoText,
    /// A request of a bot came to nothing.
    #[error("cannot {doing}")]
    Request {
        /// What the request was for.
        doing: &'static str,
        /// Who asked.
        who: Speaker,
        /// Why.
        #[source]
        source: Box<RequestError>,
    },
    /// A message could not be put before the gateway.
    #[error("cannot send the message")]
    Send {
        /// Who sent it.
        who: Speaker,
        /// Why.
        #[source]
        source: SendError,
    },
    /// The gateway did not take a message.
    #[error("message {message} was not delivered: {why}")]
    Undelivered {
        /// The message.
        message: MessageId,
        /// Why.
        why: String,
        /// Whether the same may succeed later.
        later: bool,
    },
    /// A table cannot be read.
    #[error("cannot read {}", path.display())]
    Table {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: csv::Error,
    },
    /// A table lacks a column.
    #[error("{} has no column `{column}`; its first line names {found}", path.display())]
    NoColumn {
        /// The file.
        path: PathBuf,
        /// The column.
        column: String,
        /// The columns that it has.
        found: String,
    },
    /// The gateway became out of reach in the middle of a broadcast.
    #[error("the broadcast stopped at line {line} (rows left: {left})")]
    Stopped {
        /// Where.
        line: u64,
        /// How many rows are left.
        left: u64,
        /// Who sent it.
        who: Speaker,
        /// Why.
        #[source]
        source: SendError,
    },
    /// Some rows of a broadcast were not delivered.
    #[error("{failed} of {rows} rows were not delivered")]
    FailedRows {
        /// Those.
        failed: u64,
        /// All.
        rows: u64,
    },
}

/// For whom a request was made, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Speaker {
    /// The account.
    pub(super) account: UserId,
    /// The gateway's URL.
    pub(super) url: String,
}

/// Says what a failed request was for.
pub(super) fn while_(doing: &'static str) -> impl FnOnce(CallError) -> CommandError {
    move |source| CommandError::Call { doing, source }
}

//! Why a command failed.

use std::io;
use std::path::PathBuf;

use crate::admin::client::CallError;
use crate::app::AppError;
use crate::config::ConfigError;
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
    /// Nobody serves the data directory.
    #[error("no gateway serves the data directory {}", path.display())]
    NoGateway {
        /// The directory.
        path: PathBuf,
    },
    /// A file for a keystore cannot be made or written.
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
}

/// Says what a failed request was for.
pub(super) fn while_(doing: &'static str) -> impl FnOnce(CallError) -> CommandError {
    move |source| CommandError::Call { doing, source }
}

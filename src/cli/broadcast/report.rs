//! The rows that failed, as a table of their own.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use csv::Writer;
use serde::Serialize;

use crate::cli::error::CommandError;
use crate::sdk::ids::MessageId;

/// A row that was not delivered.
#[derive(Debug, Serialize)]
pub(super) struct Failed<'a> {
    /// Its line in the table.
    pub(super) line: u64,
    /// What it says in the column of the account.
    pub(super) user_id: &'a str,
    /// The message, where there is one.
    pub(super) message_id: Option<MessageId>,
    /// Why, in one word: `bad_row`, `recipient_gone`, `rejected`, `deferred`, `still_stale`,
    /// `not_sent`.
    pub(super) reason: &'static str,
    /// Why, for people.
    pub(super) detail: &'a str,
}

/// A new file for them, readable by its owner alone: it says who was written to.
pub(super) struct Report {
    path: PathBuf,
    rows: Writer<File>,
}

impl Report {
    /// Makes the file with its header line; one that exists is never touched.
    pub(super) fn create(path: &Path) -> Result<Self, CommandError> {
        let opened = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
        let file =
            opened.map_err(|source| CommandError::Write { path: path.to_owned(), source })?;
        let rows = csv::WriterBuilder::new().has_headers(false).from_writer(file);
        let mut report = Self { path: path.to_owned(), rows };
        let header = ["line", "user_id", "message_id", "reason", "detail"];
        let written = report.rows.write_record(header);
        report.checked(written)?;
        Ok(report)
    }

    /// Adds a row.
    pub(super) fn add(&mut self, failed: &Failed<'_>) -> Result<(), CommandError> {
        let written = self.rows.serialize(failed);
        self.checked(written)
    }

    /// What was added so far is in the file, whatever becomes of this process.
    pub(super) fn flush(&mut self) -> Result<(), CommandError> {
        let written = self.rows.flush().map_err(csv::Error::from);
        self.checked(written)
    }

    fn checked(&self, written: Result<(), csv::Error>) -> Result<(), CommandError> {
        written.map_err(|error| CommandError::Write {
            path: self.path.clone(),
            source: io::Error::from(error),
        })
    }
}

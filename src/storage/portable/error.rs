//! Why a database was not written into a file, or not filled from one.

use std::io;

use crate::storage::error::StoreError;
use crate::storage::open::OpenError;

/// Why a database was not written into a file, or not filled from one.
#[derive(Debug, thiserror::Error)]
pub enum PortableError {
    /// The database cannot be opened.
    #[error("cannot open the database")]
    Open(#[from] OpenError),
    /// The database cannot be read or written.
    #[error("cannot go through the database")]
    Store(#[from] StoreError),
    /// What has to be written to its place before it can be read is not.
    #[error("cannot bring the database to rest")]
    Restless(#[source] crate::domain::Fault),
    /// The file cannot be written.
    #[error("cannot write the file")]
    Write(#[source] io::Error),
    /// The file cannot be read.
    #[error("cannot read the file")]
    Read(#[source] io::Error),
    /// The file is something else.
    #[error("line {line} of the file is not what stands there in one of these")]
    Form {
        /// The line, from 1.
        line: u64,
    },
    /// The file is of a form that this program does not know.
    #[error("the file is of form {found}, and this program knows form {known}")]
    Version {
        /// The file's.
        found: u64,
        /// The program's.
        known: u64,
    },
    /// The tables of the file are those of another version of the program.
    #[error("the table {table} has other columns in the file than in this program's database")]
    Columns {
        /// The table.
        table: &'static str,
    },
    /// The file ends too early.
    #[error("the file is cut off after line {line}")]
    CutOff {
        /// The last line.
        line: u64,
    },
    /// The rows of a table are not those that were written.
    #[error("the rows of the table {table} in the file are not those that were written into it")]
    Damaged {
        /// The table.
        table: &'static str,
    },
    /// The database has something in it.
    #[error("the database is not empty: there are rows in its table {table}")]
    NotEmpty {
        /// The table.
        table: &'static str,
    },
    /// The database does not have what was written into it.
    #[error("the database gives other rows of {table} back than were written; nothing was kept")]
    Differs {
        /// The table.
        table: &'static str,
    },
}

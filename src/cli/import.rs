//! `sealpost import`.

use std::fs::File;
use std::io::BufReader;
use std::path::PathBuf;

use serde_json::json;

use super::error::CommandError;
use super::output::Output;
use super::progress::Watched;
use crate::app::{Config, moving};

/// Fill an empty database from a file that `export` wrote
///
/// The database is the one that the settings name, a file or a server; it is made if there is none
/// yet. All of it is written in one transaction, read again and compared before that is committed: it
/// has everything then, or nothing. Messages that somebody held come again. Start no gateway
/// meanwhile, and never again on the database that was left.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The file
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

pub(super) async fn run(
    arguments: &Arguments,
    config: &Config,
    out: Output,
) -> Result<(), CommandError> {
    let path = &arguments.file;
    let file = File::open(path);
    let file = file.map_err(|source| CommandError::Open { path: path.clone(), source })?;
    let mut watched = Watched::new(out);
    let moved = moving::import(config, BufReader::new(file), &mut watched).await?;
    watched.finish();
    let text = format!("{} rows of {} tables, compared with the file", moved.rows, moved.tables);
    out.print(&text, &json!({ "rows": moved.rows, "tables": moved.tables }))
}

//! `sealpost export`.

use std::path::PathBuf;

use serde_json::json;

use super::error::CommandError;
use super::new_file::NewFile;
use super::output::Output;
use super::progress::Watched;
use crate::app::{Config, moving};

/// Write the whole database into a new file
///
/// For moving from one kind of database to the other: accounts, devices and their keys, messages and
/// who waits for them, drop boxes, settings of the gateway's own, its signing key included, so keep
/// the file as safe as the database. Stop the gateway first. Files are not in it: attachments, those in
/// drop boxes and the vault's key stay where they are in the data directory.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The new file (mode 0600)
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

pub(super) async fn run(
    arguments: &Arguments,
    config: &Config,
    out: Output,
) -> Result<(), CommandError> {
    let mut file = NewFile::create(&arguments.file)?;
    let mut watched = Watched::new(out);
    let moved = moving::export(config, file.writer(), &mut watched).await?;
    file.keep()?;
    watched.finish();
    let text = format!("{} rows of {} tables", moved.rows, moved.tables);
    out.print(&text, &json!({ "file": arguments.file, "rows": moved.rows, "tables": moved.tables }))
}

//! `sealpost user …`.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};

use super::error::{CommandError, while_};
use super::gateway::Gateway;
use super::keystores::{Draft, Made, finish_all};
use super::new_file::NewFile;
use super::output::Output;
use crate::admin::types::{CreateAccount, CreatedAccount};
use crate::app::Config;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    Create(Create),
}

/// Make a user with one or more signed-in devices
///
/// Prints a JSON array with one keystore for each device. The keys are made by this command; their
/// private halves go into the keystores and nowhere else.
#[derive(Debug, Args)]
pub(super) struct Create {
    /// The name shown to others
    name: String,
    /// How many devices
    #[arg(long, value_name = "N", default_value_t = 1,
        value_parser = clap::value_parser!(u16).range(1..=510))]
    devices: u16,
    /// What the devices say they are
    #[arg(long, value_name = "TEXT", default_value = "Sealpost")]
    platform: String,
    /// Write the keystores into new files device-1.json, device-2.json, … (mode 0600) in this
    /// directory instead of standard output
    #[arg(long, value_name = "DIR")]
    out_dir: Option<PathBuf>,
    /// The URL under which the devices reach the gateway [default: the address that it listens on]
    #[arg(long, value_name = "URL")]
    url: Option<String>,
}

pub(super) async fn run(
    command: Command,
    config: &Config,
    out: Output,
) -> Result<(), CommandError> {
    let Command::Create(arguments) = command;
    create(arguments, config, out).await
}

async fn create(arguments: Create, config: &Config, out: Output) -> Result<(), CommandError> {
    let files = match &arguments.out_dir {
        Some(directory) => Some(new_files(directory, arguments.devices)?),
        None => None,
    };
    let new_draft = |_| Draft::new(&arguments.platform);
    let drafts: Vec<_> = (0..arguments.devices).map(new_draft).collect::<Result<_, _>>()?;
    let gateway = Gateway::find(config).await?;
    let base_url = arguments.url.unwrap_or_else(|| gateway.base_url());
    let request = CreateAccount {
        kind: "user".to_owned(),
        full_name: arguments.name,
        sessions: drafts.iter().map(|draft| draft.request(None)).collect(),
    };
    let created = gateway.client.post::<CreatedAccount>("/admin/v1/accounts", &request).await;
    gateway.close().await;
    let created = created.map_err(while_("create the user"))?;
    let keystores = finish_all(drafts, &created, &base_url)?;
    let CreatedAccount { user_id, identity_number, .. } = created;
    let remark = format!("created user {user_id}, identity number {identity_number}");
    Made::of(user_id, Some(&identity_number)).deliver_all(&keystores, files, &remark, out)
}

fn new_files(directory: &Path, count: u16) -> Result<Vec<NewFile>, CommandError> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(directory);
    made.map_err(|source| CommandError::Write { path: directory.to_owned(), source })?;
    let file = |number| NewFile::create(&directory.join(format!("device-{number}.json")));
    (1..=count).map(file).collect()
}

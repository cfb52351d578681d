//! `sealpost demo`.

use std::net::SocketAddr;
use std::path::PathBuf;

use super::error::CommandError;
use super::output::Output;
use super::serve::Signals;
use crate::demo::{self, Options, Stage};

/// Play through the whole thing in a few seconds
///
/// Starts a gateway with a database in a temporary directory on a free port of the loopback, makes
/// a bot and two people with three devices each, and tells what happens while the bot writes to
/// them: a hundred encrypted messages, a person who signs in again in between, the bot's fresh
/// list, the retry. Needs no configuration and reads none.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Go on serving when the story is told, and print what to try next, such as the page at /try
    #[arg(long)]
    keep: bool,
    /// Address and port to listen on; port 0 takes any free one
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:0")]
    listen: SocketAddr,
}

pub(super) fn run(
    arguments: &Arguments,
    data: Option<PathBuf>,
    out: Output,
) -> Result<(), CommandError> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let stage = match out {
        Output::Text => Stage::Prose,
        Output::Json => Stage::Json,
    };
    let options = Options { listen: arguments.listen, data, keep: arguments.keep, stage };
    runtime.map_err(CommandError::Runtime)?.block_on(async {
        let mut signals = Signals::watch().map_err(CommandError::Signals)?;
        let stop = async move {
            let signal = signals.next().await;
            out.remark(&format!("{signal}: stopping"));
        };
        Ok(demo::run(options, stop).await?)
    })
}

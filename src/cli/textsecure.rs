//! `sealpost textsecure …`.

use clap::Subcommand;

use super::error::{CommandError, while_};
use super::gateway::Gateway;
use super::output::Output;
use crate::admin::types::{CodeInfo, CodeList};
use crate::app::Config;
use crate::config::dialects::textsecure::codes::{Fallback, Sender};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// List the codes that wait for you to hand them over
    ///
    /// One line for each: number, how its owner wants the code (`sms` or `voice`), the code, until
    /// when it is good; the oldest first. Give a code to nobody but whoever answers under the
    /// number: it registers the number, and ends what was registered under it before.
    Codes,
}

pub(super) async fn run(
    command: Command,
    config: &Config,
    out: Output,
) -> Result<(), CommandError> {
    match command {
        Command::Codes => codes(config, out).await,
    }
}

async fn codes(config: &Config, out: Output) -> Result<(), CommandError> {
    let gateway = Gateway::find(config).await?;
    let list = gateway.client.get::<CodeList>("/admin/v1/textsecure/codes").await;
    gateway.close().await;
    let CodeList { codes, more } = list.map_err(while_("list the codes"))?;
    for info in &codes {
        let CodeInfo { number, transport, code, expires_at } = info;
        out.print(&format!("{number}  {transport}  {code}  {expires_at}"), info)?;
    }
    if more {
        out.remark("there are more");
    }
    let ways = &config.dialects.textsecure.codes;
    if ways.sender != Sender::Outbox && ways.fallback != Fallback::Outbox {
        out.remark("by these settings codes go another way: `dialects.textsecure.codes`");
    }
    Ok(())
}

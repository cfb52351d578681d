//! `sealpost admin read-only`, `admin drain` and `admin stuck`: the console's switch, and what it shows
//! of inboxes that nobody gets past.

use clap::ValueEnum;

use super::error::{CommandError, while_};
use super::gateway::Gateway;
use super::output::{Output, on_one_line};
use crate::admin::client::CallError;
use crate::admin::types::{Mode, StuckInboxInfo, StuckList};
use crate::app::Config;

/// The operator's switch.
const MODE: &str = "/admin/v1/mode";

/// Which way to turn it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Turn {
    /// From now on
    On,
    /// No more
    Off,
}

/// Turns one half of the switch and leaves the other as it is. Only a gateway that runs has one.
pub(super) async fn turn(
    config: &Config,
    out: Output,
    change: impl FnOnce(&mut Mode),
) -> Result<(), CommandError> {
    let gateway = Gateway::find(config).await?;
    if gateway.is_own() {
        gateway.close().await;
        return Err(CommandError::NoGateway { path: config.storage.data.clone() });
    }
    let turned = async {
        let mut mode: Mode = gateway.client.get(MODE).await?;
        change(&mut mode);
        gateway.client.put::<Mode>(MODE, &mode).await
    };
    let turned: Result<Mode, CallError> = turned.await;
    gateway.close().await;
    let mode = turned.map_err(while_("turn the switch"))?;
    out.print(words(mode), &mode)
}

/// What clients are let do.
pub(super) fn words(mode: Mode) -> &'static str {
    match (mode.read_only, mode.draining) {
        (false, false) => "takes everything",
        (true, false) => "read-only",
        (false, true) => "drained",
        (true, true) => "drained, and read-only after that",
    }
}

/// Lists the inboxes in which something is set aside.
pub(super) async fn stuck(config: &Config, out: Output) -> Result<(), CommandError> {
    let gateway = Gateway::find(config).await?;
    let found = gateway.client.get::<StuckList>("/admin/v1/stuck").await;
    gateway.close().await;
    for inbox in found.map_err(while_("look for inboxes that nobody gets past"))?.inboxes {
        let StuckInboxInfo { user_id, full_name, session_id, messages, since } = &inbox;
        let name = on_one_line(full_name.as_deref().unwrap_or("-"));
        let line = format!("{session_id}  {since}  {messages}  {user_id}  {name}");
        out.print(&line, &inbox)?;
    }
    Ok(())
}

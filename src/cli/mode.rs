//! `sealpost admin mode`, `read-only` and `drain`.

use super::error::{CommandError, while_};
use super::gateway::Gateway;
use super::output::Output;
use crate::admin::types::Mode;
use crate::app::Config;

const PATH: &str = "/admin/v1/mode";

/// One half of the switch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Turned {
    /// It applies.
    On,
    /// It does not.
    Off,
}

/// What is to be changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    ReadOnly(Turned),
    Draining(Turned),
}

/// Shows what clients are let do, after a change if there is one. It is the running gateway's: a
/// command on its own forgets it at once.
pub(super) async fn run(
    change: Option<Change>,
    config: &Config,
    out: Output,
) -> Result<(), CommandError> {
    let gateway = Gateway::find(config).await?;
    if gateway.is_own() {
        gateway.close().await;
        return Err(CommandError::NoGateway);
    }
    let mode = async {
        let mode: Mode = gateway.client.get(PATH).await?;
        let mode = match change {
            None => return Ok(mode),
            Some(Change::ReadOnly(turned)) => Mode { read_only: turned == Turned::On, ..mode },
            Some(Change::Draining(turned)) => Mode { draining: turned == Turned::On, ..mode },
        };
        gateway.client.put::<Mode>(PATH, &mode).await
    };
    let mode = mode.await;
    gateway.close().await;
    let mode = mode.map_err(while_("turn the gateway's switch"))?;
    out.print(in_words(mode), &mode)
}

/// What clients are let do.
pub(super) fn in_words(mode: Mode) -> &'static str {
    match mode {
        Mode { draining: true, .. } => "draining: all requests are refused, sockets are closed",
        Mode { read_only: true, .. } => "read-only: reading and acknowledging go on",
        Mode { .. } => "everything is served",
    }
}

//! `sealpost migrate`.

use serde_json::json;

use super::error::CommandError;
use super::gateway::Gateway;
use super::output::Output;
use crate::app::Config;

/// What is logged: each migration as it is done, and what is wrong.
pub(super) const LOGGED: &str = "warn,sealpost::storage::migrations=info";

pub(super) async fn run(config: &Config, out: Output) -> Result<(), CommandError> {
    let gateway = Gateway::find(config).await?;
    // Whoever opens a database brings it up to date.
    let (remark, running) = match gateway.is_own() {
        true => ("the database is up to date", false),
        false => ("the database is up to date: a running gateway has it open", true),
    };
    gateway.close().await;
    out.done(remark, &json!({ "up_to_date": true, "running_gateway": running }))
}

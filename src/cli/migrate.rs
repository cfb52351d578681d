//! `sealpost migrate`.

use super::error::CommandError;
use super::gateway::Gateway;
use super::output;
use crate::app::Config;

pub(super) async fn run(config: &Config) -> Result<(), CommandError> {
    let gateway = Gateway::find(config).await?;
    // Whoever opens a database brings it up to date.
    output::remark(match gateway.is_own() {
        true => "the database is up to date",
        false => "the database is up to date: a running gateway has it open",
    });
    gateway.close().await;
    Ok(())
}

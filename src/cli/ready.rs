//! `sealpost ready`.

use serde_json::{Value, json};

use super::error::{CommandError, while_};
use super::output::Output;
use crate::admin::client::AdminClient;
use crate::app::Config;
use crate::app::directory;

/// Asks the gateway of this data directory, and nobody else: a look at its health must never open
/// the database in its place.
pub(super) async fn run(config: &Config, out: Output) -> Result<(), CommandError> {
    let data = config.storage.data.as_path();
    let Some(socket) = directory::read_holder(data).admin_socket else {
        return Err(CommandError::NoGateway { path: data.to_owned() });
    };
    let answer = AdminClient::Socket(socket).get::<Value>("/readyz").await;
    answer.map_err(while_("hear that the gateway is ready"))?;
    out.print("ready", &json!({ "ready": true }))
}

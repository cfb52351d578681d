//! `sealpost session set-aside`.

use clap::Args;

use super::error::{CommandError, while_};
use super::gateway::Gateway;
use super::output;
use crate::admin::client::CallError;
use crate::admin::types::SetAsideList;
use crate::app::Config;
use crate::sdk::ids::{MessageId, SessionId};

/// Messages in one request: as many as the gateway gives.
const PAGE: usize = 100;

/// List the messages that a session does not get past, or do something about one
///
/// A message that was delivered again and again without an acknowledgement is set aside. One line
/// for each: message id, when it was set aside, its category, its sender, and why.
#[derive(Debug, Args)]
pub(super) struct SetAside {
    /// The session
    #[arg(value_name = "SESSION_ID")]
    session: SessionId,
    /// Deliver this message again, as if for the first time
    #[arg(long, value_name = "MESSAGE_ID", conflicts_with = "drop")]
    retry: Option<MessageId>,
    /// Drop this message
    #[arg(long, value_name = "MESSAGE_ID")]
    drop: Option<MessageId>,
}

pub(super) async fn run(arguments: SetAside, config: &Config) -> Result<(), CommandError> {
    let gateway = Gateway::find(config).await?;
    let path = format!("/admin/v1/sessions/{}/set_aside", arguments.session);
    let outcome = match (arguments.retry, arguments.drop) {
        (Some(message), _) => {
            let retried = gateway.client.order(&format!("{path}/{message}/retry")).await;
            retried.map(|()| Outcome::Said(format!("message {message} waits again")))
        }
        (None, Some(message)) => {
            let dropped = gateway.client.delete(&format!("{path}/{message}")).await;
            dropped.map(|()| Outcome::Said(format!("dropped message {message}")))
        }
        (None, None) => lines(&gateway, &path).await.map(Outcome::Listed),
    };
    gateway.close().await;
    match outcome.map_err(while_("see to what is set aside"))? {
        Outcome::Said(text) => output::remark(&text),
        Outcome::Listed(lines) => {
            lines.iter().try_for_each(|line| output::print(line))?;
        }
    }
    Ok(())
}

enum Outcome {
    Said(String),
    Listed(Vec<String>),
}

async fn lines(gateway: &Gateway, path: &str) -> Result<Vec<String>, CallError> {
    let mut lines = Vec::new();
    let mut after = String::new();
    loop {
        let page = format!("{path}?limit={PAGE}{after}");
        let SetAsideList { messages } = gateway.client.get(&page).await?;
        for message in &messages {
            let (id, at, category) = (message.message_id, &message.set_aside_at, &message.category);
            lines.push(format!("{id}  {at}  {category}  {}  {}", message.user_id, message.reason));
        }
        match messages.last() {
            Some(last) if messages.len() == PAGE => after = format!("&after={}", last.message_id),
            _ => return Ok(lines),
        }
    }
}

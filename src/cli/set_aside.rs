//! `sealpost session set-aside`.

use clap::Args;
use serde_json::{Value, json};

use super::error::{CommandError, while_};
use super::gateway::Gateway;
use super::output::{Output, on_one_line};
use crate::admin::client::CallError;
use crate::admin::types::SetAsideList;
use crate::app::Config;
use crate::sdk::ids::{MessageId, SessionId};
use crate::sdk::types::SetAsideMessage;

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

/// Also `sealpost admin set-aside`.
pub(super) async fn run(
    arguments: SetAside,
    config: &Config,
    out: Output,
) -> Result<(), CommandError> {
    let gateway = Gateway::find(config).await?;
    let path = format!("/admin/v1/sessions/{}/set_aside", arguments.session);
    let outcome = match (arguments.retry, arguments.drop) {
        (Some(message), _) => {
            let retried = gateway.client.order(&format!("{path}/{message}/retry")).await;
            let document = json!({ "message_id": message, "waits": true });
            retried.map(|()| Outcome::Done(format!("message {message} waits again"), document))
        }
        (None, Some(message)) => {
            let dropped = gateway.client.delete(&format!("{path}/{message}")).await;
            let document = json!({ "message_id": message, "dropped": true });
            dropped.map(|()| Outcome::Done(format!("dropped message {message}"), document))
        }
        (None, None) => list(&gateway, &path).await.map(Outcome::Listed),
    };
    gateway.close().await;
    match outcome.map_err(while_("see to what is set aside"))? {
        Outcome::Done(remark, document) => out.done(&remark, &document),
        Outcome::Listed(messages) => {
            messages.iter().try_for_each(|message| out.print(&line(message), message))
        }
    }
}

enum Outcome {
    /// What to say of it, and what a program gets instead.
    Done(String, Value),
    Listed(Vec<SetAsideMessage>),
}

fn line(message: &SetAsideMessage) -> String {
    let SetAsideMessage { message_id, set_aside_at, category, user_id, reason, .. } = message;
    let category = on_one_line(category);
    format!("{message_id}  {set_aside_at}  {category}  {user_id}  {reason}")
}

async fn list(gateway: &Gateway, path: &str) -> Result<Vec<SetAsideMessage>, CallError> {
    let mut listed = Vec::new();
    let mut after = String::new();
    loop {
        let page = format!("{path}?limit={PAGE}{after}");
        let SetAsideList { messages } = gateway.client.get(&page).await?;
        let full = messages.len() == PAGE;
        listed.extend(messages);
        match listed.last() {
            Some(last) if full => after = format!("&after={}", last.message_id),
            _ => return Ok(listed),
        }
    }
}

//! One look into the inbox: a long poll, and what it hands out, item by item.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use crate::category;
use crate::ids::{MessageId, UserId};
use crate::types::InboxMessage;

use super::bot::Core;
use super::error::RequestError;
use super::gateway::Call;

/// How many messages one poll may bring.
const POLL_LIMIT: usize = 100;
/// A gateway that answers an empty poll sooner than this is not asked again at once.
const SHORTEST_EMPTY_POLL: Duration = Duration::from_secs(1);

/// What the gateway hands out: a message, or something that is none of this protocol.
pub(super) type Item = Result<InboxMessage, Malformed>;

/// An inbox item that is no message of this protocol.
pub(super) struct Malformed {
    /// What it says its id is, cut to a sensible length.
    pub(super) message_id: String,
    /// Where reading it stopped.
    pub(super) error: serde_json::Error,
}

/// Who sent a message, and its id: ids are the senders' own, so two senders may use the same.
pub(super) type Key = (Option<UserId>, MessageId);

impl Malformed {
    /// Without a sender, since nothing in it can be relied on.
    pub(super) fn key(&self) -> Option<Key> {
        MessageId::parse(&self.message_id).ok().map(|id| (None, id))
    }
}

/// Waits until something is there, or as long as a gateway waits.
pub(super) async fn poll(core: Arc<Core>) -> Result<Vec<Item>, RequestError> {
    let asked_at = core.clock.now();
    let items = fetch(&core, core.poll_wait).await?;
    if items.is_empty() {
        let took = core.clock.now().duration_since(asked_at).unwrap_or_default();
        core.clock.sleep(SHORTEST_EMPTY_POLL.saturating_sub(took)).await;
    }
    Ok(items)
}

/// One page of what is there within that time.
pub(super) async fn fetch(core: &Core, wait: Duration) -> Result<Vec<Item>, RequestError> {
    let path = format!("/inbox?wait={}&limit={POLL_LIMIT}", wait.as_secs());
    let timeout = wait.saturating_add(core.gateway.timeout);
    let call = Call::get(path).with_timeout(timeout).once();
    let items: Vec<Value> = core.gateway.call(call).await?;
    let items: Vec<Item> = items.into_iter().map(read).collect();
    warm_up(core, &items).await;
    Ok(items)
}

/// Fetches the senders' sessions in one request. A failure shows again when one is opened.
async fn warm_up(core: &Core, items: &[Item]) {
    let senders: Vec<UserId> = items
        .iter()
        .flatten()
        .filter(|message| category::is_encrypted(&message.category))
        .filter_map(|message| message.user_id)
        .collect();
    let _shown_when_opened = core.directory.load(&senders).await;
}

/// Reads an item that is still text.
pub(super) fn read_text(item: &str) -> Item {
    match serde_json::from_str(item) {
        Ok(item) => read(item),
        Err(error) => Err(Malformed { message_id: String::new(), error }),
    }
}

fn read(item: Value) -> Item {
    let id = item.get("message_id").and_then(Value::as_str).unwrap_or_default();
    let message_id = id.chars().take(64).collect();
    serde_json::from_value(item).map_err(|error| Malformed { message_id, error })
}

//! What a client has taken care of: it leaves the inbox, and whoever sent it gets a receipt.

use std::collections::HashSet;

use super::shown::Message;
use crate::dialect::textsecure::TextSecureState;
use crate::dialect::textsecure::auth::Caller;
use crate::dialect::textsecure::receipts;
use crate::domain::error::Fault;

/// Takes messages out of the inbox, and tells their senders. What somebody else took out before is
/// told by them.
///
/// # Errors
/// Only when the store fails; then the messages come again.
pub async fn acknowledge(
    state: &TextSecureState,
    caller: &Caller,
    messages: Vec<Message>,
) -> Result<(), Fault> {
    let inbox = caller.reader().inbox;
    let ids = messages.iter().map(|message| message.id).collect();
    let removed = state.switchboard.gateway.take_out(inbox, ids).await?;
    let removed: HashSet<_> = removed.into_iter().map(|gone| gone.message_id).collect();
    for message in messages {
        if let Some(envelope) = message.envelope.filter(|_| removed.contains(&message.id)) {
            receipts::arrived(&state.switchboard, caller, &envelope).await;
        }
    }
    Ok(())
}

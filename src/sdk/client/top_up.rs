//! Slots for sessions that an accepted message did not cover.
//!
//! The message is stored already, so nothing here fails it: whoever cannot be given a slot is named
//! in the outcome.

use std::collections::HashSet;

use crate::base64url;
use crate::checksum::session_checksum;
use crate::envelope::{MAX_SESSIONS, MessageKey, Recipient};
use crate::ids::{MessageId, SessionId};
use crate::types::{Receipt, TopUp, TopUpSlot};

use super::bot::Core;
use super::gateway::Call;
use super::outcome::Outcome;
use super::receipt::{self, Stale, Verdict};
use super::sessions::KnownSessions;

/// Adds slots until nobody is missing or it is of no more use. `stale` is what the receipt said.
pub(super) async fn run(
    core: &Core,
    message: MessageId,
    key: &MessageKey,
    mut stale: Stale,
) -> Outcome {
    // Every request adds up to 510 slots, or learns of a change.
    for _ in 0..core.rounds.saturating_mul(2) {
        let verdict = match body(core, key, &stale) {
            Some(body) => post(core, message, &body).await,
            None => break,
        };
        match verdict {
            Some(Verdict::Final(Outcome::Delivered { sessions })) => {
                return Outcome::Delivered { sessions };
            }
            Some(Verdict::InPart(fresh) | Verdict::Stale(fresh)) => stale = fresh,
            _ => break,
        }
    }
    in_part(stale)
}

/// What stays when nothing can be added.
pub(super) fn in_part(stale: Stale) -> Outcome {
    Outcome::DeliveredInPart { sessions: reached(&stale), missing: stale.missing }
}

/// The live sessions that have the message.
fn reached(stale: &Stale) -> Vec<SessionId> {
    let missing: HashSet<SessionId> = stale.missing.iter().copied().collect();
    let live = stale.sessions.iter().map(|info| info.session_id);
    live.filter(|session| !missing.contains(session)).collect()
}

/// Slots for as many of the missing as one request takes; `None` when no slot can be made.
fn body(core: &Core, key: &MessageKey, stale: &Stale) -> Option<TopUp> {
    let missing: HashSet<SessionId> = stale.missing.iter().copied().collect();
    let known = KnownSessions::new(&stale.sessions);
    let recipients: Vec<Recipient> = known
        .recipients
        .into_iter()
        .filter(|recipient| missing.contains(&recipient.session))
        .take(MAX_SESSIONS)
        .collect();
    let (identity, cache) = (&core.identity, &core.wrap_cache);
    let mut rng = core.entropy.fork();
    let slots = key.slots_for(&identity.agreement, &recipients, Some(cache), &mut rng).ok()?;
    let slot = |(recipient, slot): (&Recipient, [u8; 64])| TopUpSlot {
        session_id: recipient.session,
        slot_base64: base64url::encode(&slot),
    };
    let slots: Vec<TopUpSlot> = recipients.iter().zip(slots).map(slot).collect();
    let checksum = session_checksum(stale.sessions.iter().map(|info| info.session_id)).to_string();
    (!slots.is_empty()).then_some(TopUp { checksum, slots })
}

async fn post(core: &Core, message: MessageId, body: &TopUp) -> Option<Verdict> {
    let call = Call::post(format!("/encrypted_messages/{message}/slots"), body).ok()?;
    let receipt: Receipt = core.gateway.call(call).await.ok()?;
    Some(receipt::verdict(receipt))
}

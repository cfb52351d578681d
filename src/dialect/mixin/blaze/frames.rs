//! What the gateway sends on a socket.

use sealpost_sdk::types::blaze::{
    ACKNOWLEDGE_MESSAGE_RECEIPT, CREATE_MESSAGE, ERROR, LIST_PENDING_MESSAGES,
};
use sealpost_sdk::types::{ApiError, BlazeFrame, BlazeReceipt, ObjectType};
use serde::Serialize;

use super::codec;
use crate::dialect::mixin::inbox;
use crate::domain::acknowledge::Notice;
use crate::domain::clock::Timestamp;
use crate::domain::error::Fault;
use crate::domain::gateway::Gateway;
use crate::domain::ids::MessageId;
use crate::domain::inbox::Waiting;

/// A waiting message. What came before the reader began to listen, and what comes again, counts as
/// pending.
///
/// # Errors
/// [`Fault::Internal`] when what the store holds is no slice.
pub fn message(waiting: &Waiting, listening_since: Timestamp) -> Result<Vec<u8>, Fault> {
    let live = waiting.deliveries <= 1 && waiting.accepted_at >= listening_since;
    let source = if live { CREATE_MESSAGE } else { LIST_PENDING_MESSAGES };
    codec::encode(&BlazeFrame {
        // Nobody has asked under this id, and once it is compressed it costs next to nothing.
        id: waiting.message_id.to_string(),
        action: CREATE_MESSAGE.to_owned(),
        data: Some(inbox::message(waiting, source)?),
        error: None,
    })
}

/// A reader has taken care of a message of this account.
///
/// # Errors
/// As [`codec::encode`].
pub fn notice(gateway: &Gateway, notice: &Notice) -> Result<Vec<u8>, Fault> {
    let at = notice.at.to_string();
    let receipt = BlazeReceipt {
        kind: ObjectType::Message,
        message_id: notice.message_id,
        status: notice.status,
        source: ACKNOWLEDGE_MESSAGE_RECEIPT.to_owned(),
        user_id: notice.reader,
        session_id: notice.session,
        updated_at: at.clone(),
        created_at: at,
    };
    by_itself(gateway, ACKNOWLEDGE_MESSAGE_RECEIPT, Some(receipt), None)
}

/// Something is wrong with the socket, or with a frame that could not be read.
///
/// # Errors
/// As [`codec::encode`].
pub fn error(gateway: &Gateway, error: ApiError) -> Result<Vec<u8>, Fault> {
    by_itself::<()>(gateway, ERROR, None, Some(error))
}

fn by_itself<D: Serialize>(
    gateway: &Gateway,
    action: &str,
    data: Option<D>,
    error: Option<ApiError>,
) -> Result<Vec<u8>, Fault> {
    // Any id will do that no request has.
    let id: MessageId = gateway.random_id();
    codec::encode(&BlazeFrame { id: id.to_string(), action: action.to_owned(), data, error })
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha20Rng;
    use rand_core::{Rng, SeedableRng};

    use super::*;
    use crate::domain::ids::{ConversationId, Order, SessionId, UserId};
    use crate::domain::inbox::Details;
    use crate::storage::conformance::scene::START;

    /// The largest frame that a message of 1 KiB may become, whatever the number of its recipients.
    const LIMIT: usize = 1843;

    /// The shared parts of an envelope around 1 KiB: key, nonce, ciphertext with its tag.
    const SHARED: usize = 32 + 12 + 1024 + 16;

    fn random(rng: &mut ChaCha20Rng, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        rng.fill_bytes(&mut bytes);
        bytes
    }

    #[test]
    fn a_message_of_a_kibibyte_is_a_frame_of_less_than_two() {
        let mut largest = 0;
        for seed in 0..300 {
            let rng = &mut ChaCha20Rng::seed_from_u64(seed);
            let mut id = || <[u8; 16]>::try_from(random(rng, 16)).unwrap();
            let (conversation, sender) = (ConversationId::from_bytes(id()), id());
            let (session, message) = (SessionId::from_bytes(id()), MessageId::from_bytes(id()));
            let waiting = Waiting {
                order: Order(1),
                message_id: message,
                conversation: Some(conversation),
                sender: UserId::from_bytes(sender),
                sender_session: session,
                category: "ENCRYPTED_TEXT".to_owned(),
                body: random(rng, SHARED).into(),
                slot: random(rng, 64).into(),
                details: Details::default(),
                accepted_at: Timestamp::from_micros(START.as_micros() + 123_456),
                deliveries: 1,
            };
            largest = largest.max(super::message(&waiting, START).unwrap().len());
        }
        assert!(largest <= LIMIT, "{largest}");
    }
}

//! The ids of a broadcast's messages: the same ones each time it is run.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use uuid::Builder;

use crate::sdk::ids::{MessageId, UserId};

/// Keeps these ids apart from whatever else the key is used for.
const CONTEXT: &[u8] = b"sealpost bot broadcast, ids of messages, version 1";

/// Makes ids of one broadcast.
pub(super) struct Ids {
    keyed: Hmac<Sha256>,
}

impl Ids {
    /// For the broadcast of that name. The gateway sees the ids, and must learn nothing about the
    /// texts from them, so they are made with the bot's own key: whoever has it not cannot try texts
    /// until one fits.
    pub(super) fn new(secret: &[u8; 32], name: &str) -> Self {
        let mut block = zeroize::Zeroizing::new([0; 64]);
        block[..32].copy_from_slice(secret);
        // A key of a whole block is taken as it is, and one that is shorter is filled with zeros.
        let mut keyed = <Hmac<Sha256> as KeyInit>::new((&*block).into());
        part(&mut keyed, CONTEXT);
        part(&mut keyed, name.as_bytes());
        Self { keyed }
    }

    /// The id of this text for this account: a UUID of version 8 (RFC 9562, section 5.8).
    pub(super) fn of(&self, recipient: UserId, text: &str) -> MessageId {
        let mut keyed = self.keyed.clone();
        part(&mut keyed, recipient.as_bytes());
        part(&mut keyed, text.as_bytes());
        let digest: [u8; 32] = keyed.finalize().into_bytes().into();
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&digest[..16]);
        MessageId::from_uuid(Builder::from_custom_bytes(bytes).into_uuid())
    }
}

/// With its length before it, so that no two lists of parts run into the same bytes.
fn part(keyed: &mut Hmac<Sha256>, bytes: &[u8]) {
    keyed.update(&(bytes.len() as u64).to_le_bytes());
    keyed.update(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANNA: UserId = UserId::from_bytes([1; 16]);
    const BEN: UserId = UserId::from_bytes([2; 16]);

    #[test]
    fn the_same_message_has_the_same_id_and_no_other_one_has() {
        let ids = Ids::new(&[7; 32], "spring");
        let id = ids.of(ANNA, "hello");
        assert_eq!(id, Ids::new(&[7; 32], "spring").of(ANNA, "hello"));
        let others = [
            ids.of(BEN, "hello"),
            ids.of(ANNA, "hello!"),
            Ids::new(&[7; 32], "autumn").of(ANNA, "hello"),
            Ids::new(&[8; 32], "spring").of(ANNA, "hello"),
        ];
        assert!(others.iter().all(|other| *other != id), "{id} {others:?}");
        assert_eq!(id.uuid().get_version_num(), 8);
    }
}

//! Telling a repeated message from another one under the same id.

use sha2::{Digest, Sha256};

use super::{Addressees, Content, SealedContent, Submission};
use crate::domain::inbox::{Details, MessageDigest};

/// Covers everything that a reader could tell apart; every part of variable length is preceded by
/// its length, so that no two messages run into the same bytes. What becomes of a stale list is no
/// part of the message.
pub(super) fn digest_of(item: &Submission) -> MessageDigest {
    let mut hash = Sha256::new();
    let mut part = |bytes: &[u8]| {
        hash.update((bytes.len() as u64).to_le_bytes());
        hash.update(bytes);
    };
    part(item.conversation.as_bytes());
    match &item.to {
        Addressees::One(recipient) => part(recipient.as_bytes()),
        Addressees::Others => part(&[]),
        Addressees::Everyone => part(b"everyone"),
    }
    part(item.category.as_bytes());
    let Details { representative, quote, silent, expire_in } = &item.details;
    part(representative.as_ref().map_or(&[], |id| id.as_bytes()));
    part(quote.as_ref().map_or(&[], |id| id.as_bytes()));
    part(&[u8::from(*silent)]);
    part(&expire_in.to_le_bytes());
    match &item.content {
        // A category is either sealed or plain, so the two need not be told apart here.
        Content::Plain(body) => part(body),
        Content::Sealed(SealedContent { body, slots, .. }) => {
            part(body);
            for (session, slot) in slots {
                part(session.as_bytes());
                part(slot);
            }
        }
    }
    let full: [u8; 32] = hash.finalize().into();
    let mut short = [0; 16];
    short.copy_from_slice(&full[..16]);
    MessageDigest(short)
}

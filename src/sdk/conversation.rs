//! Conversation ids that everyone can compute.
//!
//! The conversation of two accounts has one id, whoever starts it. A group made with a random id
//! has an id that its owner, name, random id and first participants fix together.

use md5::{Digest, Md5};
use uuid::Uuid;

use crate::ids::{ConversationId, UserId};

/// The id of the conversation between two accounts; the order does not matter.
///
/// ```
/// use sealpost_sdk::conversation::contact_conversation_id;
/// use sealpost_sdk::ids::UserId;
///
/// let bot = UserId::parse("00000000-0000-4000-8000-000000000001")?;
/// let alice = UserId::parse("00000000-0000-4000-8000-000000000002")?;
/// let conversation = contact_conversation_id(bot, alice);
/// assert_eq!(conversation.to_string(), "bbccf428-4e22-3052-a566-4189e7492072");
/// assert_eq!(conversation, contact_conversation_id(alice, bot));
/// # Ok::<(), sealpost_sdk::ids::IdError>(())
/// ```
#[must_use]
pub fn contact_conversation_id(one: UserId, other: UserId) -> ConversationId {
    ConversationId::from_uuid(combine(&one.to_string(), &other.to_string()))
}

/// The id of a group that is created with `random_id`.
///
/// `participants` are those named at creation, in any order, the owner left out.
#[must_use]
pub fn group_conversation_id(
    owner: UserId,
    name: &str,
    random_id: Uuid,
    participants: &[UserId],
) -> ConversationId {
    let mut participants = participants.to_vec();
    participants.sort_unstable();
    let named = combine(&owner.to_string(), name);
    let salted = combine(&named.to_string(), &random_id.to_string());
    let id = participants
        .iter()
        .fold(salted, |id, participant| combine(&id.to_string(), &participant.to_string()));
    ConversationId::from_uuid(id)
}

/// MD5 of both texts, the smaller one first, with the bits of a version 3 UUID.
fn combine(one: &str, other: &str) -> Uuid {
    let (low, high) = if one <= other { (one, other) } else { (other, one) };
    let digest = Md5::new().chain_update(low).chain_update(high).finalize();
    uuid::Builder::from_md5_bytes(digest.into()).into_uuid()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn user(last: u8) -> UserId {
        UserId::parse(&format!("00000000-0000-4000-8000-0000000000{last:02x}")).unwrap()
    }

    #[test]
    fn two_accounts_give_the_published_contact_id() {
        let id = contact_conversation_id(user(2), user(1));
        assert_eq!(id.to_string(), "bbccf428-4e22-3052-a566-4189e7492072");
        assert_eq!(id.uuid().get_version_num(), 3);
    }

    #[test]
    fn a_group_gives_the_published_id_in_any_order_of_participants() {
        let random_id = user(0xff).uuid();
        let id = group_conversation_id(user(1), "Team", random_id, &[user(3), user(2)]);
        assert_eq!(id.to_string(), "feea674d-7f7b-3490-8f2c-b2394ab2315a");
        let sorted = group_conversation_id(user(1), "Team", random_id, &[user(2), user(3)]);
        assert_eq!(sorted, id);
    }

    #[test]
    fn every_part_of_a_group_changes_its_id() {
        let random_id = user(0xff).uuid();
        let id = group_conversation_id(user(1), "Team", random_id, &[user(2)]);
        assert_ne!(id, group_conversation_id(user(2), "Team", random_id, &[user(2)]));
        assert_ne!(id, group_conversation_id(user(1), "team", random_id, &[user(2)]));
        assert_ne!(id, group_conversation_id(user(1), "Team", user(0xfe).uuid(), &[user(2)]));
        assert_ne!(id, group_conversation_id(user(1), "Team", random_id, &[user(3)]));
        assert_ne!(id, group_conversation_id(user(1), "Team", random_id, &[]));
    }
}

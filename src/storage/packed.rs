//! Columns that hold more than one value: their bytes, whatever the database.

use bytes::Buf;

use super::error::StoreError;
use crate::domain::ids::{SHARDS, SessionNumber, Shard, UserId};
use crate::domain::inbox::{Details, InboxKey};

/// The first byte of both forms, so that a later one can be told apart.
const VERSION: u8 = 1;

/// The form of [`Details`]: nothing at all for the default, otherwise [`VERSION`] and JSON.
pub(super) fn pack_details(details: &Details) -> Vec<u8> {
    if *details == Details::default() {
        return Vec::new();
    }
    let mut bytes = vec![VERSION];
    // Plain fields into memory: there is nothing in it that could fail.
    serde_json::to_writer(&mut bytes, details).expect("details are plain JSON");
    bytes
}

/// Reads what [`pack_details`] wrote.
pub(super) fn unpack_details(bytes: &[u8]) -> Result<Details, StoreError> {
    match bytes {
        [] => Ok(Details::default()),
        [VERSION, json @ ..] => serde_json::from_slice(json).map_err(|_| CORRUPT_DETAILS),
        _ => Err(CORRUPT_DETAILS),
    }
}

const CORRUPT_DETAILS: StoreError = StoreError::Corrupt { column: "payloads.details" };
const CORRUPT_WAITING: StoreError = StoreError::Corrupt { column: "payloads.waiting" };

/// The form of a message's recipients: [`VERSION`], then each inbox as one number (the session
/// times [`SHARDS`] and the shard), sorted, as the difference to the one before it in LEB128:
/// two or three bytes each.
pub(super) fn pack_waiting(inboxes: impl Iterator<Item = InboxKey>) -> Vec<u8> {
    let mut numbers: Vec<u64> = inboxes.map(inbox_to_number).collect();
    numbers.sort_unstable();
    let mut bytes = Vec::with_capacity(1 + numbers.len() * 4);
    bytes.push(VERSION);
    let mut before = 0;
    for number in numbers {
        push_leb128(&mut bytes, number - before);
        before = number;
    }
    bytes
}

/// Reads what [`pack_waiting`] wrote.
pub(super) fn unpack_waiting(bytes: &[u8]) -> Result<Vec<InboxKey>, StoreError> {
    let Some((&VERSION, mut rest)) = bytes.split_first() else {
        return Err(CORRUPT_WAITING);
    };
    let mut inboxes = Vec::new();
    let mut number = 0_u64;
    while rest.has_remaining() {
        let difference = take_leb128(&mut rest).ok_or(CORRUPT_WAITING)?;
        number = number.checked_add(difference).ok_or(CORRUPT_WAITING)?;
        inboxes.push(number_to_inbox(number)?);
    }
    Ok(inboxes)
}

/// The form of a top-up's users: their ids, one after the other.
pub(super) fn pack_users(users: &[UserId]) -> Vec<u8> {
    users.iter().flat_map(|user| *user.as_bytes()).collect()
}

/// Reads what [`pack_users`] wrote.
pub(super) fn unpack_users(bytes: &[u8]) -> Result<Vec<UserId>, StoreError> {
    match bytes.as_chunks() {
        (users, []) => Ok(users.iter().map(|user| UserId::from_bytes(*user)).collect()),
        _ => Err(StoreError::Corrupt { column: "top_ups.users" }),
    }
}

fn inbox_to_number(inbox: InboxKey) -> u64 {
    // Session numbers count up from 1, shards are below 1024.
    (inbox.session.0 * SHARDS + inbox.shard.0).unsigned_abs()
}

fn number_to_inbox(number: u64) -> Result<InboxKey, StoreError> {
    let number = i64::try_from(number).map_err(|_| CORRUPT_WAITING)?;
    Ok(InboxKey { shard: Shard(number % SHARDS), session: SessionNumber(number / SHARDS) })
}

fn push_leb128(bytes: &mut Vec<u8>, mut value: u64) {
    while value > 0x7f {
        bytes.push(value.to_le_bytes()[0] | 0x80);
        value >>= 7;
    }
    bytes.push(value.to_le_bytes()[0]);
}

fn take_leb128(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..63).step_by(7) {
        if !bytes.has_remaining() {
            return None;
        }
        let byte = bytes.get_u8();
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::ids::MessageId;

    #[test]
    fn details_come_back_and_the_usual_ones_take_no_room() {
        assert!(pack_details(&Details::default()).is_empty());
        let details = Details {
            representative: Some(UserId::from_bytes([1; 16])),
            quote: Some(MessageId::from_bytes([2; 16])),
            silent: true,
            expire_in: 5,
        };
        for details in [Details::default(), details] {
            assert_eq!(unpack_details(&pack_details(&details)).unwrap(), details);
        }
        assert!(unpack_details(&[9, b'{', b'}']).is_err());
    }

    #[test]
    fn recipients_take_few_bytes() {
        let neighbours = (1..=256).map(|n| InboxKey { shard: Shard(n), session: SessionNumber(n) });
        assert!(pack_waiting(neighbours).len() < 256 * 3);
    }

    #[test]
    fn damaged_recipients_are_noticed() {
        for bytes in
            [&[][..], &[2], &[1, 0x80], &[1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]]
        {
            assert!(unpack_waiting(bytes).is_err(), "{bytes:?}");
        }
    }

    proptest! {
        #[test]
        fn recipients_come_back_sorted(keys: Vec<(u16, u32)>) {
            let mut inboxes: Vec<_> = keys
                .into_iter()
                .map(|(shard, session)| InboxKey {
                    shard: Shard(i64::from(shard) % SHARDS),
                    session: SessionNumber(i64::from(session)),
                })
                .collect();
            let packed = pack_waiting(inboxes.iter().copied());
            inboxes.sort_unstable_by_key(|inbox| (inbox.session, inbox.shard));
            prop_assert_eq!(unpack_waiting(&packed).unwrap(), inboxes);
        }
    }
}

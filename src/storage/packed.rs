//! Columns that hold more than one value: their bytes, whatever the database.

use bytes::Buf;

use super::error::StoreError;
use crate::domain::ids::{SHARDS, SessionNumber, Shard, UserId};
use crate::domain::inbox::{Details, InboxKey, Slot};

/// The first byte of a form, so that a later one can be told apart.
const VERSION: u8 = 1;

/// The first byte of recipients with the lengths of their slots.
const PLACES: u8 = 2;

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

/// Reads the recipients that [`pack_waiting`] or [`pack_places`] wrote.
pub(super) fn unpack_waiting(bytes: &[u8]) -> Result<Vec<InboxKey>, StoreError> {
    if bytes.first() == Some(&PLACES) {
        return Ok(unpack_places(bytes)?.into_iter().map(|place| place.inbox).collect());
    }
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

/// Where one recipient's slot stands among those of its message, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub inbox: InboxKey,
    pub start: u32,
    pub length: u32,
}

/// The form of a message's recipients in the order of their slots: [`PLACES`], then for each the
/// difference of its number (as in [`pack_waiting`]) to the one before it, with its sign in the
/// lowest bit, and the length of its slot in bytes, both in LEB128: three or four bytes each.
pub(super) fn pack_places(slots: impl Iterator<Item = (InboxKey, usize)>) -> Vec<u8> {
    let mut bytes = vec![PLACES];
    let mut before = 0;
    for (inbox, length) in slots {
        let number = inbox_to_number(inbox).cast_signed();
        let difference = number - before;
        push_leb128(&mut bytes, ((difference << 1) ^ (difference >> 63)).cast_unsigned());
        push_leb128(&mut bytes, length as u64);
        before = number;
    }
    bytes
}

/// [`pack_places`] of a message's slots.
pub(super) fn pack_slot_places(slots: &[Slot]) -> Vec<u8> {
    pack_places(slots.iter().map(|slot| (slot.inbox(), slot.bytes.len())))
}

/// Reads what [`pack_places`] wrote.
pub(super) fn unpack_places(bytes: &[u8]) -> Result<Vec<Place>, StoreError> {
    let Some((&PLACES, mut rest)) = bytes.split_first() else {
        return Err(CORRUPT_WAITING);
    };
    let mut places = Vec::new();
    let (mut number, mut start) = (0_i64, 0_u32);
    while rest.has_remaining() {
        let difference = take_leb128(&mut rest).ok_or(CORRUPT_WAITING)?;
        let length = take_leb128(&mut rest).and_then(|length| u32::try_from(length).ok());
        let length = length.ok_or(CORRUPT_WAITING)?;
        let difference = (difference >> 1).cast_signed() ^ -(difference & 1).cast_signed();
        number = number.checked_add(difference).ok_or(CORRUPT_WAITING)?;
        let inbox = number_to_inbox(u64::try_from(number).map_err(|_| CORRUPT_WAITING)?)?;
        places.push(Place { inbox, start, length });
        start = start.checked_add(length).ok_or(CORRUPT_WAITING)?;
    }
    Ok(places)
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
            [&[][..], &[3], &[1, 0x80], &[1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]]
        {
            assert!(unpack_waiting(bytes).is_err(), "{bytes:?}");
        }
        // Without a length; before the first of all inboxes; slots that no message could hold.
        for bytes in [&[2, 2][..], &[2, 1, 0], &[2, 2, 0xff, 0xff, 0xff, 0xff, 0x0f, 2, 1]] {
            assert!(unpack_places(bytes).is_err(), "{bytes:?}");
        }
    }

    proptest! {
        #[test]
        fn places_come_back_in_their_order(slots: Vec<(u16, u32, u16)>) {
            let slots: Vec<_> = slots
                .into_iter()
                .map(|(shard, session, length)| {
                    let shard = Shard(i64::from(shard) % SHARDS);
                    let session = SessionNumber(i64::from(session));
                    (InboxKey { shard, session }, usize::from(length))
                })
                .collect();
            let packed = pack_places(slots.iter().copied());
            let places = unpack_places(&packed).unwrap();
            let mut end = 0;
            for (place, (inbox, length)) in places.iter().zip(&slots) {
                prop_assert_eq!((place.inbox, place.start as usize), (*inbox, end));
                end += length;
                prop_assert_eq!(place.start + place.length, u32::try_from(end).unwrap());
            }
            let inboxes: Vec<_> = slots.iter().map(|slot| slot.0).collect();
            prop_assert_eq!(unpack_waiting(&packed).unwrap(), inboxes);
        }

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

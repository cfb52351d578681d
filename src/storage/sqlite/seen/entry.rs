//! An accepted id, its place in the order of all ids, and both as bytes.

use crate::domain::ids::{AccountNumber, MessageId};
use crate::domain::inbox::MessageDigest;
use crate::storage::error::StoreError;
use crate::storage::filter::Placing;

/// Bytes of an id on disk: sender, id and digest.
pub(super) const BYTES: usize = 40;

/// Bytes of these that name it.
const NAME: usize = 24;

/// What nobody outside knows. Ids are chosen by senders; the order of ids is not.
#[derive(Clone, Copy, Default)]
pub(super) struct Secret(Placing);

/// An accepted id. Keys are in the order of their places, which are random and spread evenly
/// whatever the ids are: so a part of the order has its part of all ids, and a Bloom filter can
/// take its bits from the place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    /// From 0 to the largest number there is.
    pub place: i64,
    pub sender: AccountNumber,
    pub id: MessageId,
}

/// An accepted id and what it was accepted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub key: Key,
    pub digest: MessageDigest,
}

impl Secret {
    /// From 16 random bytes.
    pub(super) fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(Placing::from_bytes(bytes))
    }

    /// Finds the place of an id.
    pub(super) fn key(self, sender: AccountNumber, id: MessageId) -> Key {
        Key { place: self.0.place(sender, id), sender, id }
    }
}

fn name(sender: AccountNumber, id: MessageId) -> [u8; NAME] {
    let mut name = [0; NAME];
    name[..8].copy_from_slice(&sender.0.to_le_bytes());
    name[8..].copy_from_slice(id.as_bytes());
    name
}

/// Entries as they stand in a column, in the order given.
pub(super) fn pack(entries: &[Entry]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(entries.len() * BYTES);
    for Entry { key, digest } in entries {
        bytes.extend(name(key.sender, key.id));
        bytes.extend(digest.0);
    }
    bytes
}

/// The entries of a column.
pub(super) fn unpack(
    bytes: &[u8],
    secret: Secret,
) -> Result<impl ExactSizeIterator<Item = Entry>, StoreError> {
    let (entries, rest) = bytes.as_chunks::<BYTES>();
    if !rest.is_empty() {
        return Err(StoreError::Corrupt { column: "ids" });
    }
    Ok(entries.iter().map(move |bytes| unpack_one(bytes, secret)))
}

fn unpack_one(bytes: &[u8; BYTES], secret: Secret) -> Entry {
    let (mut sender, mut id, mut digest) = ([0; 8], [0; 16], [0; 16]);
    sender.copy_from_slice(&bytes[..8]);
    id.copy_from_slice(&bytes[8..NAME]);
    digest.copy_from_slice(&bytes[NAME..]);
    let key = secret.key(AccountNumber(i64::from_le_bytes(sender)), MessageId::from_bytes(id));
    Entry { key, digest: MessageDigest(digest) }
}

/// The digest of an id, if it stands in a column.
pub(super) fn find(bytes: &[u8], key: &Key) -> Option<MessageDigest> {
    let (entries, _) = bytes.as_chunks::<BYTES>();
    let name = name(key.sender, key.id);
    let found = entries.iter().find(|entry| entry[..NAME] == name)?;
    let digest = found[NAME..].first_chunk()?;
    Some(MessageDigest(*digest))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_was_packed_is_found_and_comes_back(
            ids in proptest::collection::btree_map(any::<(i64, [u8; 16])>(), any::<[u8; 16]>(), 0..50),
            secret in any::<[u8; 16]>(),
        ) {
            let secret = Secret::from_bytes(secret);
            let entry = |((sender, id), digest): (&(i64, [u8; 16]), &[u8; 16])| Entry {
                key: secret.key(AccountNumber(*sender), MessageId::from_bytes(*id)),
                digest: MessageDigest(*digest),
            };
            let entries: Vec<Entry> = ids.iter().map(entry).collect();
            let bytes = pack(&entries);
            prop_assert_eq!(unpack(&bytes, secret).unwrap().collect::<Vec<_>>(), entries.clone());
            for entry in &entries {
                prop_assert_eq!(find(&bytes, &entry.key), Some(entry.digest));
                prop_assert!(entry.key.place >= 0);
            }
            prop_assert!(unpack(&[&bytes[..], &[0]].concat(), secret).is_err());
        }
    }
}

//! Bloom filters over accepted message ids: whether one may be among those that are on file.
//!
//! Filters are on file themselves. Whoever changes how one is made changes how it is read, and with
//! the old ones ids would get in twice.

use std::hash::Hasher;

use crate::domain::ids::{AccountNumber, MessageId};

/// What a filter takes its bits from: the place of an id in an order that is random, and the same
/// wherever it is computed with the same key. A sender who knows the key, as that of all zeros, may
/// choose ids that a filter takes for others; to look for them costs more, and finds nothing.
#[derive(Clone, Copy, Default)]
pub(super) struct Placing(u64, u64);

impl Placing {
    /// From the 16 bytes of a key.
    pub(super) fn from_bytes(bytes: [u8; 16]) -> Self {
        let (mut low, mut high) = ([0; 8], [0; 8]);
        low.copy_from_slice(&bytes[..8]);
        high.copy_from_slice(&bytes[8..]);
        Self(u64::from_le_bytes(low), u64::from_le_bytes(high))
    }

    /// Finds the place of an id, from 0 to the largest number there is: SipHash-2-4 of the sender and
    /// the id, without its last bit.
    pub(super) fn place(self, sender: AccountNumber, id: MessageId) -> i64 {
        #[expect(deprecated, reason = "the only one in std that says what it computes")]
        let mut hasher = std::hash::SipHasher::new_with_keys(self.0, self.1);
        hasher.write(&sender.0.to_le_bytes());
        hasher.write(id.as_bytes());
        (hasher.finish() >> 1).cast_signed()
    }
}

/// Bits for each id.
const BITS: usize = 16;

/// How many of them an id sets. Six or seven of 16 are wrong least often for what they cost: once
/// in a thousand.
const LOOKS: u32 = 6;

/// A Bloom filter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Filter(Box<[u8]>);

impl Filter {
    /// A filter that knows these places.
    pub(super) fn of(places: impl ExactSizeIterator<Item = i64>) -> Self {
        let mut bytes = vec![0_u8; (places.len() * BITS / 8).max(1)];
        for place in places {
            for bit in bits(place, bytes.len()) {
                bytes[bit / 8] |= 1 << (bit % 8);
            }
        }
        Self(bytes.into())
    }

    /// A filter from its bytes.
    pub(super) fn from_bytes(bytes: &[u8]) -> Self {
        Self(bytes.into())
    }

    /// Its bytes.
    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Whether this may be one of the places; always for one that is.
    pub(super) fn may_have(&self, place: i64) -> bool {
        bits(place, self.0.len()).all(|bit| self.0[bit / 8] >> (bit % 8) & 1 == 1)
    }
}

/// The bits of a place. Places that a filter knows may have their first bits in common, so what is taken
/// are the last ones, spread over the word; a place is random, so no more is needed.
fn bits(place: i64, bytes: usize) -> impl Iterator<Item = usize> {
    const ODD: u64 = 0x9e37_79b9_7f4a_7c15;
    let spread = place.cast_unsigned().wrapping_mul(ODD);
    let (low, high) = (spread & 0xffff_ffff, spread >> 32);
    let bits = bytes as u64 * 8;
    (0..u64::from(LOOKS)).map(move |look| {
        let mixed = low.wrapping_add(high.wrapping_mul(2 * look + 1)) & 0xffff_ffff;
        // Less than the number of bits.
        usize::try_from((mixed * bits) >> 32).unwrap_or(0)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn places_are_those_of_the_published_function() {
        let counting: [u8; 24] = std::array::from_fn(|n| u8::try_from(n).unwrap());
        let (key, sender) = (counting[..16].try_into().unwrap(), counting[..8].try_into().unwrap());
        let sender = AccountNumber(i64::from_le_bytes(sender));
        let id = MessageId::from_bytes(counting[8..].try_into().unwrap());
        // Made with another implementation, which gives the value that the paper prints.
        let expected: u64 = 0xb8ad_50c6_f649_af94;
        assert_eq!(Placing::from_bytes(key).place(sender, id), (expected >> 1).cast_signed());
    }
    use crate::domain::ids::{AccountNumber, MessageId};

    #[test]
    fn filters_on_file_are_read_as_they_were_made() {
        let filter = Filter::of([1, 1 << 40, i64::MAX, 12_345_678_901_234_567].into_iter());
        assert_eq!(filter.as_bytes(), [0x8d, 0x32, 0x44, 0x31, 0xa0, 0x48, 0x90, 0x04]);
    }

    proptest! {
        #[test]
        fn a_place_that_is_there_is_never_denied(
            places in proptest::collection::vec(0..i64::MAX, 1..300),
        ) {
            let filter = Filter::of(places.iter().copied());
            let filter = Filter::from_bytes(filter.as_bytes());
            prop_assert!(places.iter().all(|place| filter.may_have(*place)));
        }
    }

    #[test]
    fn a_place_that_is_not_there_is_denied_but_for_one_in_hundreds() {
        // A stretch of a long run: everything in one thousandth of the order.
        let part = i64::MAX / 1000;
        let place = |n: u32| {
            let id = MessageId::from_bytes(u128::from(n).to_le_bytes());
            Placing::default().place(AccountNumber(1), id) % part
        };
        let filter = Filter::of((0..2000).map(place).collect::<Vec<_>>().into_iter());
        let wrong = (2000..102_000).filter(|n| filter.may_have(place(*n))).count();
        assert!((1..250).contains(&wrong), "{wrong} of 100000");
    }
}

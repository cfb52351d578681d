//! A Bloom filter: whether a place may be among those of a run.

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

/// The bits of a place. Those of a run that stand together have their first bits in common, so what
/// is taken are the last ones, spread over the word; a place is random, so no more is needed.
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

    use super::super::entry::Secret;
    use super::*;
    use crate::domain::ids::{AccountNumber, MessageId};

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
            Secret::default().key(AccountNumber(1), id).place % part
        };
        let filter = Filter::of((0..2000).map(place).collect::<Vec<_>>().into_iter());
        let wrong = (2000..102_000).filter(|n| filter.may_have(place(*n))).count();
        assert!((1..250).contains(&wrong), "{wrong} of 100000");
    }
}

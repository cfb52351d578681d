//! Reading an envelope without any key: what a gateway does.

use std::fmt;

use crate::envelope::layout::{
    self, KEY, MAX_SESSIONS, MIN_LENGTH, MIN_SHARED, NONCE, OVERHEAD, SLOT, VERSION,
};
use crate::ids::SessionId;
use crate::keys::AgreementKey;

/// Why bytes are no envelope.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// Shorter than the shortest envelope.
    #[error("an envelope has at least {MIN_LENGTH} bytes, this one has {actual}")]
    TooShort {
        /// Length in bytes.
        actual: usize,
    },
    /// A version that is not understood.
    #[error("unknown envelope version {version}")]
    Version {
        /// The version byte.
        version: u8,
    },
    /// The session count is zero.
    #[error("an envelope names at least one session")]
    NoSessions,
    /// The session count is over the limit.
    #[error("an envelope names at most {MAX_SESSIONS} sessions, this one says {count}")]
    TooManySessions {
        /// The count that the envelope states.
        count: usize,
    },
    /// Shorter than its session count demands.
    #[error(
        "an envelope of its session count has at least {expected_at_least} bytes, not {actual}"
    )]
    Length {
        /// The shortest length that fits the session count.
        expected_at_least: usize,
        /// Length in bytes.
        actual: usize,
    },
    /// A session has two slots; clients disagree on which one holds.
    #[error("session {session} has more than one slot")]
    DuplicateSession {
        /// The session.
        session: SessionId,
    },
}

/// Why a slice cannot be cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SliceError {
    /// The shared part is shorter than a key, a nonce and a tag.
    #[error("the shared part of an envelope has at least {MIN_SHARED} bytes, not {actual}")]
    TooShort {
        /// Length in bytes.
        actual: usize,
    },
}

/// A checked envelope that borrows the bytes it was read from.
#[derive(Clone, Copy)]
pub struct Envelope<'a> {
    sender_key: &'a [u8; KEY],
    slots: &'a [[u8; SLOT]],
    nonce: &'a [u8; NONCE],
    ciphertext: &'a [u8],
}

/// One device's part of an envelope.
#[derive(Clone, Copy)]
pub struct Slot<'a> {
    /// The device.
    pub session: SessionId,
    /// All 64 bytes: session id, IV, wrapped message key.
    pub bytes: &'a [u8; SLOT],
}

/// Reads an envelope and checks all that can be checked without a key.
///
/// Nothing is copied and nothing decrypted. Whatever comes after the slots and the nonce is the
/// body, so surplus bytes at the end show themselves when the body is opened.
///
/// # Errors
/// When the version is unknown, the count is 0 or over [`MAX_SESSIONS`], the length does not fit
/// the count, or a session is named twice.
pub fn parse(bytes: &[u8]) -> Result<Envelope<'_>, ParseError> {
    let actual = bytes.len();
    let too_short = ParseError::TooShort { actual };
    if actual < MIN_LENGTH {
        return Err(too_short);
    }
    let (&[version, low, high], rest) = bytes.split_first_chunk().ok_or(too_short)?;
    if version != VERSION {
        return Err(ParseError::Version { version });
    }
    let count = usize::from(u16::from_le_bytes([low, high]));
    if count == 0 {
        return Err(ParseError::NoSessions);
    }
    if count > MAX_SESSIONS {
        return Err(ParseError::TooManySessions { count });
    }
    let expected_at_least = layout::length(count, 0);
    let length = ParseError::Length { expected_at_least, actual };
    if actual < expected_at_least {
        return Err(length);
    }
    let (sender_key, rest) = rest.split_first_chunk().ok_or(length)?;
    let (slots, rest) = rest.split_at_checked(count * SLOT).ok_or(length)?;
    let (nonce, ciphertext) = rest.split_first_chunk().ok_or(length)?;
    let (slots, _) = slots.as_chunks();
    let envelope = Envelope { sender_key, slots, nonce, ciphertext };
    match first_duplicate(envelope.sessions()) {
        Some(session) => Err(ParseError::DuplicateSession { session }),
        None => Ok(envelope),
    }
}

impl<'a> Envelope<'a> {
    /// The key that the sender sealed with.
    ///
    /// It authenticates nobody until it is compared with the keys of the account that claims to
    /// have sent the message.
    #[must_use]
    pub const fn sender_key(&self) -> AgreementKey {
        AgreementKey::from_bytes(*self.sender_key)
    }

    /// The number of slots, 1 to [`MAX_SESSIONS`].
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "an envelope is never empty")]
    pub const fn len(&self) -> usize {
        self.slots.len()
    }

    /// The sessions in the order of their slots.
    pub fn sessions(&self) -> impl ExactSizeIterator<Item = SessionId> + use<'a> {
        self.slots.iter().map(session_of)
    }

    /// The slots in their order.
    pub fn slots(&self) -> impl ExactSizeIterator<Item = Slot<'a>> + use<'a> {
        self.slots.iter().map(|bytes| Slot { session: session_of(bytes), bytes })
    }

    /// The slot of one session.
    #[must_use]
    pub fn slot(&self, session: SessionId) -> Option<&'a [u8; SLOT]> {
        self.slots.iter().find(|slot| session_of(slot) == session)
    }

    /// The nonce of the body.
    #[must_use]
    pub const fn nonce(&self) -> &'a [u8; NONCE] {
        self.nonce
    }

    /// The encrypted body with its tag.
    #[must_use]
    pub const fn ciphertext(&self) -> &'a [u8] {
        self.ciphertext
    }

    /// What all slices have in common: sender key, nonce and ciphertext, to be stored once.
    #[must_use]
    pub fn shared_bytes(&self) -> Vec<u8> {
        let mut shared = Vec::with_capacity(KEY + NONCE + self.ciphertext.len());
        shared.extend_from_slice(self.sender_key);
        shared.extend_from_slice(self.nonce);
        shared.extend_from_slice(self.ciphertext);
        shared
    }

    /// One session's own envelope, if it has a slot.
    #[must_use]
    pub fn slice_for(&self, session: SessionId) -> Option<Vec<u8>> {
        let slot = self.slot(session)?;
        let mut bytes = one_slot(self.sender_key, slot, self.nonce);
        bytes.extend_from_slice(self.ciphertext);
        Some(bytes)
    }
}

impl fmt::Debug for Envelope<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Envelope")
            .field("sender_key", &self.sender_key())
            .field("slots", &self.len())
            .field("ciphertext_length", &self.ciphertext.len())
            .finish()
    }
}

impl fmt::Debug for Slot<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Slot").field("session", &self.session).finish_non_exhaustive()
    }
}

/// Cuts one device's copy: an envelope whose only slot is this one.
///
/// `shared` is what [`Envelope::shared_bytes`] gave when the message was accepted.
///
/// # Errors
/// When `shared` is shorter than any shared part.
pub fn slice(shared: &[u8], slot: &[u8; SLOT]) -> Result<Vec<u8>, SliceError> {
    let too_short = SliceError::TooShort { actual: shared.len() };
    if shared.len() < MIN_SHARED {
        return Err(too_short);
    }
    let (sender_key, rest) = shared.split_first_chunk().ok_or(too_short)?;
    Ok(one_slot(sender_key, slot, rest))
}

/// The first id, in byte order, that occurs twice. Sorting keeps hostile input cheap.
pub(super) fn first_duplicate(
    sessions: impl ExactSizeIterator<Item = SessionId>,
) -> Option<SessionId> {
    if sessions.len() < 2 {
        return None;
    }
    let mut numbers: Vec<u128> =
        sessions.map(|session| u128::from_be_bytes(*session.as_bytes())).collect();
    numbers.sort_unstable();
    let twice = numbers.array_windows().find(|[one, next]| one == next);
    twice.map(|[number, _]| SessionId::from_bytes(number.to_be_bytes()))
}

fn one_slot(sender_key: &[u8; KEY], slot: &[u8; SLOT], nonce_and_body: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(OVERHEAD + nonce_and_body.len());
    bytes.extend_from_slice(&[VERSION, 1, 0]);
    bytes.extend_from_slice(sender_key);
    bytes.extend_from_slice(slot);
    bytes.extend_from_slice(nonce_and_body);
    bytes
}

fn session_of(slot: &[u8; SLOT]) -> SessionId {
    let mut id = [0; 16];
    id.copy_from_slice(&slot[..16]);
    SessionId::from_bytes(id)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::envelope::fixture::{devices, sealed, sender};

    /// An envelope that is sound in form, with slots for sessions 1, 2, 3 and so on.
    fn envelope(count: u16) -> Vec<u8> {
        let mut bytes = vec![VERSION];
        bytes.extend(count.to_le_bytes());
        bytes.extend([9; KEY]);
        for number in 1..=u128::from(count) {
            bytes.extend(number.to_be_bytes());
            bytes.extend([5; 48]);
        }
        bytes.extend([7; NONCE + 16]);
        bytes
    }

    fn refused(bytes: &[u8]) -> ParseError {
        parse(bytes).unwrap_err()
    }

    #[test]
    fn the_parts_are_where_the_layout_says() {
        let devices = devices(3);
        let bytes = sealed(b"hello", &devices, None);
        assert_eq!(bytes.len(), 3 + 32 + 3 * 64 + 12 + 5 + 16);
        let envelope = parse(&bytes).unwrap();
        assert_eq!(envelope.sender_key(), sender().public());
        assert_eq!(envelope.len(), 3);
        assert!(envelope.sessions().eq(devices.iter().map(|device| device.session)));
        assert_eq!(envelope.slot(devices[1].session).unwrap(), &bytes[35 + 64..35 + 128]);
        assert_eq!(envelope.nonce(), &bytes[227..239]);
        assert_eq!(envelope.ciphertext(), &bytes[239..]);
    }

    #[test]
    fn every_truncation_is_refused_until_only_the_body_is_short() {
        let bytes = envelope(2);
        for length in 0..MIN_LENGTH {
            assert_eq!(refused(&bytes[..length]), ParseError::TooShort { actual: length });
        }
        let expected_at_least = bytes.len();
        for length in MIN_LENGTH..bytes.len() {
            let error = ParseError::Length { expected_at_least, actual: length };
            assert_eq!(refused(&bytes[..length]), error);
        }
        assert!(parse(&bytes).is_ok());
    }

    #[test]
    fn another_version_is_refused() {
        for version in [0, 2, 255] {
            let mut bytes = envelope(1);
            bytes[0] = version;
            assert_eq!(refused(&bytes), ParseError::Version { version });
        }
    }

    #[test]
    fn one_to_510_sessions_are_understood() {
        assert_eq!(parse(&envelope(1)).unwrap().len(), 1);
        assert_eq!(parse(&envelope(510)).unwrap().len(), 510);
        assert_eq!(refused(&envelope(511)), ParseError::TooManySessions { count: 511 });
        let mut bytes = envelope(1);
        bytes[1..3].copy_from_slice(&[0, 0]);
        assert_eq!(refused(&bytes), ParseError::NoSessions);
        bytes[1..3].copy_from_slice(&[255, 255]);
        assert_eq!(refused(&bytes), ParseError::TooManySessions { count: 65_535 });
    }

    #[test]
    fn the_same_session_twice_is_refused_wherever_it_stands() {
        let mut bytes = envelope(300);
        let first = bytes[35..51].to_vec();
        bytes[35 + 64 * 299..][..16].copy_from_slice(&first);
        let session = SessionId::from_bytes(1_u128.to_be_bytes());
        assert_eq!(refused(&bytes), ParseError::DuplicateSession { session });
    }

    #[test]
    fn a_slice_is_an_envelope_with_one_slot() {
        let devices = devices(3);
        let bytes = sealed(b"hello", &devices, None);
        let envelope = parse(&bytes).unwrap();
        let shared = envelope.shared_bytes();
        for slot in envelope.slots() {
            let slice = slice(&shared, slot.bytes).unwrap();
            assert_eq!(envelope.slice_for(slot.session), Some(slice.clone()));
            assert_eq!(slice.len(), OVERHEAD + 5);
            let slice = parse(&slice).unwrap();
            assert!(slice.sessions().eq([slot.session]));
            assert_eq!(slice.sender_key(), envelope.sender_key());
            assert_eq!(slice.shared_bytes(), shared);
        }
    }

    #[test]
    fn nobody_elses_slice_is_cut() {
        let bytes = envelope(2);
        let envelope = parse(&bytes).unwrap();
        assert_eq!(envelope.slice_for(SessionId::from_bytes([8; 16])), None);
        assert_eq!(slice(&[0; 59], &[0; 64]), Err(SliceError::TooShort { actual: 59 }));
        assert!(slice(&[0; 60], &[0; 64]).is_ok());
    }

    proptest! {
        #[test]
        fn what_parses_is_made_of_its_parts(
            bytes in prop::collection::vec(any::<u8>(), 0..600),
            count in 0..6_u8,
        ) {
            // Most random bytes fail at the first check, so the head is made to fit.
            let mut bytes = bytes;
            if let Some(head) = bytes.first_chunk_mut() {
                *head = [VERSION, count, 0];
            }
            if let Ok(envelope) = parse(&bytes) {
                let mut again = bytes[..3].to_vec();
                again.extend(envelope.sender_key().as_bytes());
                again.extend(envelope.slots().flat_map(|slot| slot.bytes));
                again.extend(envelope.nonce());
                again.extend(envelope.ciphertext());
                prop_assert_eq!(again, bytes);
            }
        }

        #[test]
        fn any_bytes_parse_or_fail_but_never_panic(bytes: Vec<u8>) {
            if let Ok(envelope) = parse(&bytes) {
                prop_assert!((1..=MAX_SESSIONS).contains(&envelope.len()));
            }
        }
    }
}

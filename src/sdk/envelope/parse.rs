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
    let length = ParseError::Length {
        expected_at_least,
        actual,
    };
    if actual < expected_at_least {
        return Err(length);
    }
    let (sender_key, rest) = rest.split_first_chunk().ok_or(length)?;
    let (slots, rest) = rest.split_at_checked(count * SLOT).ok_or(length)?;
    let (nonce, ciphertext) = rest.split_first_chunk().ok_or(length)?;
    let (slots, _) = slots.as_chunks();
    let envelope = Envelope {
        sender_key,
        slots,
        nonce,
        ciphertext,
    };
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
        self.slots.iter().map(|bytes| Slot {
            session: session_of(bytes),
            bytes,
        })
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
        formatter
            .debug_struct("Slot")
            .field("session", &self.session)
            .finish_non_exhaustive()
    }
}

/// Cuts one device's copy: an envelope whose only slot is this one.
///
/// `shared` is what [`Envelope::shared_bytes`] gave when the message was accepted.
///
/// # Errors
/// When `shared` is shorter than any shared part.
pub fn slice(shared: &[u8], slot: &[u8; SLOT]) -> Result<Vec<u8>, SliceError> {
    let too_short = SliceError::TooShort {
        actual: shared.len(),
    };
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
    let mut numbers: Vec<u128> = sessions
        .map(|session| u128::from_be_bytes(*session.as_bytes()))
        .collect();
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

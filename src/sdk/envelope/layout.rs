//! Sizes of the parts of an envelope; [`crate::envelope`] draws the whole.

/// The version byte of every envelope.
pub const VERSION: u8 = 1;

/// The most slots that an envelope may have.
pub const MAX_SESSIONS: usize = 510;

/// Bytes that an envelope with one slot has beside its plaintext.
pub const OVERHEAD: usize = HEADER + SLOT + NONCE + TAG;

/// The shortest envelope: one slot around an empty plaintext.
pub const MIN_LENGTH: usize = OVERHEAD;

/// Version, count and sender key.
pub(super) const HEADER: usize = 3 + KEY;
pub(super) const KEY: usize = 32;
pub(super) const SLOT: usize = 64;
pub(super) const NONCE: usize = 12;
pub(super) const TAG: usize = 16;
/// AES-128: the key of a body.
pub(super) const MESSAGE_KEY: usize = 16;
/// The IV of a wrapped key, one AES block.
pub(super) const IV: usize = 16;

/// The shortest shared part: sender key, nonce and the tag of an empty plaintext.
pub(super) const MIN_SHARED: usize = KEY + NONCE + TAG;

/// Length of an envelope with so many slots around a plaintext of this length.
pub(super) const fn length(slots: usize, plaintext: usize) -> usize {
    HEADER + SLOT * slots + NONCE + plaintext + TAG
}

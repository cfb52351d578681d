//! The envelope: one encrypted body, and one wrapped message key for each device.
//!
//! Version 1, the only one there is, as Mixin's encrypted-messages document and its clients have
//! it:
//!
//! | bytes | what |
//! | --- | --- |
//! | 1 | version, `0x01` |
//! | 2 | number of slots N, little endian, 1 to 510 |
//! | 32 | the sender's X25519 public key |
//! | 64 × N | slots: 16 session id, 16 IV, 32 wrapped message key |
//! | 12 | nonce |
//! | rest | AES-128-GCM ciphertext of the body, its 16-byte tag at the end |
//!
//! A message key is 16 random bytes, new for every message. A slot wraps it by AES-256-CBC with
//! PKCS#7 padding under what X25519 makes of the sender's and the device's key. (The document says
//! that the body is AES-CBC too; every client uses AES-128-GCM, and so does this module.)
//!
//! A gateway [`parse`]s an envelope, stores the [shared part](Envelope::shared_bytes) once, and
//! gives each device its own [`slice()`]: an envelope with a single slot. Clients [`seal`] and
//! [`open`].
//!
//! What version 1 does not give: a slot is neither authenticated nor bound to its message, and a
//! key that leaks opens everything that was ever sealed to it.

#[cfg(test)]
mod fixture;
mod layout;
mod open;
mod parse;
mod seal;
mod wrap_cache;
mod wrap_key;

pub use layout::{MAX_SESSIONS, MIN_LENGTH, OVERHEAD, VERSION};
pub use open::{OpenError, open, open_cached};
pub use parse::{Envelope, ParseError, SliceError, Slot, parse, slice};
pub use seal::{MessageKey, Recipient, SealError, Sealed, seal, seal_keeping_key};
pub use wrap_cache::WrapCache;

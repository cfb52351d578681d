//! What a file is fetched with: good for two minutes, and kept nowhere.
//!
//! The original remembers a random id in its process, with the file's pass beside it. Here the id
//! itself holds both, sealed, so that any gateway with the same secret can answer and none has to
//! remember. It is base64url, without padding, of:
//!
//! | bytes | |
//! | --- | --- |
//! | 12 | a random nonce |
//! | 8 | seconds since 1970 at which it is over, big endian; encrypted, like all that follows |
//! | 16 | the file |
//! | 8 | how long it is as it is kept, big endian |
//! | the rest | its pass |
//! | 16 | the tag of AES-256-GCM |

use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::{Aes256Gcm, Nonce};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use hmac::{Hmac, Mac};
use sha2::Sha256;
use std::time::Duration;
use zeroize::Zeroizing;

use crate::domain::clock::Timestamp;
use crate::domain::dropbox::{Depot, StoredFile};
use crate::domain::error::Fault;
use crate::domain::ids::AttachmentId;

/// How long one is good.
const LIFE: Duration = Duration::from_secs(120);

const NONCE: usize = 12;
const HEAD: usize = 8 + 16 + 8;
const CONTEXT: &[u8] = b"sealpost drop box 1 download";

/// Seals and opens tickets.
pub(super) struct Tickets {
    cipher: Aes256Gcm,
}

/// A file that somebody may fetch.
pub(super) struct Ticket {
    /// Its bytes.
    pub(super) file: StoredFile,
    /// What they are decrypted with.
    pub(super) pass: Zeroizing<String>,
}

impl Tickets {
    /// Tickets under the key that follows from a secret.
    pub(super) fn derive(secret: &[u8; 32]) -> Self {
        // HMAC fills a short key up to the hash's block with zeroes (RFC 2104).
        let mut block = Zeroizing::new([0; 64]);
        block[..32].copy_from_slice(secret);
        let mac = <Hmac<Sha256> as KeyInit>::new((&*block).into());
        let key = mac.chain_update(CONTEXT).finalize().into_bytes();
        Self { cipher: Aes256Gcm::new(&key) }
    }

    /// A ticket from now on.
    ///
    /// # Errors
    /// [`Fault::Internal`] when it is too long to be sealed, which none is.
    pub(super) fn seal(&self, ticket: &Ticket, depot: &Depot) -> Result<String, Fault> {
        let mut nonce = [0; NONCE];
        depot.gateway().entropy.fill(&mut nonce);
        self.seal_with(ticket, depot.now(), nonce)
    }

    fn seal_with(
        &self,
        ticket: &Ticket,
        now: Timestamp,
        nonce: [u8; NONCE],
    ) -> Result<String, Fault> {
        let mut plain = Zeroizing::new(Vec::with_capacity(HEAD + ticket.pass.len()));
        plain.extend_from_slice(&now.plus(LIFE).as_seconds().to_be_bytes());
        plain.extend_from_slice(ticket.file.id.as_bytes());
        plain.extend_from_slice(&ticket.file.length.to_be_bytes());
        plain.extend_from_slice(ticket.pass.as_bytes());
        let payload = Payload { msg: &plain, aad: CONTEXT };
        let sealed = self.cipher.encrypt(&Nonce::from(nonce), payload);
        let sealed =
            sealed.map_err(|error| Fault::internal("sealing a ticket", error.to_string()))?;
        Ok(BASE64.encode([&nonce[..], &sealed].concat()))
    }

    /// The ticket with this text, if it is one of ours and not over.
    pub(super) fn open(&self, text: &str, now: Timestamp) -> Option<Ticket> {
        let bytes = BASE64.decode(text.trim()).ok()?;
        let (nonce, sealed) = bytes.split_first_chunk::<NONCE>()?;
        let payload = Payload { msg: sealed, aad: CONTEXT };
        let plain = self.cipher.decrypt(&Nonce::from(*nonce), payload).ok()?;
        let plain = Zeroizing::new(plain);
        let (ends_at, rest) = plain.split_first_chunk::<8>()?;
        let (id, rest) = rest.split_first_chunk::<16>()?;
        let (length, pass) = rest.split_first_chunk::<8>()?;
        let is_over = i64::from_be_bytes(*ends_at) <= now.as_seconds();
        let pass = str::from_utf8(pass).ok().filter(|_| !is_over)?;
        let (id, length) = (AttachmentId::from_bytes(*id), u64::from_be_bytes(*length));
        let pass = Zeroizing::new(pass.to_owned());
        Some(Ticket { file: StoredFile { id, length }, pass })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: StoredFile = StoredFile { id: AttachmentId::from_bytes([7; 16]), length: 1 << 40 };

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_micros(seconds * 1_000_000)
    }

    fn sealed(tickets: &Tickets) -> String {
        let ticket = Ticket { file: FILE, pass: Zeroizing::new("pass".to_owned()) };
        tickets.seal_with(&ticket, at(1000), [1; NONCE]).unwrap()
    }

    #[test]
    fn a_ticket_is_good_for_two_minutes_at_every_gateway_with_the_secret() {
        let text = sealed(&Tickets::derive(&[3; 32]));
        let other = Tickets::derive(&[3; 32]);
        let ticket = other.open(&text, at(1119)).unwrap();
        assert_eq!((ticket.file, ticket.pass.as_str()), (FILE, "pass"));
        assert!(other.open(&text, at(1120)).is_none());
    }

    #[test]
    fn nothing_of_it_can_be_changed_or_made_up() {
        let tickets = Tickets::derive(&[3; 32]);
        let text = sealed(&tickets);
        assert!(Tickets::derive(&[4; 32]).open(&text, at(1000)).is_none());
        for at_byte in 0..text.len() {
            let mut other = text.clone().into_bytes();
            other[at_byte] = if other[at_byte] == b'A' { b'B' } else { b'A' };
            let other = String::from_utf8(other).unwrap();
            assert!(tickets.open(&other, at(1000)).is_none(), "{at_byte}");
        }
        for other in ["", "AAAA", &text[..text.len() - 4], "!"] {
            assert!(tickets.open(other, at(1000)).is_none(), "{other}");
        }
    }
}

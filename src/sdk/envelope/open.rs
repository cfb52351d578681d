//! Reading an envelope with a device's key.

use aes::cipher::KeyInit;
use aes_gcm::aead::AeadInOut;
use subtle::Choice;

use crate::envelope::layout::{SLOT, TAG};
use crate::envelope::parse::{Envelope, ParseError, parse};
use crate::envelope::seal::BodyCipher;
use crate::envelope::wrap_cache::WrapCache;
use crate::envelope::wrap_key::WrapKey;
use crate::ids::SessionId;
use crate::keys::{AgreementKey, AgreementSecret};

/// Why an envelope did not open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// The bytes are no envelope.
    #[error("malformed envelope")]
    Parse(#[from] ParseError),
    /// No slot is for this session.
    #[error("the envelope has no slot for session {session}")]
    NotForMe {
        /// The session that looked for its slot.
        session: SessionId,
    },
    /// The key in the header belongs to none of the expected senders.
    #[error("the envelope was sealed by an unknown key")]
    UnknownSender,
    /// The slot or the body was not made for this key, or was changed.
    ///
    /// Deliberately without detail: which of the two it was helps only an attacker.
    #[error("the envelope cannot be read with this key")]
    Unreadable,
}

/// Opens an envelope as one of its sessions.
///
/// `expected_senders` are the published keys of the account that the message claims to be from.
/// With `None` the plaintext may come from anybody.
///
/// # Errors
/// When the bytes are no envelope, it has no slot for `me`, it was sealed by none of
/// `expected_senders`, or slot and body do not fit `secret`.
pub fn open(
    envelope: &[u8],
    me: SessionId,
    secret: &AgreementSecret,
    expected_senders: Option<&[AgreementKey]>,
) -> Result<Vec<u8>, OpenError> {
    let (envelope, slot) = find_slot(envelope, me, expected_senders)?;
    open_slot(&envelope, slot, &agree(&envelope, secret)?)
}

/// Does what [`open`] does, and remembers the sender's key.
///
/// # Errors
/// As [`open`].
pub fn open_cached(
    envelope: &[u8],
    me: SessionId,
    secret: &AgreementSecret,
    expected_senders: Option<&[AgreementKey]>,
    cache: &WrapCache,
) -> Result<Vec<u8>, OpenError> {
    let (envelope, slot) = find_slot(envelope, me, expected_senders)?;
    let sender = envelope.sender_key();
    let table = cache.read();
    if let Some(key) = table.of(&secret.public()).and_then(|known| known.get(&sender)) {
        return open_slot(&envelope, slot, key);
    }
    drop(table);
    let key = agree(&envelope, secret)?;
    let plaintext = open_slot(&envelope, slot, &key)?;
    // Only now: a key that opened nothing must not push out one that does.
    cache.insert(secret.public(), [(sender, key)]);
    Ok(plaintext)
}

fn find_slot<'a>(
    envelope: &'a [u8],
    me: SessionId,
    expected_senders: Option<&[AgreementKey]>,
) -> Result<(Envelope<'a>, &'a [u8; SLOT]), OpenError> {
    let envelope = parse(envelope)?;
    let slot = envelope.slot(me).ok_or(OpenError::NotForMe { session: me })?;
    if expected_senders.is_some_and(|expected| !expected.contains(&envelope.sender_key())) {
        return Err(OpenError::UnknownSender);
    }
    Ok((envelope, slot))
}

fn agree(envelope: &Envelope<'_>, secret: &AgreementSecret) -> Result<WrapKey, OpenError> {
    let shared = secret.shared_secret(&envelope.sender_key());
    shared.map(|shared| WrapKey::new(&shared)).map_err(|_| OpenError::Unreadable)
}

/// Unwraps and decrypts. A wrong padding goes through the same work as a wrong tag.
fn open_slot(
    envelope: &Envelope<'_>,
    slot: &[u8; SLOT],
    key: &WrapKey,
) -> Result<Vec<u8>, OpenError> {
    let (message_key, padding_is_right) = key.unwrap(slot);
    let (body, tag) =
        envelope.ciphertext().split_last_chunk::<TAG>().ok_or(OpenError::Unreadable)?;
    let mut plaintext = body.to_vec();
    let cipher = BodyCipher::new((&*message_key).into());
    let decrypted = cipher.decrypt_inout_detached(
        envelope.nonce().into(),
        &[],
        plaintext.as_mut_slice().into(),
        tag.into(),
    );
    let is_right = padding_is_right & Choice::from(u8::from(decrypted.is_ok()));
    if bool::from(is_right) { Ok(plaintext) } else { Err(OpenError::Unreadable) }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
mod tests {
    use super::*;
    use crate::envelope::fixture::{Device, devices, sealed, sender};

    const PLAINTEXT: &[u8] = b"meet me at noon";

    fn open_as(device: &Device, envelope: &[u8]) -> Result<Vec<u8>, OpenError> {
        open(envelope, device.session, &device.secret, None)
    }

    #[test]
    fn only_a_named_session_opens() {
        let devices = devices(3);
        let bytes = sealed(PLAINTEXT, &devices[..2], None);
        assert_eq!(open_as(&devices[0], &bytes).unwrap(), PLAINTEXT);
        let session = devices[2].session;
        assert_eq!(open_as(&devices[2], &bytes), Err(OpenError::NotForMe { session }));
    }

    #[test]
    fn another_key_opens_nothing() {
        let [one, other] = devices(2).try_into().ok().unwrap();
        let bytes = sealed(PLAINTEXT, &[one], None);
        let session = parse(&bytes).unwrap().sessions().next().unwrap();
        let thief = Device { session, secret: other.secret };
        assert_eq!(open_as(&thief, &bytes), Err(OpenError::Unreadable));
    }

    #[test]
    fn a_sender_that_is_not_expected_is_refused() {
        let device = &devices(1)[0];
        let bytes = sealed(PLAINTEXT, std::slice::from_ref(device), None);
        let stranger = [device.secret.public()];
        let expected = [stranger[0], sender().public()];
        let open =
            |senders: &[AgreementKey]| open(&bytes, device.session, &device.secret, Some(senders));
        assert_eq!(open(&[]), Err(OpenError::UnknownSender));
        assert_eq!(open(&stranger), Err(OpenError::UnknownSender));
        assert_eq!(open(&expected).unwrap(), PLAINTEXT);
    }

    #[test]
    fn no_flipped_bit_ever_opens_to_other_plaintext() {
        let device = &devices(1)[0];
        let bytes = sealed(PLAINTEXT, std::slice::from_ref(device), None);
        for index in 0..bytes.len() {
            for bit in 0..8 {
                let mut changed = bytes.clone();
                changed[index] ^= 1 << bit;
                match open_as(device, &changed) {
                    // X25519 ignores the topmost bit of a key (RFC 7748).
                    Ok(plaintext) => {
                        assert_eq!((index, bit), (34, 7));
                        assert_eq!(plaintext, PLAINTEXT);
                    }
                    Err(OpenError::Unreadable) => assert!(index >= 3),
                    Err(OpenError::NotForMe { .. }) => assert!((35..51).contains(&index)),
                    Err(OpenError::Parse(_)) => assert!(index < 3),
                    Err(error @ OpenError::UnknownSender) => unreachable!("{error}"),
                }
            }
        }
    }

    #[test]
    fn a_flipped_bit_anywhere_fails_when_the_sender_is_expected() {
        let device = &devices(1)[0];
        let bytes = sealed(PLAINTEXT, std::slice::from_ref(device), None);
        for index in 0..bytes.len() {
            for bit in 0..8 {
                let mut changed = bytes.clone();
                changed[index] ^= 1 << bit;
                let senders = [sender().public()];
                assert!(open(&changed, device.session, &device.secret, Some(&senders)).is_err());
            }
        }
    }

    #[test]
    fn no_truncation_and_no_surplus_opens() {
        let device = &devices(1)[0];
        let bytes = sealed(PLAINTEXT, std::slice::from_ref(device), None);
        for length in 0..bytes.len() {
            assert!(open_as(device, &bytes[..length]).is_err(), "{length}");
        }
        let mut surplus = bytes;
        surplus.push(0);
        assert_eq!(open_as(device, &surplus), Err(OpenError::Unreadable));
    }

    #[test]
    fn a_small_order_sender_key_is_unreadable() {
        let device = &devices(1)[0];
        let mut bytes = sealed(PLAINTEXT, std::slice::from_ref(device), None);
        bytes[3..35].fill(0);
        assert_eq!(open_as(device, &bytes), Err(OpenError::Unreadable));
    }

    #[test]
    fn a_cached_key_opens_the_same_and_a_useless_one_is_not_kept() {
        let device = &devices(1)[0];
        let bytes = sealed(PLAINTEXT, std::slice::from_ref(device), None);
        let cache = WrapCache::new();
        let open = |bytes: &[u8]| open_cached(bytes, device.session, &device.secret, None, &cache);
        let mut forged = bytes.clone();
        forged[10] ^= 1;
        assert_eq!(open(&forged), Err(OpenError::Unreadable));
        assert!(cache.is_empty());
        for _ in 0..2 {
            assert_eq!(open(&bytes).unwrap(), PLAINTEXT);
            assert_eq!(cache.len(), 1);
        }
        let mut changed = bytes.clone();
        *changed.last_mut().unwrap() ^= 1;
        assert_eq!(open(&changed), Err(OpenError::Unreadable));
    }

    #[test]
    fn sealing_and_opening_share_a_cache_without_mixing_keys() {
        let device = &devices(1)[0];
        let cache = WrapCache::new();
        let bytes = sealed(PLAINTEXT, std::slice::from_ref(device), Some(&cache));
        let opened = open_cached(&bytes, device.session, &device.secret, None, &cache);
        assert_eq!(opened.unwrap(), PLAINTEXT);
        assert_eq!(cache.len(), 2);
    }
}

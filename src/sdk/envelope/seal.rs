//! Writing an envelope.

use std::fmt;

use aes::Aes128Enc;
use aes::cipher::KeyInit;
use aes_gcm::AesGcm;
use aes_gcm::aead::AeadInOut;
use aes_gcm::aead::consts::U12;
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use crate::envelope::layout::{self, IV, MAX_SESSIONS, MESSAGE_KEY, NONCE, SLOT, VERSION};
use crate::envelope::parse::first_duplicate;
use crate::envelope::wrap_cache::WrapCache;
use crate::envelope::wrap_key::WrapKey;
use crate::ids::SessionId;
use crate::keys::{AgreementKey, AgreementSecret};

/// AES-128-GCM that only ever runs its cipher forwards, so half a key schedule will do.
pub(super) type BodyCipher = AesGcm<Aes128Enc, U12>;

/// A device to seal to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recipient {
    /// The device's session.
    pub session: SessionId,
    /// The public key that is published for it.
    pub key: AgreementKey,
}

/// Why nothing was sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// There is nobody to seal to.
    #[error("no recipients")]
    NoRecipients,
    /// More recipients than an envelope has room for.
    #[error("an envelope has room for {MAX_SESSIONS} sessions, not for {count}")]
    TooManyRecipients {
        /// Number of recipients.
        count: usize,
    },
    /// A session is named twice.
    #[error("session {session} is named more than once")]
    DuplicateSession {
        /// The session.
        session: SessionId,
    },
    /// A session's public key would let anyone read the message.
    #[error("the public key of session {session} is weak")]
    WeakKey {
        /// The session.
        session: SessionId,
    },
    /// AES-GCM takes at most 64 GiB under one key.
    #[error("a plaintext of {length} bytes is too long")]
    TooLong {
        /// Length of the plaintext.
        length: usize,
    },
}

/// An envelope, and the key of the message inside.
#[derive(Debug)]
pub struct Sealed {
    /// The envelope.
    pub bytes: Vec<u8>,
    /// The key of its body.
    pub key: MessageKey,
}

/// The key of one message, wiped from memory on drop. Whoever has it can read that message.
pub struct MessageKey(Zeroizing<[u8; MESSAGE_KEY]>);

impl MessageKey {
    /// Wraps the key for more devices: their slots, 64 bytes each, in the order of `recipients`.
    ///
    /// `sender` is the key pair that sealed the message; devices look for its public key in the
    /// envelope, which stays as it is.
    ///
    /// # Errors
    /// When a session is named twice or its key is weak. Nothing is ever left out silently.
    pub fn slots_for(
        &self,
        sender: &AgreementSecret,
        recipients: &[Recipient],
        cache: Option<&WrapCache>,
        rng: &mut (impl CryptoRng + ?Sized),
    ) -> Result<Vec<[u8; SLOT]>, SealError> {
        if let Some(session) = first_duplicate(recipients.iter().map(|one| one.session)) {
            return Err(SealError::DuplicateSession { session });
        }
        let mut ivs = vec![[0; IV]; recipients.len()];
        rng.fill_bytes(ivs.as_flattened_mut());
        let mut slots = vec![[0; SLOT]; recipients.len()];
        wrap_all(&self.0, sender, recipients, cache, &ivs, &mut slots)?;
        Ok(slots)
    }
}

impl fmt::Debug for MessageKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("MessageKey(..)")
    }
}

/// Encrypts a message once and wraps its key for every recipient.
///
/// With a `cache`, a recipient that was sealed to before costs two AES blocks in place of a scalar
/// multiplication. Randomness is drawn from `rng` in one call.
///
/// # Errors
/// When there are no recipients or more than [`MAX_SESSIONS`], a session is named twice, or a key
/// is weak (of small order). Nothing is ever left out silently.
///
/// ```
/// use rand_chacha::ChaCha20Rng;
/// use rand_core::SeedableRng;
/// use sealpost_sdk::envelope::{Recipient, WrapCache, open, seal};
/// use sealpost_sdk::ids::SessionId;
/// use sealpost_sdk::keys::SigningKey;
///
/// # let mut rng = ChaCha20Rng::from_seed([1; 32]); // a generator seeded by the system in earnest
/// let bot = SigningKey::generate(&mut rng).agreement_secret();
/// let phone = SigningKey::generate(&mut rng).agreement_secret();
/// let session = SessionId::random(&mut rng);
///
/// let recipients = [Recipient { session, key: phone.public() }];
/// let envelope = seal(b"hello", &bot, &recipients, Some(&WrapCache::new()), &mut rng)?;
/// assert_eq!(open(&envelope, session, &phone, Some(&[bot.public()])).as_deref(), Ok(&b"hello"[..]));
/// # Ok::<(), sealpost_sdk::envelope::SealError>(())
/// ```
pub fn seal(
    plaintext: &[u8],
    sender: &AgreementSecret,
    recipients: &[Recipient],
    cache: Option<&WrapCache>,
    rng: &mut (impl CryptoRng + ?Sized),
) -> Result<Vec<u8>, SealError> {
    seal_keeping_key(plaintext, sender, recipients, cache, rng).map(|sealed| sealed.bytes)
}

/// As [`seal`], and gives the message's key beside the envelope, to wrap it for devices that turn
/// up later without encrypting the body again.
///
/// # Errors
/// As [`seal`].
///
/// ```
/// use rand_chacha::ChaCha20Rng;
/// use rand_core::SeedableRng;
/// use sealpost_sdk::envelope::{Recipient, seal_keeping_key};
/// use sealpost_sdk::ids::SessionId;
/// use sealpost_sdk::keys::SigningKey;
///
/// # let mut rng = ChaCha20Rng::from_seed([1; 32]); // a generator seeded by the system in earnest
/// let bot = SigningKey::generate(&mut rng).agreement_secret();
/// let [phone, tablet] = [(); 2].map(|()| Recipient {
///     session: SessionId::random(&mut rng),
///     key: SigningKey::generate(&mut rng).agreement_secret().public(),
/// });
///
/// let sealed = seal_keeping_key(b"hello", &bot, &[phone], None, &mut rng)?;
/// let slots = sealed.key.slots_for(&bot, &[tablet], None, &mut rng)?;
/// assert!(slots[0].starts_with(tablet.session.as_bytes()));
/// # Ok::<(), sealpost_sdk::envelope::SealError>(())
/// ```
pub fn seal_keeping_key(
    plaintext: &[u8],
    sender: &AgreementSecret,
    recipients: &[Recipient],
    cache: Option<&WrapCache>,
    rng: &mut (impl CryptoRng + ?Sized),
) -> Result<Sealed, SealError> {
    let count = checked_count(recipients)?;
    let mut random = Zeroizing::new(vec![0; MESSAGE_KEY + NONCE + IV * recipients.len()]);
    rng.fill_bytes(&mut random);
    let too_long = SealError::TooLong { length: plaintext.len() };
    let (message_key, rest) = random.split_first_chunk::<MESSAGE_KEY>().ok_or(too_long)?;
    let (nonce, ivs) = rest.split_first_chunk::<NONCE>().ok_or(too_long)?;
    let (ivs, _) = ivs.as_chunks::<IV>();

    let mut envelope = Vec::with_capacity(layout::length(recipients.len(), plaintext.len()));
    envelope.push(VERSION);
    envelope.extend_from_slice(&count.to_le_bytes());
    envelope.extend_from_slice(sender.public().as_bytes());
    let mut slots = vec![[0; SLOT]; recipients.len()];
    wrap_all(message_key, sender, recipients, cache, ivs, &mut slots)?;
    envelope.extend_from_slice(slots.as_flattened());
    envelope.extend_from_slice(nonce);
    let body_start = envelope.len();
    envelope.extend_from_slice(plaintext);
    let body = envelope.get_mut(body_start..).unwrap_or_default();
    let cipher = BodyCipher::new(message_key.into());
    let tag =
        cipher.encrypt_inout_detached(nonce.into(), &[], body.into()).map_err(|_| too_long)?;
    envelope.extend_from_slice(&tag);
    Ok(Sealed { bytes: envelope, key: MessageKey(Zeroizing::new(*message_key)) })
}

fn checked_count(recipients: &[Recipient]) -> Result<u16, SealError> {
    let count = recipients.len();
    if count == 0 {
        return Err(SealError::NoRecipients);
    }
    if let Some(session) = first_duplicate(recipients.iter().map(|recipient| recipient.session)) {
        return Err(SealError::DuplicateSession { session });
    }
    match u16::try_from(count) {
        Ok(short) if count <= MAX_SESSIONS => Ok(short),
        _ => Err(SealError::TooManyRecipients { count }),
    }
}

/// Fills the slots: known recipients under one look at the cache, then the others.
fn wrap_all(
    message_key: &[u8; MESSAGE_KEY],
    sender: &AgreementSecret,
    recipients: &[Recipient],
    cache: Option<&WrapCache>,
    ivs: &[[u8; IV]],
    slots: &mut [[u8; SLOT]],
) -> Result<(), SealError> {
    let mut missing = Vec::new();
    let table = cache.map(WrapCache::read);
    let known = table.as_ref().and_then(|table| table.of(&sender.public()));
    for ((recipient, iv), slot) in recipients.iter().zip(ivs).zip(slots) {
        match known.and_then(|known| known.get(&recipient.key)) {
            Some(key) => key.wrap(message_key, recipient.session, iv, slot),
            None => missing.push((recipient, iv, slot)),
        }
    }
    drop(table);
    if missing.is_empty() {
        return Ok(());
    }

    let mut agreed = Vec::with_capacity(missing.len());
    for (recipient, iv, slot) in missing {
        let secret = sender
            .shared_secret(&recipient.key)
            .map_err(|_| SealError::WeakKey { session: recipient.session })?;
        let key = WrapKey::new(&secret);
        key.wrap(message_key, recipient.session, iv, slot);
        if cache.is_some() {
            agreed.push((recipient.key, key));
        }
    }
    if let Some(cache) = cache {
        cache.insert(sender.public(), agreed);
    }
    Ok(())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::envelope::fixture::{devices, recipients, rng, sealed, sender};
    use crate::envelope::{open, parse};

    fn refused(recipients: &[Recipient]) -> SealError {
        seal(b"hello", &sender(), recipients, None, &mut rng(3)).unwrap_err()
    }

    #[test]
    fn the_cache_changes_nothing_but_the_time() {
        let devices = devices(20);
        let cache = WrapCache::new();
        let cold = sealed(b"hello", &devices, None);
        assert_eq!(sealed(b"hello", &devices[..7], Some(&cache)).len(), 35 + 64 * 7 + 33);
        assert_eq!(sealed(b"hello", &devices, Some(&cache)), cold);
        assert_eq!(cache.len(), 20);
        assert_eq!(sealed(b"hello", &devices, Some(&cache)), cold);
    }

    #[test]
    fn a_cache_that_is_too_small_still_seals_for_everyone() {
        let devices = devices(40);
        let cache = WrapCache::with_capacity(3);
        for _ in 0..3 {
            let bytes = sealed(b"hello", &devices, Some(&cache));
            for device in &devices {
                let opened = open(&bytes, device.session, &device.secret, None);
                assert_eq!(opened.as_deref(), Ok(&b"hello"[..]));
            }
        }
        assert_eq!(cache.len(), 3);
    }

    #[test]
    fn keys_ivs_and_nonces_are_new_in_every_envelope() {
        let devices = devices(2);
        let mut rng = rng(4);
        let seal = |rng: &mut _| seal(b"hello", &sender(), &recipients(&devices), None, rng);
        let (one, other) = (seal(&mut rng).unwrap(), seal(&mut rng).unwrap());
        let (one, other) = (parse(&one).unwrap(), parse(&other).unwrap());
        assert_ne!(one.nonce(), other.nonce());
        assert_ne!(one.ciphertext(), other.ciphertext());
        let mut ivs: Vec<_> = [one, other]
            .iter()
            .flat_map(|it| it.slots().map(|slot| slot.bytes[16..32].to_vec()))
            .collect();
        ivs.sort();
        ivs.dedup();
        assert_eq!(ivs.len(), 4);
    }

    #[test]
    fn one_to_510_different_recipients_are_sealed_for() {
        let recipient = |number: u128| Recipient {
            session: SessionId::from_bytes(number.to_be_bytes()),
            key: sender().public(),
        };
        assert_eq!(refused(&[]), SealError::NoRecipients);
        let many: Vec<_> = (0..511).map(recipient).collect();
        assert_eq!(refused(&many), SealError::TooManyRecipients { count: 511 });
        assert!(seal(b"", &sender(), &many[..510], None, &mut rng(3)).is_ok());
        let session = recipient(1).session;
        let twice = [recipient(1), recipient(2), recipient(1)];
        assert_eq!(refused(&twice), SealError::DuplicateSession { session });
    }

    #[test]
    fn a_weak_key_is_named_and_nothing_is_sealed_or_kept() {
        let mut recipients = recipients(&devices(3));
        recipients[1].key = AgreementKey::from_bytes([0; 32]);
        let session = recipients[1].session;
        let cache = WrapCache::new();
        let result = seal(b"hello", &sender(), &recipients, Some(&cache), &mut rng(3));
        assert_eq!(result, Err(SealError::WeakKey { session }));
        assert!(cache.is_empty());
    }

    #[test]
    fn a_slot_that_is_made_later_opens_the_same_body() {
        let devices = devices(3);
        let all = recipients(&devices);
        let (first, later) = all.split_at(1);
        let mut rng = rng(5);
        let sealed = seal_keeping_key(b"hello", &sender(), first, None, &mut rng).unwrap();
        let slots = sealed.key.slots_for(&sender(), later, None, &mut rng).unwrap();
        for (device, slot) in devices[1..].iter().zip(slots) {
            // The envelope with the later slot in the place of the first one.
            let mut envelope = sealed.bytes.clone();
            envelope[layout::HEADER..layout::HEADER + SLOT].copy_from_slice(&slot);
            let opened =
                open(&envelope, device.session, &device.secret, Some(&[sender().public()]));
            assert_eq!(opened.as_deref(), Ok(&b"hello"[..]));
        }
        assert_eq!(format!("{:?}", sealed.key), "MessageKey(..)");
    }

    #[test]
    fn slots_are_made_for_each_session_once_and_for_no_weak_key() {
        let all = recipients(&devices(2));
        let sealed = seal_keeping_key(b"", &sender(), &all[..1], None, &mut rng(5)).unwrap();
        let session = all[1].session;
        let slots = |recipients: &[Recipient]| {
            sealed.key.slots_for(&sender(), recipients, None, &mut rng(6)).unwrap_err()
        };
        assert_eq!(slots(&[all[1], all[1]]), SealError::DuplicateSession { session });
        let weak = Recipient { session, key: AgreementKey::from_bytes([0; 32]) };
        assert_eq!(slots(&[weak]), SealError::WeakKey { session });
    }

    #[test]
    fn two_sessions_may_share_a_key() {
        let mut recipients = recipients(&devices(2));
        recipients[1].key = recipients[0].key;
        let cache = WrapCache::new();
        assert!(seal(b"hello", &sender(), &recipients, Some(&cache), &mut rng(3)).is_ok());
        assert_eq!(cache.len(), 1);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn every_recipient_opens_what_was_sealed(plaintext: Vec<u8>, count in 1..6_usize) {
            let devices = devices(count);
            let bytes = sealed(&plaintext, &devices, None);
            prop_assert_eq!(bytes.len(), layout::length(count, plaintext.len()));
            let slice_of = |device: &crate::envelope::fixture::Device| {
                parse(&bytes).unwrap().slice_for(device.session).unwrap()
            };
            let senders = [sender().public()];
            for device in &devices {
                for envelope in [&bytes, &slice_of(device)] {
                    let opened = open(envelope, device.session, &device.secret, Some(&senders));
                    prop_assert_eq!(opened.as_ref(), Ok(&plaintext));
                }
            }
        }
    }
}

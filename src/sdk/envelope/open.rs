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
    if let Some(key) = table
        .of(&secret.public())
        .and_then(|known| known.get(&sender))
    {
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
    let slot = envelope
        .slot(me)
        .ok_or(OpenError::NotForMe { session: me })?;
    if expected_senders.is_some_and(|expected| !expected.contains(&envelope.sender_key())) {
        return Err(OpenError::UnknownSender);
    }
    Ok((envelope, slot))
}

fn agree(envelope: &Envelope<'_>, secret: &AgreementSecret) -> Result<WrapKey, OpenError> {
    let shared = secret.shared_secret(&envelope.sender_key());
    shared
        .map(|shared| WrapKey::new(&shared))
        .map_err(|_| OpenError::Unreadable)
}

/// Unwraps and decrypts. A wrong padding goes through the same work as a wrong tag.
fn open_slot(
    envelope: &Envelope<'_>,
    slot: &[u8; SLOT],
    key: &WrapKey,
) -> Result<Vec<u8>, OpenError> {
    let (message_key, padding_is_right) = key.unwrap(slot);
    let (body, tag) = envelope
        .ciphertext()
        .split_last_chunk::<TAG>()
        .ok_or(OpenError::Unreadable)?;
    let mut plaintext = body.to_vec();
    let cipher = BodyCipher::new((&*message_key).into());
    let decrypted = cipher.decrypt_inout_detached(
        envelope.nonce().into(),
        &[],
        plaintext.as_mut_slice().into(),
        tag.into(),
    );
    let is_right = padding_is_right & Choice::from(u8::from(decrypted.is_ok()));
    if bool::from(is_right) {
        Ok(plaintext)
    } else {
        Err(OpenError::Unreadable)
    }
}

//! Envelopes that open, and those that are refused by anybody or by one device.

use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use sealpost_sdk::checksum::{Checksum, session_checksum};
use sealpost_sdk::envelope::{OpenError, Recipient, open, parse, seal};
use sealpost_sdk::ids::SessionId;
use sealpost_sdk::keys::{AgreementKey, SigningKey};
use serde::Deserialize;

use crate::reading::{Base64, Hex, Wrong, each, refused, refused_since, same};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Envelopes {
    #[serde(rename = "source")]
    _source: String,
    opens: Vec<Opens>,
    malformed: Vec<Malformed>,
    unreadable: Vec<Unreadable>,
    refused: Vec<Refused>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Opens {
    #[serde(rename = "name")]
    _name: String,
    sender_seed: Hex,
    sender_public_key: AgreementKey,
    plaintext: Hex,
    checksum: Checksum,
    envelope: Base64,
    devices: Vec<Device>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Device {
    session_id: SessionId,
    seed: Hex,
    public_key: AgreementKey,
    slice: Base64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Malformed {
    #[serde(rename = "name")]
    _name: String,
    envelope: Base64,
    reason: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Unreadable {
    #[serde(rename = "name")]
    _name: String,
    envelope: Base64,
    session_id: SessionId,
    seed: Hex,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Refused {
    #[serde(rename = "name")]
    _name: String,
    envelope: Base64,
    session_id: SessionId,
    seed: Hex,
    // `null` is anybody, and no member at all is an error.
    #[serde(deserialize_with = "Option::deserialize")]
    senders: Option<Vec<AgreementKey>>,
    error: String,
}

pub fn check(file: &[u8]) -> Result<usize, Wrong> {
    let file: Envelopes = serde_json::from_slice(file)?;
    let opens = each("opens", &file.opens, check_sound)?;
    let malformed = each("malformed", &file.malformed, |case| {
        refused_since(parse(&case.envelope), &case.reason)
    })?;
    let unreadable = each("unreadable", &file.unreadable, |case| {
        parse(&case.envelope)?;
        let secret = case.seed.key()?.agreement_secret();
        let opened = open(&case.envelope, case.session_id, &secret, None);
        same(&refused(opened)?, &OpenError::Unreadable)
    })?;
    let for_others = each("refused", &file.refused, |case| {
        let secret = case.seed.key()?.agreement_secret();
        let opened = open(&case.envelope, case.session_id, &secret, case.senders.as_deref());
        same(kind(refused(opened)?), case.error.as_str())
    })?;
    Ok(opens + malformed + unreadable + for_others)
}

fn check_sound(case: &Opens) -> Result<(), Wrong> {
    let sender = case.sender_seed.key()?;
    same(&sender.agreement_secret().public(), &case.sender_public_key)?;
    same(&session_checksum(parse(&case.envelope)?.sessions()), &case.checksum)?;
    let mut devices = Vec::new();
    for device in &case.devices {
        let key = device.seed.key()?;
        same(&key.agreement_secret().public(), &device.public_key)?;
        for envelope in [&case.envelope, &device.slice] {
            opens_to(&case.plaintext, envelope, &sender, device.session_id, &key)?;
        }
        devices.push((device.session_id, key));
    }
    opens_what_it_seals(&case.plaintext, &sender, &devices)
}

fn opens_to(
    plaintext: &[u8],
    envelope: &[u8],
    sender: &SigningKey,
    session: SessionId,
    key: &SigningKey,
) -> Result<(), Wrong> {
    let sender = sender.verifying_key().agreement_key();
    let opened = open(envelope, session, &key.agreement_secret(), Some(&[sender]))?;
    same(&*opened, plaintext)
}

fn opens_what_it_seals(
    plaintext: &[u8],
    sender: &SigningKey,
    devices: &[(SessionId, SigningKey)],
) -> Result<(), Wrong> {
    let recipient = |(session, key): &(SessionId, SigningKey)| Recipient {
        session: *session,
        key: key.verifying_key().agreement_key(),
    };
    let recipients: Vec<_> = devices.iter().map(recipient).collect();
    // A seed that everybody knows: these keys are no secrets. A bot has one from the system.
    let mut rng = ChaCha20Rng::from_seed([1; 32]);
    let sealed = seal(plaintext, &sender.agreement_secret(), &recipients, None, &mut rng)?;
    devices
        .iter()
        .try_for_each(|(session, key)| opens_to(plaintext, &sealed, sender, *session, key))
}

/// The word of the files for an error.
fn kind(error: OpenError) -> &'static str {
    match error {
        OpenError::Parse(_) => "malformed",
        OpenError::NotForMe { .. } => "not_for_me",
        OpenError::UnknownSender => "unknown_sender",
        OpenError::Unreadable => "unreadable",
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Plain {
    #[serde(rename = "source")]
    _source: String,
    envelopes: Vec<PlainEnvelope>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PlainEnvelope {
    sender_seed: Hex,
    sender_agreement_key: Hex,
    plaintext: Hex,
    devices: Vec<PlainDevice>,
    envelope: Hex,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PlainDevice {
    session_id: SessionId,
    seed: Hex,
    agreement_key: Hex,
}

/// Checks envelopes of a program that shares no code with the SDK.
pub fn check_plain(file: &[u8]) -> Result<usize, Wrong> {
    let file: Plain = serde_json::from_slice(file)?;
    each("envelopes", &file.envelopes, |case| {
        let sender = case.sender_seed.key()?;
        same(&sender.agreement_secret().public().as_bytes()[..], &*case.sender_agreement_key)?;
        for device in &case.devices {
            let key = device.seed.key()?;
            same(&key.agreement_secret().public().as_bytes()[..], &*device.agreement_key)?;
            opens_to(&case.plaintext, &case.envelope, &sender, device.session_id, &key)?;
        }
        Ok(())
    })
}

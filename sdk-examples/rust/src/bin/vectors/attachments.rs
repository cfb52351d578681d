//! Encrypted files that open, and changed ones that do not.

use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use sealpost_sdk::attachment::{AttachmentKey, decrypt, encrypt};
use serde::Deserialize;

use crate::reading::{Base64, Hex, Wrong, each, refused, same};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Attachments {
    #[serde(rename = "source")]
    _source: String,
    cases: Vec<Case>,
    refused: Vec<Refused>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    plaintext: Hex,
    key: Hex,
    digest: Hex,
    bytes: Base64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Refused {
    #[serde(rename = "name")]
    _name: String,
    key: Hex,
    digest: Hex,
    bytes: Base64,
}

pub fn check(file: &[u8]) -> Result<usize, Wrong> {
    let file: Attachments = serde_json::from_slice(file)?;
    let opens = each("cases", &file.cases, |case| {
        let key = AttachmentKey::from_bytes(&case.key.array()?);
        same(&*decrypt(&case.bytes, &key, &case.digest.array()?)?, &*case.plaintext)?;
        // A seed that everybody knows: nothing here is a secret. A bot has one from the system.
        let sealed = encrypt(&case.plaintext, &mut ChaCha20Rng::from_seed([1; 32]));
        same(&*decrypt(&sealed.bytes, &sealed.key, &sealed.digest)?, &*case.plaintext)
    })?;
    let refused = each("refused", &file.refused, |case| {
        let key = AttachmentKey::from_bytes(&case.key.array()?);
        refused(decrypt(&case.bytes, &key, &case.digest.array()?)).map(drop)
    })?;
    Ok(opens + refused)
}

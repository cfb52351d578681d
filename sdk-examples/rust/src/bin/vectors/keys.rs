//! The two public forms of a seed, what is signed for a new device, and what is refused of keys.

use sealpost_sdk::base64url;
use sealpost_sdk::device::SessionStatement;
use sealpost_sdk::ids::{SessionId, UserId};
use sealpost_sdk::keys::{AgreementKey, KeyError, SigningKey, VerifyingKey};
use serde::Deserialize;

use crate::reading::{Base64, Hex, Wrong, each, refused, refused_since, same};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Keys {
    #[serde(rename = "source")]
    _source: String,
    pairs: Vec<Pair>,
    refused: Vec<NoSigner>,
    agreement_refused: Vec<NoPartner>,
    texts_refused: Vec<NoKey>,
    signatures_refused: Vec<NoSignature>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Pair {
    seed: Hex,
    ed25519_public_key: String,
    x25519_public_key: String,
    statement: Statement,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Statement {
    user_id: UserId,
    added_by: SessionId,
    signed_by_new_key: Hex,
    signature_of_new_key: String,
    signed_by_adder: Hex,
    signature_of_same_key_as_adder: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NoSigner {
    ed25519_public_key: Hex,
    reason: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NoPartner {
    x25519_public_key: Hex,
    reason: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NoKey {
    #[serde(rename = "name")]
    _name: String,
    public_key: String,
    reason: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NoSignature {
    #[serde(rename = "name")]
    _name: String,
    ed25519_public_key: String,
    message: Hex,
    signature: Base64,
}

pub fn check(file: &[u8]) -> Result<usize, Wrong> {
    let file: Keys = serde_json::from_slice(file)?;
    let pairs = each("pairs", &file.pairs, check_pair)?;
    let signers = each("refused", &file.refused, |case| {
        let key = VerifyingKey::from_bytes(&case.ed25519_public_key.array()?);
        refused_since(key, &case.reason)
    })?;
    let partners = each("agreement_refused", &file.agreement_refused, |case| {
        let weak = AgreementKey::from_bytes(case.x25519_public_key.array()?);
        let own = SigningKey::from_seed(&[0; 32]).agreement_secret();
        refused_since(own.shared_secret(&weak), &case.reason)
    })?;
    let texts = each("texts_refused", &file.texts_refused, |case| {
        refused_since(AgreementKey::from_base64(&case.public_key), &case.reason)
    })?;
    let signatures = each("signatures_refused", &file.signatures_refused, |case| {
        let key = VerifyingKey::from_base64(&case.ed25519_public_key)?;
        let signature = (*case.signature).try_into()?;
        same(&refused(key.verify(&case.message, signature))?, &KeyError::Signature)
    })?;
    Ok(pairs + signers + partners + texts + signatures)
}

fn check_pair(case: &Pair) -> Result<(), Wrong> {
    let key = case.seed.key()?;
    let public = key.verifying_key();
    same(&public.to_base64(), &case.ed25519_public_key)?;
    same(&VerifyingKey::from_base64(&case.ed25519_public_key)?, &public)?;
    same(&public.agreement_key().to_base64(), &case.x25519_public_key)?;
    same(&key.agreement_secret().public(), &public.agreement_key())?;
    check_statement(&key, &case.statement)
}

fn check_statement(key: &SigningKey, case: &Statement) -> Result<(), Wrong> {
    let public_key = key.verifying_key();
    let statement = SessionStatement { user: case.user_id, added_by: case.added_by, public_key };
    same(&statement.bytes_to_sign_by_new_key()[..], &*case.signed_by_new_key)?;
    same(&statement.bytes_to_sign_by_adder()[..], &*case.signed_by_adder)?;
    let (as_new, as_adder) = (statement.sign_as_new(key), statement.sign_as_adder(key));
    same(&base64url::encode(&as_new), &case.signature_of_new_key)?;
    same(&base64url::encode(&as_adder), &case.signature_of_same_key_as_adder)?;
    statement.verify_new(&as_new)?;
    statement.verify_adder(&public_key, &as_adder)?;
    Ok(())
}

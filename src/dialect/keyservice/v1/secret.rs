//! What proves an owner: a passphrase, which decrypts the private key, or the key's hash.
//!
//! The original took a padding that looked right for a proof, which one wrong passphrase in about
//! 250 has. Here the private key that comes of it has to be the right one: its hash is the stored
//! one, or it belongs to the public key (for a key whose owner chose some other string as its
//! hash). Both kinds of proof take as long for a box that there is not.

use zeroize::Zeroizing;

use super::Call;
use super::crypto::{PassKey, PrivateKey, PublicKey, unlock};
use super::names::Name;
use super::parameters::Parameters;
use crate::domain::dropbox::tries::Lock;
use crate::domain::dropbox::{BoxToken, DropBox, SecretDigest};
use crate::domain::error::Fault;

/// What somebody shows.
pub(super) enum Secret {
    /// A passphrase.
    Passphrase(Zeroizing<String>),
    /// `privatekeyhash`.
    Hash(Zeroizing<String>),
}

/// What came of it.
pub(super) enum Proof {
    /// The private key, and the hash of its text if that is the stored one.
    Key(Box<PrivateKey>, Option<Zeroizing<String>>),
    /// The hash is right.
    Hash(Zeroizing<String>),
}

/// Somebody who has proved to own a box.
pub(super) struct Owner {
    /// The box.
    pub(super) owned: DropBox,
    /// By what.
    pub(super) proof: Proof,
}

impl Secret {
    /// What a request shows, if it does; a passphrase goes before a hash, since it can do more.
    pub(super) fn of(parameters: &Parameters) -> Option<Self> {
        let text = |name| parameters.text(name).map(|text| Zeroizing::new(text.to_owned()));
        let passphrase = text(Name::Passphrase).map(Self::Passphrase);
        passphrase.or_else(|| text(Name::PrivateKeyHash).map(Self::Hash))
    }
}

/// Whose box a request is for, and what it shows for that.
///
/// # Errors
/// [`Fault::Malformed`] without a token or a secret, [`Fault::NotFound`] for what cannot be a token.
pub(super) fn shown(parameters: &Parameters) -> Result<(BoxToken, Secret), Fault> {
    refuse_public_key(parameters)?;
    let token = parameters.token()?;
    let secret = Secret::of(parameters);
    let missing = || Fault::malformed("passphrase is required, or privatekeyhash in its place");
    Ok((token, secret.ok_or_else(missing)?))
}

/// Refuses whoever shows a public key in place of a secret, whatever else is missing. The
/// documentation offers that in an aside; it is known to every sender.
///
/// # Errors
/// [`Fault::Malformed`].
pub(super) fn refuse_public_key(parameters: &Parameters) -> Result<(), Fault> {
    if parameters.text(Name::PublicKey).is_none() || Secret::of(parameters).is_some() {
        return Ok(());
    }
    Err(Fault::malformed("a publickey proves nothing; passphrase or privatekeyhash is required"))
}

/// The box with this token for whoever shows its secret.
///
/// # Errors
/// As [`Depot::owned`](crate::domain::dropbox::Depot::owned); [`Fault::Unavailable`] when a passphrase
/// cannot be tried now.
pub(super) async fn owner(call: &Call, token: &BoxToken, secret: Secret) -> Result<Owner, Fault> {
    let depot = &call.state.depot;
    let from = call.asked.address;
    let (owned, proof) = match secret {
        Secret::Passphrase(passphrase) => {
            depot.may_try(Lock::Box(*token), from)?;
            let found = match depot.drop_box(token).await {
                Ok(found) => Some(found),
                Err(Fault::NotFound { .. }) => None,
                Err(fault) => return Err(fault),
            };
            let (number, one) = (found.as_ref().map(|found| found.number), call.one.clone());
            let open = move || opened(found.as_ref(), &passphrase, &one.0.no_private_key);
            let proof = call.compute(open).await?;
            // Here it is counted, and only now anybody is told what came of it.
            let is_same = |found: Option<&DropBox>| found.map(|found| found.number) == number;
            depot.owned(token, from, |found| proof.filter(|_| is_same(found))).await?
        }
        Secret::Hash(hash) => depot.owned(token, from, |found| same(found, &hash)).await?,
    };
    Ok(Owner { owned, proof })
}

/// Whether a passphrase opens a box's private key; it takes as long for a box that there is not.
fn opened(found: Option<&DropBox>, passphrase: &str, stand_in: &str) -> Option<Proof> {
    let key = PassKey::derive(passphrase);
    let content = found.map(|found| &found.content);
    let kept = content.and_then(|content| content.private_key.as_deref());
    let kept = kept.and_then(|kept| str::from_utf8(kept).ok());
    let unlocked = unlock(kept.unwrap_or(stand_in), &key).ok()?;
    let content = content.filter(|_| kept.is_some())?;
    let hash = unlocked.private_key_hash;
    if content.secret.is_some_and(|secret| secret.proves(hash.as_bytes())) {
        return Some(Proof::Key(Box::new(unlocked.key), Some(hash)));
    }
    let public = PublicKey::parse(str::from_utf8(&content.public_key).ok()?).ok()?;
    let belongs = unlocked.key.belongs_to(&public);
    belongs.then(|| Proof::Key(Box::new(unlocked.key), None))
}

fn same(found: Option<&DropBox>, hash: &str) -> Option<Proof> {
    let kept = found.and_then(|found| found.content.secret);
    // Nothing is the digest of this.
    let none = SecretDigest::from_bytes([0; 32]);
    let proves = kept.unwrap_or(none).proves(hash.trim().as_bytes());
    proves.then(|| Proof::Hash(Zeroizing::new(hash.trim().to_owned())))
}

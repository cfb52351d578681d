//! `POST /Service` and `POST /Service/Create`: a new key, made here from a passphrase, or uploaded.
//!
//! The original read `privatekeyhash` and `releasedate` in `/Service/Create` alone, and what is to
//! happen after reading, `lockdate` and `email` in its web form alone. Here both paths read all of
//! them; by default a key locks after the policy's time, as the original promised and forgot.

use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::Response;
use zeroize::Zeroizing;

use super::answer::{Format, document};
use super::crypto::{FillRng, KeyError, PublicKey, new_locked_key};
use super::intake::{self, Takes};
use super::names::Name;
use super::parameters::Parameters;
use super::views::KeyView;
use super::{Call, dates, json, xml};
use crate::domain::clock::Timestamp;
use crate::domain::dropbox::{
    AfterReading, BoxToken, CreatedBox, DropBox, EmailAddress, NewDropBox, SecretDigest,
};
use crate::domain::error::Fault;

/// Tokens that are tried. There are 2^64 of them.
const TRIES: usize = 3;

/// A key pair as far as it is kept.
struct Keys {
    public: String,
    private: Option<Zeroizing<String>>,
    hash: Option<Zeroizing<String>>,
}

/// What belongs to a box beside its keys.
struct Wishes {
    release_at: Option<Timestamp>,
    lock_at: Option<Timestamp>,
    after_reading: AfterReading,
    notify: Option<EmailAddress>,
}

/// Makes a key.
///
/// # Errors
/// [`Fault::Malformed`] and [`Fault::Invalid`] for what cannot be used, [`Fault::RateLimited`] for
/// too many keys; when the store cannot do it.
pub(super) async fn create(call: &Call, request: Request) -> Result<Response, Fault> {
    let sent = intake::read(call, request, &Takes::Parameters).await?;
    let wishes = Wishes::of(&sent.parameters)?;
    if wishes.notify.is_some() && !call.state.depot.notices().are_sent() {
        return Err(Fault::invalid(
            Name::Email.text(),
            "cannot be told anything: no mail is sent here",
        ));
    }
    call.state.depot.times(wishes.release_at, wishes.lock_at)?;
    let keys = uploaded(&sent.parameters)?;
    call.state.depot.may_make(call.asked.address)?;
    let keys = match keys {
        Some(keys) => keys,
        None => made(call, &sent.parameters).await?,
    };
    let created = keep(call, &keys, &wishes).await?;
    Ok(shown(call, &created, keys.hash.as_ref().map(|hash| hash.as_str())))
}

/// The keys of a request that has no passphrase.
fn uploaded(parameters: &Parameters) -> Result<Option<Keys>, Fault> {
    // The original looks at a passphrase first, whatever stands beside it.
    if parameters.text(Name::Passphrase).is_some() {
        return Ok(None);
    }
    let Some(public) = parameters.text(Name::PublicKey) else {
        return Err(Fault::malformed("Either a passphrase or a publickey is required"));
    };
    let public = PublicKey::parse(public).map_err(|error| bad_key(&error))?;
    let owned = |name| parameters.text(name).map(|text| Zeroizing::new(text.trim().to_owned()));
    let (private, hash) = (owned(Name::PrivateKey), owned(Name::PrivateKeyHash));
    Ok(Some(Keys { public: public.to_xml(), private, hash }))
}

/// The keys that follow from a passphrase.
async fn made(call: &Call, parameters: &Parameters) -> Result<Keys, Fault> {
    let passphrase = Zeroizing::new(parameters.required(Name::Passphrase)?.to_owned());
    let entropy = call.state.depot.gateway().entropy.clone();
    let make = move || {
        let fill = |bytes: &mut [u8]| entropy.fill(bytes);
        new_locked_key(&passphrase, &mut FillRng::new(&fill))
    };
    let locked = call.one.compute(make).await?;
    let locked = locked.map_err(|error| Fault::internal("making a key", error))?;
    Ok(Keys {
        public: locked.public_key,
        private: Some(Zeroizing::new(locked.private_key)),
        hash: Some(locked.private_key_hash),
    })
}

fn bad_key(error: &KeyError) -> Fault {
    Fault::invalid("publickey", error.to_string())
}

impl Wishes {
    fn of(parameters: &Parameters) -> Result<Self, Fault> {
        let email = parameters.text(Name::Email).map(|text| {
            EmailAddress::parse(text.trim())
                .ok_or_else(|| Fault::invalid(Name::Email.text(), "is not an e-mail address"))
        });
        Ok(Self {
            release_at: dates::time(parameters, Name::ReleaseDate)?,
            lock_at: dates::time(parameters, Name::LockDate)?,
            after_reading: AfterReading {
                messages_go: parameters.truth(Name::DeleteMessagesAfterReading)?,
                box_goes: parameters.truth(Name::DeleteKeyAfterReading)?,
            },
            notify: email.transpose()?,
        })
    }
}

async fn keep(call: &Call, keys: &Keys, wishes: &Wishes) -> Result<DropBox, Fault> {
    let depot = &call.state.depot;
    let times = depot.times(wishes.release_at, wishes.lock_at)?;
    for _ in 0..TRIES {
        let mut token = [0; 8];
        depot.gateway().entropy.fill(&mut token);
        let new = NewDropBox {
            token: BoxToken::one(token),
            public_key: keys.public.clone().into_bytes(),
            private_key: keys.private.as_ref().map(|key| key.as_bytes().to_vec()),
            kdf: None,
            secret: keys.hash.as_ref().map(|hash| SecretDigest::of(hash.as_bytes())),
            created_at: depot.now(),
            release_at: times.release_at,
            lock_at: times.lock_at,
            ends_at: times.ends_at,
            after_reading: wishes.after_reading,
            notify: wishes.notify.clone(),
        };
        if let CreatedBox::New(created) = depot.create(new).await? {
            return Ok(created);
        }
    }
    Err(Fault::internal("making a key", "every token was taken"))
}

/// A key for whoever owns it.
pub(super) fn shown(call: &Call, owned: &DropBox, hash: Option<&str>) -> Response {
    written(call, &KeyView::own(owned, call.state.depot.now(), hash))
}

/// A key, as far as it is shown.
pub(super) fn written(call: &Call, view: &KeyView<'_>) -> Response {
    let written = match call.format {
        Format::Json => json::key(view),
        Format::Xml => xml::key(view),
    };
    document(StatusCode::OK, written, call.format)
}

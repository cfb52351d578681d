//! `POST /Service`: a new box, of which all follows from what its owner made.

use axum::body::Body;
use axum::http::StatusCode;
use axum::response::Response;
use subtle::ConstantTimeEq;

use super::answers::Made;
use super::parameters::Parameters;
use super::refusal::Refusal;
use super::{Call, json, key};
use crate::domain::clock::Timestamp;
use crate::domain::dropbox::depot::Depot;
use crate::domain::dropbox::{
    AfterReading, CreatedBox, DropBox, EmailAddress, NewDropBox, SecretDigest,
};
use crate::domain::error::Fault;
use crate::http::course::Course;

/// Bytes of a sealed private key: nonce, PKCS#8 and tag.
const PRIVATE_KEY: usize = 12 + 48 + 16;

/// Makes a box; the same request again finds it as it was made.
pub(super) async fn create(call: &Call, body: Body) -> Result<Response, Refusal> {
    let said = call.said(body).await?;
    let depot = &call.state.depot;
    let lock_at = said.time("lockdate")?;
    let new = new_box(depot, &said, lock_at)?;
    depot.may_make(call.asked.address)?;
    Course::begin_work_of(&call.parts.extensions);
    match depot.create(new.clone()).await? {
        CreatedBox::New(made) => Ok(json(StatusCode::CREATED, &Made::of(&made))),
        CreatedBox::Taken(made) if is_same(&made, &new, lock_at) && made.is_live(depot.now()) => {
            Ok(json(StatusCode::OK, &Made::of(&made)))
        }
        CreatedBox::Taken(_) => {
            let reason = "another drop box was made of this public key and kdf";
            Err(Fault::conflict("publickey", reason).into())
        }
    }
}

fn new_box(
    depot: &Depot,
    said: &Parameters,
    lock_at: Option<Timestamp>,
) -> Result<NewDropBox, Fault> {
    let public_key = said.exactly("publickey")?;
    key::require_public_key(&public_key)?;
    let kdf = said.needed_text("kdf")?;
    key::require_kdf(kdf)?;
    let private_key = said.exactly::<PRIVATE_KEY>("privatekey")?;
    let secret = SecretDigest::from_bytes(said.exactly("authdigest")?);
    let after_reading = AfterReading {
        messages_go: said.flag("deletemessagesafterreading")?,
        box_goes: said.flag("deletekeyafterreading")?,
    };
    let notify = notified(depot, said)?;
    let times = depot.times(said.time("releasedate")?, lock_at)?;
    Ok(NewDropBox {
        token: key::token(&public_key, kdf),
        public_key: public_key.to_vec(),
        private_key: Some(private_key.to_vec()),
        kdf: Some(kdf.to_owned()),
        secret: Some(secret),
        created_at: depot.now(),
        release_at: times.release_at,
        lock_at: times.lock_at,
        ends_at: times.ends_at,
        after_reading,
        notify,
    })
}

fn notified(depot: &Depot, said: &Parameters) -> Result<Option<EmailAddress>, Fault> {
    let Some(text) = said.text("email")? else { return Ok(None) };
    let address = EmailAddress::parse(text)
        .ok_or_else(|| Fault::invalid("email", "must be one address, such as anna@example.org"))?;
    if !depot.notices().are_sent() {
        return Err(Fault::invalid("email", "cannot be used: this gateway sends no mail"));
    }
    Ok(Some(address))
}

/// Whether a box is what this request would have made. Dates that it left open were counted from
/// when it came first.
fn is_same(made: &DropBox, new: &NewDropBox, lock_at: Option<Timestamp>) -> bool {
    let (made, digest) = (&made.content, |of: &NewDropBox| of.secret.map(|it| *it.as_bytes()));
    let is_secret = match (digest(made), digest(new)) {
        (Some(made), Some(new)) => made.ct_eq(&new).into(),
        _ => false,
    };
    is_secret
        && made.private_key == new.private_key
        && made.release_at == new.release_at
        && lock_at.is_none_or(|lock_at| made.lock_at == lock_at)
        && made.after_reading == new.after_reading
        && made.notify == new.notify
}

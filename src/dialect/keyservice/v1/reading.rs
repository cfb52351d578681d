//! `GET /Service` and `/Service/GetMessages`: what is in a box, decrypted for a passphrase and as
//! it is kept for a hash.
//!
//! Of a box whose messages go once they were read, they are gone with the answer, also for a reader
//! whose connection breaks before all of it has come; so nothing of ours may fail behind that.
//!
//! An answer is cut when it becomes large. Then it says `X-More-Messages: true`, and the rest comes
//! for `after={the last MessageId}`.

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::answer::{Format, document};
use super::intake::{self, Takes};
use super::listing::Listing;
use super::names::Name;
use super::secret::{self, Owner};
use super::{Call, page, xml};
use crate::domain::dropbox::AfterReading;
use crate::domain::dropbox::depot::Stretch;
use crate::domain::error::Fault;

/// Messages in one answer. Decrypting one takes some milliseconds.
const MESSAGES: u32 = 200;

/// Whether there is more behind the last message.
const MORE: &str = "x-more-messages";

/// Reads a box.
///
/// # Errors
/// [`Fault::Malformed`] without a token or a secret; [`Fault::NotFound`], which is the same for an
/// unknown token, for a wrong secret and for a box that may not be read yet; [`Fault::Unavailable`]
/// when too much is on its way. None of them once messages were taken.
pub(super) async fn read(call: &Call, request: Request) -> Result<Response, Fault> {
    let head = request.headers().clone();
    let sent = intake::read(call, request, &Takes::Parameters).await?;
    let parameters = &sent.parameters;
    secret::refuse_public_key(parameters)?;
    if parameters.text(Name::Token).is_none() && page::is_wanted(&head) {
        return Ok(page::answer());
    }
    let (token, secret) = secret::shown(parameters)?;
    let after = parameters.number(Name::After)?.unwrap_or_default();
    let Owner { owned, proof } = secret::owner(call, &token, secret).await?;
    let AfterReading { messages_go, box_goes } = owned.content.after_reading;
    let listing = Listing::of(call, proof)?;
    let taking = (messages_go || box_goes).then(|| listing.for_taken(call)).transpose()?;
    let bytes = call.state.settings.answer_bytes;
    let read = call.state.depot.read(&owned, Stretch { after, limit: MESSAGES, bytes }).await;
    let found = read.map_err(|fault| match fault {
        Fault::Forbidden { .. } => Fault::NotFound { what: "drop box" },
        fault => fault,
    })?;
    if found.messages.is_empty() {
        return Ok(nothing(call.format, &head));
    }
    let (mut response, is_cut) = match taking {
        Some(place) => (listing.stream(call, found.messages, place), false),
        None => listing.answer(call, sent, found.messages).await?,
    };
    if found.more || is_cut {
        response.headers_mut().insert(MORE, HeaderValue::from_static("true"));
    }
    Ok(response)
}

/// The answer for an empty box: 304 as documented, or an empty list for whoever says what to
/// prefer.
fn nothing(format: Format, head: &HeaderMap) -> Response {
    if !head.contains_key("prefer") {
        let no_store = (header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        return (StatusCode::NOT_MODIFIED, [no_store]).into_response();
    }
    let written = match format {
        Format::Json => "[]".to_owned(),
        Format::Xml => xml::empty_list(),
    };
    document(StatusCode::OK, written, format)
}

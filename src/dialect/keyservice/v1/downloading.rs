//! `/Home/GetFile` and `/SelfDestruct/GetAttachment`: a file in the clear, for whoever has its
//! ticket.
//!
//! The original calls it `application/zip`, which it is not, since it was unpacked. Here it is
//! `application/octet-stream`, to be saved: what a stranger sent must not run as a page of ours.

use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;

use super::crypto::PassKey;
use super::files::Opening;
use super::intake::{self, Takes};
use super::names::Name;
use super::tickets::Ticket;
use super::{Call, disposition, outflow};
use crate::domain::error::Fault;

/// Hands a file out.
///
/// # Errors
/// [`Fault::Malformed`] without a ticket; [`Fault::NotFound`] for one that is over or not ours, and
/// for a file that is gone.
pub(super) async fn download(call: &Call, request: Request) -> Result<Response, Fault> {
    let sent = intake::read(call, request, &Takes::Parameters).await?;
    let depot = &call.state.depot;
    let ticket = sent.parameters.required(Name::FileId)?;
    let Some(ticket) = call.one.0.tickets.open(ticket, depot.now()) else {
        // Nobody guesses one; who has an old one is no burglar.
        return Err(Fault::NotFound { what: "ticket" });
    };
    let transfers = &call.state.transfers;
    let (place, turns) = (transfers.download_place(call.asked.address)?, call.turns()?);
    let Ticket { file, pass } = ticket;
    let key = call.compute(move || PassKey::derive(&pass)).await?;
    // Its name comes with its first bytes, and what is broken from the beginning is no file.
    let (first, opening) = Opening::of(&turns, depot, file, &key).await?.next().await?;
    let disposition = disposition::attachment(opening.name());
    let body = outflow::body(transfers.stall(), file.length, |sink| async move {
        let _place = place;
        let (mut next, mut opening) = (first, opening);
        while let Some(piece) = next {
            sink.send(Bytes::from_owner(piece)).await?;
            (next, opening) = opening.next().await?;
        }
        Ok(sink)
    });
    Ok(harmless(&disposition, body))
}

/// A file of which a browser makes nothing.
fn harmless(disposition: &str, body: Body) -> Response {
    // It is ASCII without control characters.
    let disposition = HeaderValue::try_from(disposition)
        .unwrap_or_else(|_| HeaderValue::from_static("attachment"));
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream")),
        (header::CONTENT_DISPOSITION, disposition),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'; sandbox")),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    ];
    (headers, body).into_response()
}

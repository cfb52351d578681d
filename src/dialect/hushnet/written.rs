//! Answers that hold messages: whether one was written to its end decides what becomes of what it
//! held.
//!
//! The HTTP library takes the next piece of a body when it has room for it. So an answer is given
//! out in pieces, without saying how long it is: the end is asked for only after the last piece,
//! once the library has tried to send that. An answer whose connection ends before, or which is
//! thrown away for any other reason, was not written, and what it held comes again at once. What was
//! written may still be on its way, so whether its reader has it is decided by what it does next
//! ([`HandedOut`](crate::domain::messenger::handed_out::HandedOut)).

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::Body;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::{FutureExt, Stream};

use super::HushNetState;
use crate::domain::inbox::Returned;
use crate::domain::messenger::Actor;
use crate::domain::messenger::handed_out::Ticket;
use crate::http::leftovers::{Whose, log_late};

/// The bytes of a piece, the first one apart: as many as the library keeps before it sends, so that
/// it has to send some of the last one before it asks for the end.
const PIECE: usize = 64 * 1024;

/// What an answer holds.
pub(super) struct Answered {
    pub(super) state: Arc<HushNetState>,
    /// Who gets it.
    pub(super) reader: Actor,
    /// Names it.
    pub(super) ticket: Ticket,
    /// How to let go of what it holds.
    pub(super) leases: Vec<Returned>,
}

/// An answer of JSON; when it holds messages, they depend on its being written.
pub(super) fn response(bytes: Vec<u8>, answered: Option<Answered>) -> Response {
    let body = match answered {
        None => Body::from(bytes),
        Some(answered) => Body::from_stream(Writing {
            rest: bytes.into(),
            is_over: false,
            answered: Some(answered),
        }),
    };
    let json = HeaderValue::from_static("application/json");
    ([(header::CONTENT_TYPE, json)], body).into_response()
}

struct Writing {
    rest: Bytes,
    /// Whether the last piece was given out, and there was a chance to send it since.
    is_over: bool,
    /// Gone once it was written.
    answered: Option<Answered>,
}

impl Stream for Writing {
    type Item = Result<Bytes, Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if !self.rest.is_empty() {
            let odd = self.rest.len() % PIECE;
            let size = if odd > 0 { odd } else { PIECE };
            return Poll::Ready(Some(Ok(self.rest.split_to(size))));
        }
        if !self.is_over {
            self.is_over = true;
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        if let Some(Answered { state, ticket, .. }) = self.answered.take() {
            let now = state.messenger.gateway.clock.now();
            state.messenger.handed_out.written(ticket, now);
        }
        Poll::Ready(None)
    }
}

impl Drop for Writing {
    fn drop(&mut self) {
        let Some(answered) = self.answered.take() else { return };
        let Answered { state, reader, ticket, leases } = answered;
        let messenger = state.messenger.clone();
        let give_back = async move {
            if let Err(fault) = messenger.give_back(reader, ticket, leases).await {
                log_late(&fault);
            }
        };
        let whose = Whose::Account(Some(reader.account));
        // Nobody waits for it.
        drop(state.leftovers.finishing(whose, give_back.boxed(), drop));
    }
}

//! What surrounds this dialect's handlers, in one layer: repeated requests, the bounds of a request,
//! the shape of what went wrong, and what the account is told of its limits.

use std::sync::Arc;

use axum::Router;
use axum::extract::{MatchedPath, Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;

use super::MixinState;
use super::error::Shape;
use super::repeat;
use crate::http::course::Course;
use crate::http::layers::{Asks, Guard, is_poll};
use crate::http::ratelimit::Tidings;
use crate::http::switch::Effect;

struct Around {
    state: Arc<MixinState>,
    guard: Guard,
    tidings: Tidings,
}

/// Whatever goes wrong in the router has this dialect's shape, unknown paths and time-outs included.
pub(super) fn surround(router: Router, state: Arc<MixinState>, guard: Guard) -> Router {
    let tidings = Tidings::new(state.gate.limiter().clone());
    let around = Arc::new(Around { state, guard, tidings });
    router.layer(from_fn_with_state(around, pass))
}

async fn pass(State(around): State<Arc<Around>>, mut request: Request, next: Next) -> Response {
    let course = Course::of(request.extensions_mut());
    let shape = Shape::of(&around.state, &request);
    let asks = Asks { effect: effect(&request), is_poll: is_poll(&request) };
    let work = repeat::answer(around.state.clone(), request, next);
    let response = around.guard.answer(course.clone(), asks, work).await;
    let mut response = shape.give(response);
    around.tidings.tell(course.account(), &mut response);
    response
}

/// What is asked by `POST` or `DELETE` and changes nothing for others: looking things up, and taking
/// care of one's own inbox.
const READING: [&str; 6] = [
    "/sessions/fetch",
    "/sessions/check",
    "/users/fetch",
    "/acknowledgements",
    "/inbox/set_aside/{message_id}",
    "/inbox/set_aside/{message_id}/retry",
];

fn effect(request: &Request) -> Effect {
    let path = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str);
    // A prefix stands before it.
    let reads = path.is_some_and(|path| READING.iter().any(|end| path.ends_with(end)));
    Effect::changing(!request.method().is_safe() && !reads)
}

//! What surrounds this dialect's handlers, in one layer: repeated requests, the bounds of a request,
//! the shape of what went wrong, and what the account is told of its limits.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;

use super::MixinState;
use super::error::Shape;
use super::repeat;
use crate::http::course::Course;
use crate::http::layers::{Guard, is_poll};
use crate::http::ratelimit::Tidings;

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
    let (shape, is_poll) = (Shape::of(&around.state, &request), is_poll(&request));
    let work = repeat::answer(around.state.clone(), request, next);
    let response = around.guard.answer(course.clone(), is_poll, work).await;
    let mut response = shape.give(response);
    around.tidings.tell(course.account(), &mut response);
    response
}

//! What surrounds every request: its id, a line in the log, a time limit, a net for panics, and
//! somebody who finishes it when its client has gone.
//!
//! One layer of a router costs several allocations and a copy of all that is further inside, for
//! each request. So there are two of them around every handler and no more: an outer one that all
//! protocols share ([`apply`]), and one inside it ([`guard`], or a protocol's own, which is built
//! around [`Guard::answer`]).

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use axum::Router;
use axum::extract::{MatchedPath, Request, State};
use axum::http::header::CONNECTION;
use axum::http::{HeaderValue, Method, Version};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt;
use tokio::time::{Instant, timeout};
use tower::ServiceExt;
use tracing::Instrument;

use super::course::Course;
use super::leftovers::{Leftovers, Whose, log_late};
use super::problem::{self, Problem};
use super::request_id::{self, RequestId};
use super::switch::{Effect, Switch};
use super::traffic::Traffic;
use super::upgrade;
use crate::domain::Fault;
use crate::domain::ports::Entropy;
use crate::domain::trace::TraceParent;

/// How long requests may take.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// A request.
    pub request: Duration,
    /// A request that waits for messages, a read of an inbox.
    pub poll: Duration,
}

/// What a request asks for, as far as its bounds depend on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asks {
    /// Whether it changes something.
    pub effect: Effect,
    /// Whether it may take as long as a poll.
    pub is_poll: bool,
}

impl Asks {
    /// A request with this effect that takes no longer than others.
    #[must_use]
    pub fn briefly(effect: Effect) -> Self {
        Self { effect, is_poll: false }
    }
}

/// What bounds requests: in time, in what a panic or a client that goes away can do, and in what the
/// operator lets them.
#[derive(Clone, Debug)]
pub struct Guard {
    /// How long they may take.
    pub patience: Patience,
    /// Who finishes what was begun.
    pub leftovers: Arc<Leftovers>,
    /// Whether what may change something is finished from its beginning on, and not once all of it
    /// has come: operators do not send slowly on purpose.
    pub is_trusting: bool,
    /// The operator's switch. What is always served has one that nobody turns.
    pub switch: Arc<Switch>,
}

impl Guard {
    /// The answer that `work` gives to a request of this course. What comes of a panic, of too long a
    /// wait, or of the operator's switch, is a [`Problem`], which the layer around this may shape.
    pub async fn answer(
        &self,
        course: Arc<Course>,
        asks: Asks,
        work: impl Future<Output = Response> + Send + 'static,
    ) -> Response {
        if let Err(fault) = self.switch.admit(asks.effect) {
            if self.switch.is_draining() {
                course.send_away();
            }
            return Problem::from(fault).into_response();
        }
        // Nothing that a panic may have left half done outlives the request: what requests share is
        // behind locks and channels that notice.
        let work = AssertUnwindSafe(work).catch_unwind();
        let work = self.leftovers.finishing(Whose::Request(course), Box::pin(work), look_at_late);
        let limit = if asks.is_poll { self.patience.poll } else { self.patience.request };
        let fault = match timeout(limit, work).await {
            Ok(Ok(answer)) => return answer,
            Ok(Err(panic)) => Fault::internal("handling a request", panic_text(&*panic)),
            Err(_) => Fault::unavailable("the request took too long", None),
        };
        Problem::from(fault).into_response()
    }
}

/// What is logged of an answer that nobody waits for any more.
fn look_at_late(outcome: thread::Result<Response>) {
    match outcome {
        Ok(mut answer) => {
            if let Some(fault) = problem::take(&mut answer) {
                log_late(&fault);
            }
        }
        Err(panic) => log_late(&Fault::internal("handling a request", panic_text(&*panic))),
    }
}

/// Bounds the requests of a router, its fallback included.
pub fn guard(router: Router, guard: Guard) -> Router {
    router.layer(from_fn_with_state(guard, bound))
}

async fn bound(State(guard): State<Guard>, mut request: Request, next: Next) -> Response {
    let course = Course::of(request.extensions_mut());
    let effect = Effect::changing(!request.method().is_safe());
    let asks = Asks { effect, is_poll: is_poll(&request) };
    if guard.is_trusting && effect == Effect::Changes {
        course.begin_work();
    }
    guard.answer(course, asks, next.run(request)).await
}

/// A path that has a router to itself, with all that lies below it and sockets there.
#[derive(Clone, Debug)]
pub struct Place {
    path: String,
    in_any_case: bool,
    router: Router,
}

impl Place {
    /// The router at and below this path, such as `/v1`.
    #[must_use]
    pub fn below(path: impl Into<String>, router: Router) -> Self {
        Self { path: path.into(), in_any_case: false, router }
    }

    /// The same for a path whose ASCII letters may be of either case.
    #[must_use]
    pub fn below_in_any_case(path: impl Into<String>, router: Router) -> Self {
        Self { in_any_case: true, ..Self::below(path, router) }
    }

    fn has(&self, path: &str) -> bool {
        let Some((start, rest)) = path.split_at_checked(self.path.len()) else { return false };
        let is_here = match self.in_any_case {
            true => start.eq_ignore_ascii_case(&self.path),
            false => start == self.path,
        };
        is_here && (rest.is_empty() || rest.starts_with('/'))
    }
}

/// Routers beside the one that most requests go to.
#[derive(Clone, Debug, Default)]
pub struct Others {
    /// Those that have paths to themselves; the first one that fits.
    pub below: Vec<Place>,
    /// Where all other requests go that ask for a socket.
    pub sockets: Option<Router>,
}

impl Others {
    /// Where a request goes, unless that is where most go.
    fn of(&self, request: &Request) -> Option<&Router> {
        let path = request.uri().path();
        if let Some(place) = self.below.iter().find(|place| place.has(path)) {
            return Some(&place.router);
        }
        self.sockets.as_ref().filter(|_| upgrade::is_for_socket(request))
    }
}

/// What all requests go through.
struct Entrance {
    entropy: Arc<dyn Entropy>,
    others: Others,
    traffic: Arc<Traffic>,
}

/// Puts around everything what all share: the request's id, the log, problem documents for what no
/// protocol has shaped, the count of answers. What is for one of the others goes to it.
pub fn apply(
    router: Router,
    others: Others,
    entropy: Arc<dyn Entropy>,
    traffic: Arc<Traffic>,
) -> Router {
    let entrance = Arc::new(Entrance { entropy, others, traffic });
    router.layer(from_fn_with_state(entrance, enter))
}

/// Each line that is logged while a request is worked on has its id, and that of its trace, from the
/// span around it.
async fn enter(
    State(entrance): State<Arc<Entrance>>,
    mut request: Request,
    next: Next,
) -> Response {
    let id = request_id::give(&mut request, &*entrance.entropy);
    let trace = request_id::trace(request.headers());
    let trace_id = trace.as_ref().map(TraceParent::trace_id);
    let span = tracing::error_span!("request", request_id = %id, trace_id);
    let work = pass(entrance, request, next, id);
    match trace {
        None => work.instrument(span).await,
        Some(trace) => trace.during(work).instrument(span).await,
    }
}

async fn pass(
    entrance: Arc<Entrance>,
    mut request: Request,
    next: Next,
    id: RequestId,
) -> Response {
    let (course, version) = (Course::of(request.extensions_mut()), request.version());
    let path = request.extensions().get::<MatchedPath>().cloned();
    let line = tracing::enabled!(tracing::Level::DEBUG).then(|| AccessLine::begin(&request));
    let response = match entrance.others.of(&request) {
        Some(other) => {
            let answer = other.clone().oneshot(request).await;
            answer.unwrap_or_else(|never| match never {})
        }
        None => next.run(request).await,
    };
    let mut response = problem::shape(response, &id);
    let template = template(path.as_ref(), &response);
    entrance.traffic.answered(template, problem::true_status(&response));
    if let Some(line) = line {
        line.write(template, &response);
    }
    request_id::echo(&mut response, &id);
    // HTTP/2 has no such header.
    if course.is_sent_away() && version <= Version::HTTP_11 {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// Whether the request is a long poll: a read of somebody's `/inbox`, or of what has changed.
#[must_use]
pub fn is_poll(request: &Request) -> bool {
    let path = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str);
    request.method() == Method::GET
        && path.is_some_and(|path| ["/inbox", "/changes"].iter().any(|end| path.ends_with(end)))
}

/// The text of a panic. Panics of ours hold no secrets: they are `expect`s with constant texts.
fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    format!("panic: {}", text.unwrap_or("no text"))
}

/// The path of a request as the log has it, among the extensions of an answer whose router knows its
/// paths by itself.
#[derive(Clone, Copy, Debug)]
pub struct LoggedPath(pub &'static str);

/// The template of the route that an answer comes from: of the request's path, or as a router that is
/// one of the others notes it with the answer.
fn template<'a>(path: Option<&'a MatchedPath>, response: &'a Response) -> Option<&'a str> {
    let matched = path.or_else(|| response.extensions().get()).map(MatchedPath::as_str);
    matched.or_else(|| response.extensions().get::<LoggedPath>().map(|path| path.0))
}

/// One line for a request, without its query: that may hold what is nobody else's business.
struct AccessLine {
    method: Method,
    start: Instant,
}

impl AccessLine {
    fn begin(request: &Request) -> Self {
        Self { method: request.method().clone(), start: Instant::now() }
    }

    fn write(&self, path: Option<&str>, response: &Response) {
        let (Self { method, start }, path) = (self, path.unwrap_or("-"));
        let micros = u64::try_from(start.elapsed().as_micros()).unwrap_or(u64::MAX);
        let status = response.status().as_u16();
        tracing::debug!(%method, path, status, micros, "request");
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use axum::body::Body;
    use axum::http::StatusCode;
    use axum::routing::get;
    use tower::ServiceExt;

    use super::*;
    use crate::http::request_id::X_REQUEST_ID;

    struct Zeros;
    impl Entropy for Zeros {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(0);
        }
    }

    fn layered(router: Router) -> Router {
        let seconds = Duration::from_secs;
        let patience = Patience { request: seconds(30), poll: seconds(90) };
        let leftovers = Arc::new(Leftovers::new(1, seconds(30)));
        let switch = Arc::default();
        let bounds = Guard { patience, leftovers, is_trusting: false, switch };
        apply(guard(router, bounds), Others::default(), Arc::new(Zeros), Arc::default())
    }

    async fn answer(router: Router, path: &str, id: Option<&str>) -> Response {
        let mut request = Request::get(path);
        if let Some(id) = id {
            request = request.header(X_REQUEST_ID, id);
        }
        let request = request.body(Body::empty()).unwrap_or_default();
        layered(router).oneshot(request).await.unwrap_or_else(|never| match never {})
    }

    #[tokio::test]
    async fn an_answer_echoes_the_callers_id() {
        let router = || Router::new().route("/", get(async || "hello"));
        let given = answer(router(), "/", Some("my-id")).await;
        assert_eq!(given.headers()[X_REQUEST_ID], "my-id");
        let made_up = answer(router(), "/nowhere", None).await;
        assert_eq!(made_up.headers()[X_REQUEST_ID], "00000000-0000-4000-8000-000000000000");
    }

    #[test]
    fn a_place_ends_where_a_part_of_a_path_does() {
        let router = Router::new;
        let (exact, any) =
            (Place::below("/v1", router()), Place::below_in_any_case("/service", router()));
        for path in ["/v1", "/v1/", "/v1/x"] {
            assert!(exact.has(path), "{path}");
        }
        for path in ["/v11", "/V1", "/v", "/", "/\u{e4}1"] {
            assert!(!exact.has(path), "{path}");
        }
        for path in ["/service", "/Service/", "/SERVICE/Create"] {
            assert!(any.has(path), "{path}");
        }
        assert!(!any.has("/services") && !any.has("/\u{17f}ervice"));
    }

    #[tokio::test]
    async fn a_panic_is_an_answer_of_its_own() {
        async fn broken() -> &'static str {
            panic!("a bug")
        }
        let answer = answer(Router::new().route("/", get(broken)), "/", None).await;
        assert_eq!(answer.status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert!(answer.headers().contains_key(X_REQUEST_ID));
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_that_takes_too_long_is_refused_and_a_poll_may_take_longer() {
        let router = || {
            let slow = get(pending::<&'static str>);
            Router::new().route("/slow", slow.clone()).route("/inbox", slow)
        };
        let start = Instant::now();
        let slow = answer(router(), "/slow", None).await;
        assert_eq!(slow.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(start.elapsed().as_secs(), 30);
        let poll = answer(router(), "/inbox?wait=1000", None).await;
        assert_eq!(poll.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(start.elapsed().as_secs(), 30 + 90);
    }
}

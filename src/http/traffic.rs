//! What came in and went out: answers by route and status, bytes of connections.
//!
//! A route is counted under its template, `/users/{id}` and not `/users/7`: templates stand in the
//! code, so there are only so many. Each gets a place in a table when it is first asked for, which it
//! keeps; finding it again takes a hash of its text and no lock.

use std::hash::{DefaultHasher, Hasher};
use std::sync::OnceLock;

use axum::http::StatusCode;

use crate::domain::measures::Counter;

/// Room for several times the routes that there are.
const PLACES: usize = 512;

/// What is counted when a path has no route.
const UNKNOWN: &str = "unknown";

/// The classes of statuses.
const CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];

/// Answers of one route, by the class of their status.
type Answers = [Counter; CLASSES.len()];

/// What is counted of requests and connections.
#[derive(Debug)]
pub struct Traffic {
    routes: Box<[OnceLock<Route>]>,
    unknown: Answers,
    /// Answers with status 429: too much was asked for.
    pub too_many: Counter,
    /// Answers with status 503: the gateway could not do it at that moment.
    pub unavailable: Counter,
    /// Bytes that came in, those of heads and frames included.
    pub received: Counter,
    /// Bytes that went out.
    pub sent: Counter,
}

#[derive(Debug)]
struct Route {
    template: Box<str>,
    answers: Answers,
}

/// How many answers of one class a route has given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteAnswers {
    /// The route's template; `unknown` for all paths that have none.
    pub route: String,
    /// `2xx` and the like.
    pub class: &'static str,
    /// How many.
    pub count: u64,
}

impl Default for Traffic {
    fn default() -> Self {
        Self {
            routes: (0..PLACES).map(|_| OnceLock::new()).collect(),
            unknown: Answers::default(),
            too_many: Counter::default(),
            unavailable: Counter::default(),
            received: Counter::default(),
            sent: Counter::default(),
        }
    }
}

impl Traffic {
    /// Counts an answer. `template` is that of its route; nothing that a client wrote may stand there.
    pub fn answered(&self, template: Option<&str>, status: StatusCode) {
        match status {
            StatusCode::TOO_MANY_REQUESTS => self.too_many.add(1),
            StatusCode::SERVICE_UNAVAILABLE => self.unavailable.add(1),
            _ => {}
        }
        let class = usize::from(status.as_u16() / 100).clamp(1, CLASSES.len()) - 1;
        template.map_or(&self.unknown, |template| self.answers_of(template))[class].add(1);
    }

    /// Every route that was asked for, with each class of answers that it gave.
    #[must_use]
    pub fn answers(&self) -> Vec<RouteAnswers> {
        let routes = self.routes.iter().filter_map(OnceLock::get);
        let routes = routes.map(|route| (&*route.template, &route.answers));
        let mut found = Vec::new();
        for (route, answers) in routes.chain([(UNKNOWN, &self.unknown)]) {
            for (class, count) in CLASSES.iter().zip(answers).map(|(it, of)| (*it, of.value())) {
                // Those without a route are there from the beginning, so that there is something.
                if count > 0 || (route == UNKNOWN && class == "4xx") {
                    found.push(RouteAnswers { route: route.to_owned(), class, count });
                }
            }
        }
        found.sort_by(|one, other| (&one.route, one.class).cmp(&(&other.route, other.class)));
        found
    }

    fn answers_of(&self, template: &str) -> &Answers {
        let mut hasher = DefaultHasher::new();
        hasher.write(template.as_bytes());
        // Only the lower bits matter.
        let first = usize::try_from(hasher.finish() % PLACES as u64).unwrap_or(0);
        let (before, behind) = self.routes.split_at(first);
        for place in behind.iter().chain(before) {
            let route = place.get_or_init(|| Route::new(template));
            if &*route.template == template {
                return &route.answers;
            }
        }
        &self.unknown
    }
}

impl Route {
    fn new(template: &str) -> Self {
        Self { template: template.into(), answers: Answers::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(traffic: &Traffic) -> Vec<(String, &'static str, u64)> {
        let known = traffic.answers().into_iter().filter(|it| it.count > 0);
        known.map(|it| (it.route, it.class, it.count)).collect()
    }

    #[test]
    fn answers_are_counted_by_route_and_class() {
        let traffic = Traffic::default();
        for status in [StatusCode::OK, StatusCode::ACCEPTED, StatusCode::NOT_FOUND] {
            traffic.answered(Some("/users/{id}"), status);
        }
        traffic.answered(Some("/me"), StatusCode::SERVICE_UNAVAILABLE);
        traffic.answered(None, StatusCode::TOO_MANY_REQUESTS);
        let expected = [
            ("/me", "5xx", 1),
            ("/users/{id}", "2xx", 2),
            ("/users/{id}", "4xx", 1),
            ("unknown", "4xx", 1),
        ];
        assert_eq!(shown(&traffic), expected.map(|(route, class, n)| (route.to_owned(), class, n)));
        assert_eq!((traffic.too_many.value(), traffic.unavailable.value()), (1, 1));
    }

    #[test]
    fn routes_for_which_there_is_no_place_are_counted_together() {
        let traffic = Traffic::default();
        for number in 0..PLACES + 3 {
            traffic.answered(Some(&format!("/{number}")), StatusCode::OK);
        }
        let shown = shown(&traffic);
        assert_eq!(shown.len(), PLACES + 1);
        assert!(shown.contains(&("unknown".to_owned(), "2xx", 3)));
    }
}

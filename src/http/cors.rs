//! Pages that may use a protocol (Fetch standard, CORS protocol). Nothing here goes by cookies, so a
//! page gets nothing that it has no credential for.

use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};

/// Whose pages may.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Origins {
    /// Nobody's.
    #[default]
    None,
    /// Everybody's.
    Any,
    /// Those of these origins, as browsers write them: `https://chat.example`.
    Only(Vec<String>),
}

impl Origins {
    /// Whether a page of that origin may.
    #[must_use]
    pub fn have(&self, origin: &HeaderValue) -> bool {
        match self {
            Self::None => false,
            Self::Any => true,
            Self::Only(list) => list.iter().any(|one| one.as_bytes() == origin.as_bytes()),
        }
    }
}

/// What pages may do with a protocol.
#[derive(Clone, Debug)]
pub struct Cors {
    /// Whose.
    pub origins: Origins,
    /// Which methods, with commas between them.
    pub methods: &'static str,
    /// Which headers they may send.
    pub headers: &'static str,
    /// Which headers of answers they may read beside the few that anybody may; empty for none.
    pub exposed: &'static str,
    /// How long a browser need not ask again, in seconds.
    pub max_age: &'static str,
}

impl Cors {
    /// The answer to a browser that asks what its page may do; `None` when nobody asks that, or the
    /// page may do nothing.
    #[must_use]
    pub fn preflight(&self, method: &Method, headers: &HeaderMap) -> Option<Response> {
        let origin = headers.get(header::ORIGIN)?;
        let is_question = *method == Method::OPTIONS
            && headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
        if !is_question || !self.origins.have(origin) {
            return None;
        }
        let allowed: [(HeaderName, HeaderValue); 3] = [
            (header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static(self.methods)),
            (header::ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static(self.headers)),
            (header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static(self.max_age)),
        ];
        let mut response = (StatusCode::OK, allowed).into_response();
        self.allow(Some(origin), &mut response);
        Some(response)
    }

    /// Lets the page that asked read an answer, if it may.
    pub fn allow(&self, origin: Option<&HeaderValue>, response: &mut Response) {
        let headers = response.headers_mut();
        let allowed = match &self.origins {
            Origins::None => return,
            Origins::Any => HeaderValue::from_static("*"),
            Origins::Only(_) => {
                // The answer to one page is none to another one.
                headers.append(header::VARY, HeaderValue::from_static("Origin"));
                match origin.filter(|origin| self.origins.have(origin)) {
                    Some(origin) => origin.clone(),
                    None => return,
                }
            }
        };
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, allowed);
        if !self.exposed.is_empty() {
            let exposed = HeaderValue::from_static(self.exposed);
            headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, exposed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cors(origins: Origins) -> Cors {
        let (methods, headers) = ("GET, POST", "X-Key");
        Cors { origins, methods, headers, exposed: "Retry-After", max_age: "600" }
    }

    fn question(origin: &str) -> HeaderMap {
        let origin = (header::ORIGIN, origin.parse().unwrap());
        let method = (header::ACCESS_CONTROL_REQUEST_METHOD, "POST".parse().unwrap());
        HeaderMap::from_iter([origin, method])
    }

    #[test]
    fn a_page_is_answered_if_it_may_do_anything() {
        let only = Origins::Only(vec!["https://a.example".to_owned()]);
        for (origins, origin, expected) in [
            (Origins::None, "https://a.example", None),
            (Origins::Any, "https://b.example", Some("*")),
            (only.clone(), "https://a.example", Some("https://a.example")),
            (only.clone(), "http://a.example", None),
            (only.clone(), "null", None),
        ] {
            let answer = cors(origins).preflight(&Method::OPTIONS, &question(origin));
            let allowed = answer.map(|it| it.headers()["access-control-allow-origin"].clone());
            assert_eq!(allowed.as_ref().map(|it| it.to_str().unwrap()), expected, "{origin}");
        }
        let asked = question("https://a.example");
        assert!(cors(Origins::Any).preflight(&Method::GET, &asked).is_none());
        assert!(cors(Origins::Any).preflight(&Method::OPTIONS, &HeaderMap::new()).is_none());
    }

    #[test]
    fn an_answer_that_depends_on_the_page_says_so() {
        let only = Origins::Only(vec!["https://a.example".to_owned()]);
        let stranger = HeaderValue::from_static("https://b.example");
        for (origins, varies) in [(Origins::None, false), (Origins::Any, false), (only, true)] {
            let mut response = StatusCode::OK.into_response();
            cors(origins).allow(Some(&stranger), &mut response);
            assert_eq!(response.headers().contains_key(header::VARY), varies);
        }
    }
}

//! Which of the two contracts a request follows: that of HushNet's documentation, or that of its
//! server and its app.
//!
//! Most paths belong to one of them. Where both have a path, the request tells: `GET /users/{id}`
//! by the device's headers, `GET /sessions/pending` by `device_id` and `GET /chats` by `user_id` in
//! the query, three others by what their body names. What neither has is ours, and follows the
//! documentation.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::extract::Request;
use axum::http::uri::PathAndQuery;
use axum::http::{Extensions, Method};
use serde::Deserialize;
use serde::de::IgnoredAny;

/// Which of the two contracts a request follows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Contract {
    /// What the original's server and its app do.
    #[default]
    Server,
    /// What the original's documentation says.
    Document,
}

/// A request as it came: its whole path, and what is known of its contract by now. Among the
/// request's extensions.
#[derive(Debug)]
pub(super) struct Style {
    /// Path and query, the dialect's prefix included.
    pub(super) target: PathAndQuery,
    prefix: Arc<str>,
    is_documented: AtomicBool,
}

impl Style {
    pub(super) fn of(request: &Request, prefix: Arc<str>) -> Self {
        let uri = request.uri();
        let target = uri.path_and_query().cloned();
        let target = target.unwrap_or_else(|| PathAndQuery::from_static("/"));
        let signs = request.headers().contains_key(super::auth::IDENTITY_KEY);
        let parts = parts(target.path(), &prefix);
        let known = by_head(request.method(), &parts, target.query().unwrap_or_default(), signs);
        let is_documented = AtomicBool::new(known == Contract::Document);
        Self { target, prefix, is_documented }
    }

    /// The style of the request with these extensions.
    pub(super) fn among(extensions: &Extensions) -> Option<&Arc<Self>> {
        extensions.get()
    }

    pub(super) fn contract(&self) -> Contract {
        match self.is_documented.load(Ordering::Relaxed) {
            true => Contract::Document,
            false => Contract::Server,
        }
    }

    /// Whether its body tells the contract.
    pub(super) fn is_told_by_body(&self, method: &Method) -> bool {
        let parts = parts(self.target.path(), &self.prefix);
        method == Method::POST
            && matches!(parts[..], ["sessions" | "messages"] | ["sessions", "confirm"])
    }

    /// Notes what a body tells.
    pub(super) fn note_body(&self, method: &Method, body: &[u8]) {
        if !self.is_told_by_body(method) {
            return;
        }
        // What cannot be read follows neither; it is refused as the server would.
        let marks: Marks = serde_json::from_slice(body).unwrap_or_default();
        let parts = parts(self.target.path(), &self.prefix);
        let is_documented = match parts[..] {
            ["sessions"] => marks.sessions_init.is_none() && marks.recipient_device_id.is_some(),
            ["sessions", "confirm"] => marks.chat_id.is_some(),
            _ => marks.payloads.is_none() && marks.to_device_id.is_some(),
        };
        self.is_documented.store(is_documented, Ordering::Relaxed);
    }
}

/// The members by which a body tells its contract.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Marks {
    sessions_init: Option<IgnoredAny>,
    recipient_device_id: Option<IgnoredAny>,
    chat_id: Option<IgnoredAny>,
    payloads: Option<IgnoredAny>,
    to_device_id: Option<IgnoredAny>,
}

/// The parts of a path below the prefix.
fn parts<'path>(path: &'path str, prefix: &str) -> Vec<&'path str> {
    let path = path.strip_prefix(prefix).unwrap_or(path);
    path.trim_start_matches('/').split('/').collect()
}

fn by_head(method: &Method, parts: &[&str], query: &str, signs: bool) -> Contract {
    let names = |name: &str| {
        query.split('&').any(|pair| pair.split('=').next().is_some_and(|found| found == name))
    };
    let is_documented = match (method.as_str(), parts) {
        ("GET" | "HEAD", parts) => match parts {
            ["users", _] => signs,
            ["sessions", "pending"] => names("device_id"),
            ["chats"] => names("user_id"),
            ["devices", _]
            | ["devices", "keys", _]
            | ["users", "federated", _, "keys"]
            | ["chats", _, "devices"]
            | ["messages", "pending", _]
            | ["messages", _, "receipts"]
            | ["ws"] => true,
            _ => false,
        },
        ("POST", parts) => matches!(
            parts,
            ["users" | "login" | "chats" | "devices"]
                | ["devices", _, "prekeys"]
                | ["messages", "ack"]
        ),
        _ => parts.first() != Some(&"s2s"),
    };
    if is_documented { Contract::Document } else { Contract::Server }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn style(method: &str, target: &str, signs: bool) -> Style {
        let mut request = Request::builder().method(method).uri(target);
        if signs {
            request = request.header(super::super::auth::IDENTITY_KEY, "x");
        }
        Style::of(&request.body(axum::body::Body::empty()).unwrap(), "/hushnet".into())
    }

    #[test]
    fn the_head_of_a_request_tells_most() {
        for (method, target, signs, expected) in [
            ("GET", "/hushnet/users/x", false, Contract::Server),
            ("GET", "/hushnet/users/x", true, Contract::Document),
            ("GET", "/hushnet/users/x/keys", true, Contract::Server),
            ("POST", "/hushnet/users", false, Contract::Document),
            ("POST", "/hushnet/users/create", false, Contract::Server),
            ("GET", "/hushnet/chats?user_id=x", true, Contract::Document),
            ("GET", "/hushnet/chats?limit=1", true, Contract::Server),
            ("GET", "/hushnet/chats/x", true, Contract::Server),
            ("GET", "/hushnet/sessions/pending?a=b&device_id=x", true, Contract::Document),
            ("GET", "/hushnet/messages/pending", true, Contract::Server),
            ("GET", "/hushnet/messages/pending/x", true, Contract::Document),
            ("DELETE", "/hushnet/devices/x", true, Contract::Document),
            ("GET", "/hushnet/devices/x/user", false, Contract::Server),
            ("GET", "/hushnet/ws?user_id=x", false, Contract::Document),
            ("GET", "/ws/x", false, Contract::Server),
            ("POST", "/hushnet/s2s/messages", false, Contract::Server),
        ] {
            assert_eq!(style(method, target, signs).contract(), expected, "{method} {target}");
        }
    }

    #[test]
    fn three_bodies_tell_the_rest() {
        for (path, body, expected) in [
            ("sessions", r#"{"sessions_init":[]}"#, Contract::Server),
            ("sessions", r#"{"recipient_device_id":"x"}"#, Contract::Document),
            ("sessions", r#"{"recipient_device_id":1,"sessions_init":[]}"#, Contract::Server),
            ("sessions/confirm", r#"{"chat_id":"x"}"#, Contract::Document),
            ("sessions/confirm", r#"{"sender_device_id":"x"}"#, Contract::Server),
            ("messages", r#"{"payloads":[],"chat_id":"x"}"#, Contract::Server),
            ("messages", r#"{"to_device_id":"x","chat_id":"x"}"#, Contract::Document),
            ("messages", "no JSON", Contract::Server),
        ] {
            let style = style("POST", &format!("/hushnet/{path}"), true);
            style.note_body(&Method::POST, body.as_bytes());
            assert_eq!(style.contract(), expected, "{path} {body}");
        }
        let other = style("POST", "/hushnet/users", false);
        other.note_body(&Method::POST, b"{\"sessions_init\":[]}");
        assert_eq!(other.contract(), Contract::Document);
    }
}

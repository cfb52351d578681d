//! This dialect's part of the OpenAPI document.
//!
//! Requests of both versions come to the same paths, and one handler takes them all. So what is
//! described stands here, by itself: [`bodies`] has what clients send, [`original`] what version 1
//! answers; what version 2 answers is described where it is written.

mod bodies;
mod boxes;
mod letters;
mod messages;
mod original;

use utoipa::ToSchema;
use utoipa::openapi::path::Operation;
use utoipa::openapi::tag::TagBuilder;
use utoipa::openapi::{OpenApi as Document, Ref};

use crate::http::openapi::{describe, describe_failures, describe_retry_after, text};
use crate::http::problem;

const TAG: &str = "The key service: drop boxes and letters. These paths are there where the operator \
    switched the dialect on, at the gateway's own address or at one of the dialect's own; their \
    letters, and those of parameters' names, may be of either case, and a slash at the end is \
    optional. Version 2 is asked for by `v=2` in the query or by the header `v`; without it a request \
    is one of version 1, which is off unless the operator wants it. In version 2 binary members are \
    base64url without padding, times are RFC 3339 in UTC, and errors are problem documents (RFC \
    9457); in version 1 an error is one string, as JSON or, where the header `Accept` is \
    `application/xml`, as XML.";

/// What any request may be answered, unless the operation says more about that status.
const SHARED: [(&str, &str); 6] = [
    ("400", "Something is missing or cannot be used, or the version is switched off"),
    ("404", "There is no such thing, or the secret is wrong: both look alike"),
    (
        "413",
        "The body, a message or a file is too large; the box (`box_full` in version 2) or the gateway (`gateway_full`) is full",
    ),
    ("429", "Too much in too short a time, or wrong too often; nothing was done"),
    ("500", "A mistake of the gateway; its log has more under the request's id"),
    ("503", "Repeat the same request after `Retry-After`"),
];

/// The paths and types of this dialect.
#[must_use]
pub fn openapi() -> Document {
    let mut document = boxes::openapi();
    document.merge(messages::openapi());
    document.merge(letters::openapi());
    let tag = TagBuilder::new().name("keyservice").description(Some(TAG)).build();
    document.tags = Some(vec![tag]);
    for (path, item) in &mut document.paths.paths {
        let operations = [&mut item.get, &mut item.put, &mut item.post, &mut item.delete];
        for operation in operations.into_iter().flatten() {
            add_shared(operation);
            describe_bodies(operation, path);
        }
    }
    document
}

fn add_shared(operation: &mut Operation) {
    for (status, description) in SHARED {
        describe(operation, status, description);
    }
    describe_retry_after(operation, &["429", "503"]);
}

/// Letters are read by people, who get a page when that fails.
fn describe_bodies(operation: &mut Operation, path: &str) {
    let problem = Ref::from_schema_name(problem::Document::name()).into();
    let mut bodies = vec![
        ("application/problem+json", problem),
        ("application/json", text()),
        ("application/xml", text()),
    ];
    if path.starts_with("/SelfDestruct/") {
        bodies.push(("text/html", text()));
    }
    describe_failures(operation, &bodies);
}

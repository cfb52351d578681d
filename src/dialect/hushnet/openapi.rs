//! This dialect's part of the OpenAPI document.
//!
//! A handler lists the answers that are its own; those that every request may get are added here.

mod examples;

use utoipa::ToSchema;
use utoipa::openapi::path::Operation;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, SecurityScheme};
use utoipa::openapi::tag::TagBuilder;
use utoipa::openapi::{Content, OpenApi as Document, Ref, RefOr};

use super::error::ErrorBody;
use super::{
    acknowledging, chats, devices, enrolling, federation, groups, introductions, keys, login,
    messages, pending, root, socket, users,
};
use crate::http::openapi::{describe, describe_failures, describe_retry_after, text};

const TAG: &str = "HushNet's API, as its documentation describes it and as its server and its app \
    use it. These paths are there where the operator switched the dialect on, below \
    `dialects.hushnet.path_prefix`, or at the root of an address of its own. Members that a request \
    does not know are passed over. JSON errors have `error`, `code` and `status`; paths that only the \
    original's server has answer some of them as plain text.";

const DEVICE: &str = "The device's Ed25519 identity key, base64; with `X-Timestamp`, seconds since \
    1970, and `X-Signature`, the key's signature of that header's bytes. With \
    `X-Signature-Version: 2` and `X-Nonce` the signature covers all of the request.";

const NODE: &str = "The Ed25519 signature of another gateway, base64, over method, path with query, \
    `X-Timestamp` (seconds since 1970) and `X-Nonce` (16 random bytes, base64), a line each; with \
    `X-Node-ID`, its name. With `X-Node-Body-Signature` two further lines are signed: the name of the \
    gateway that is asked, and the body's SHA-256 in hexadecimal. Whoever has sent that once always \
    has to.";

/// What any request may be answered, unless the handler says more about that status.
const SHARED: [(&str, &str); 3] = [
    ("429", "Too much in too short a time; nothing was done"),
    ("500", "A mistake of the gateway; its log has more under the request's id"),
    ("503", "Repeat the same request after `Retry-After`"),
];

/// The paths, types and credentials of this dialect.
#[must_use]
pub fn openapi() -> Document {
    let mut document = root::openapi();
    for part in parts() {
        document.merge(part);
    }
    let tag = TagBuilder::new().name("HushNet").description(Some(TAG)).build();
    document.tags = Some(vec![tag]);
    examples::add(&mut document);
    let components = document.components.get_or_insert_default();
    let device = ApiKeyValue::with_description("X-Identity-Key", DEVICE);
    components.add_security_scheme("device", SecurityScheme::ApiKey(ApiKey::Header(device)));
    let node = ApiKeyValue::with_description("X-Node-Signature", NODE);
    components.add_security_scheme("node", SecurityScheme::ApiKey(ApiKey::Header(node)));
    for item in document.paths.paths.values_mut() {
        let changes = [&mut item.put, &mut item.post, &mut item.patch, &mut item.delete];
        let operations = changes.into_iter().chain([&mut item.get]);
        operations.flatten().for_each(add_shared);
    }
    document
}

/// The parts of the files beside this one.
fn parts() -> Vec<Document> {
    vec![
        devices::openapi(),
        enrolling::openapi(),
        keys::openapi(),
        login::openapi(),
        users::openapi(),
        introductions::openapi(),
        chats::openapi(),
        groups::openapi(),
        messages::openapi(),
        pending::openapi(),
        acknowledging::openapi(),
        federation::openapi(),
        socket::openapi(),
    ]
}

fn add_shared(operation: &mut Operation) {
    for (status, description) in SHARED {
        describe(operation, status, description);
    }
    if operation.parameters.iter().flatten().next().is_some() {
        describe(operation, "400", "A part of the path or the query cannot be used");
    }
    if operation.security.is_some() {
        describe(operation, "400", "The key, the signature or the body cannot be read");
        describe(operation, "401", "The credentials are missing or not accepted");
        describe(operation, "413", "The body, or what it lists, is too large");
    }
    if operation.request_body.is_some() {
        describe(operation, "400", "The body is not JSON");
        describe(operation, "413", "The body, or what it lists, is too large");
        describe(operation, "415", "The body does not say that it is JSON");
        describe(operation, "422", "A member of the body is missing or cannot be used");
    }
    describe_retry_after(operation, &["429", "503"]);
    let error = Ref::from_schema_name(ErrorBody::name()).into();
    describe_failures(operation, &[("application/json", error)]);
    for (status, answer) in &mut operation.responses.responses {
        let RefOr::T(answer) = answer else { continue };
        if status.starts_with(['4', '5']) {
            let plain = || Content::new(Some(text())).into();
            answer.content.entry("text/plain".to_owned()).or_insert_with(plain);
        }
    }
}

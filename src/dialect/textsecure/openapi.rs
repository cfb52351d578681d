//! This dialect's part of the OpenAPI document.
//!
//! A handler lists the answers that are its own; those that every request may get are added here.

use utoipa::openapi::OpenApi as Document;
use utoipa::openapi::path::Operation;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::tag::TagBuilder;

use super::{
    accounts, attachments, devices, directory, federation, keys, messages, provisioning, pull,
    receipts, socket,
};
use crate::http::openapi::{describe, describe_retry_after};

const TAG: &str = "The first version of the TextSecure protocol, in both editions. These paths are \
    there where the operator switched the dialect on; it may have an address of its own. A slash at \
    the end of a path is optional, members that a request does not know are passed over, and numbers \
    in requests may stand in quotes. Errors are bare statuses, with a body where one is described.";

const PHONE: &str = "The number of a phone, with `+`, and its password; of a further device \
    `NUMBER.DEVICE`.";

const GATEWAY: &str = "The name of a gateway, and the token that both gateways share.";

/// What any request may be answered, unless the handler says more about that status.
const SHARED: [(&str, &str); 3] = [
    ("413", "Too much in too short a time, or too large; nothing was done"),
    ("500", "A mistake of the gateway; its log has more under the request's id"),
    ("503", "Repeat the same request after `Retry-After`"),
];

/// The paths, types and credentials of this dialect.
#[must_use]
pub fn openapi() -> Document {
    let mut document = accounts::openapi();
    for part in [
        attachments::openapi(),
        devices::openapi(),
        directory::openapi(),
        federation::openapi(),
        keys::openapi(),
        messages::openapi(),
        provisioning::openapi(),
        pull::openapi(),
        receipts::openapi(),
        socket::openapi(),
    ] {
        document.merge(part);
    }
    let tag = TagBuilder::new().name("TextSecure").description(Some(TAG)).build();
    document.tags = Some(vec![tag]);
    let components = document.components.get_or_insert_default();
    components.add_security_scheme("phone", basic(PHONE));
    components.add_security_scheme("gateway", basic(GATEWAY));
    for item in document.paths.paths.values_mut() {
        let operations = [&mut item.get, &mut item.put, &mut item.post, &mut item.delete];
        operations.into_iter().flatten().for_each(add_shared);
    }
    document
}

fn basic(description: &str) -> SecurityScheme {
    let scheme = HttpBuilder::new().scheme(HttpAuthScheme::Basic).description(Some(description));
    SecurityScheme::Http(scheme.build())
}

fn add_shared(operation: &mut Operation) {
    for (status, description) in SHARED {
        describe(operation, status, description);
    }
    if operation.security.is_some() {
        describe(operation, "401", "The credentials are missing or not accepted");
    }
    if operation.request_body.is_some() {
        describe(
            operation,
            "415",
            "The body is not the JSON that is described, or does not say that it is JSON",
        );
    }
    describe_retry_after(operation, &["413", "503"]);
}

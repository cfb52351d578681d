//! The OpenAPI document, put together from every part's own.

mod finish;
mod reduced;

use utoipa::openapi::{InfoBuilder, License, OpenApi, OpenApiBuilder, Server};

pub use self::reduced::Reduced;
use crate::dialect::{hushnet, keyservice, mixin, textsecure};
use crate::http::{blobs, health, openapi, start};

const DESCRIPTION: &str = "\
A self-hosted gateway for end-to-end encrypted messages between bots and people, in the words of \
Mixin's bot API. The gateway stores what it cannot read and hands each device its own slice.

Every answer carries `X-Request-Id`: the caller's own (1 to 128 visible ASCII characters) or one \
that the gateway made. Ids are UUIDs, in any case on input and in lower case on output; times are \
RFC 3339 in UTC; members that a request does not know are ignored.

Where the operator switched it on, phones speak the first version of the TextSecure protocol with the
gateway; its operations have the tag `TextSecure`, and rules of their own that the tag tells. The
same is true of HushNet's clients and the tag `HushNet`, and of drop boxes and the tag `keyservice`.

Operators have an API of their own on a Unix socket, spoken by the `sealpost` command.";

/// The whole document as YAML, for a gateway that serves Mixin's dialect below `path_prefix`.
#[must_use]
pub fn openapi_yaml(path_prefix: &str) -> String {
    // The document is made of constants, and a test writes it out.
    openapi_document(path_prefix).to_yaml().unwrap_or_default()
}

/// The whole document in the words of OpenAPI 3.0, for tools that know nothing newer, and what those
/// words cannot say.
#[must_use]
pub fn openapi_reduced(path_prefix: &str) -> Reduced {
    // As above.
    reduced::reduce(serde_json::to_value(openapi_document(path_prefix)).unwrap_or_default())
}

/// The whole document, for a gateway that serves Mixin's dialect below `path_prefix`.
#[must_use]
pub fn openapi_document(path_prefix: &str) -> OpenApi {
    let mut license = License::new("MIT OR Apache-2.0");
    license.identifier = Some("MIT OR Apache-2.0".to_owned());
    let info = InfoBuilder::new()
        .title("Sealpost")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(DESCRIPTION))
        .license(Some(license))
        .build();
    let servers = vec![Server::new("/")];
    let document = OpenApiBuilder::new().info(info).servers(Some(servers)).build();
    let mut document =
        document.nest(path_prefix, mixin::openapi()).nest("/hushnet", hushnet::openapi());
    let gateway = [blobs::openapi(), health::openapi(), openapi::openapi(), start::openapi()];
    for part in [textsecure::openapi(), keyservice::openapi()].into_iter().chain(gateway) {
        document.merge(part);
    }
    finish::finish(&mut document);
    document
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_holds_every_parts_paths() {
        let yaml = openapi_yaml("");
        for path in [
            "/encrypted_messages:",
            "/inbox:",
            "/healthz:",
            "/readyz:",
            "/openapi.yaml:",
            "/v1/messages:",
            "/hushnet/health:",
            "/Service:",
        ] {
            assert!(yaml.contains(path), "{path} is missing");
        }
        assert!(yaml.starts_with("openapi: 3.1"), "{}", yaml.get(..40).unwrap_or_default());
    }
}

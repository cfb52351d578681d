//! This dialect's part of the OpenAPI document.

use utoipa::OpenApi;
use utoipa::openapi::OpenApi as Document;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};

use super::{acknowledgements, conversations, inbox, messages, sessions, users};

#[derive(OpenApi)]
#[openapi(
    paths(
        messages::post_encrypted,
        sessions::fetch,
        sessions::check,
        sessions::create,
        sessions::revoke,
        inbox::read,
        acknowledgements::post,
        conversations::create,
        conversations::read,
        users::me,
        users::read,
        users::fetch,
    ),
    modifiers(&Credentials),
    tags(
        (name = "messages", description = "Sending"),
        (name = "inbox", description = "Receiving"),
        (name = "sessions", description = "Signed-in devices and the keys to seal for"),
        (name = "conversations", description = "Who speaks with whom"),
        (name = "users", description = "People and bots"),
    ),
)]
struct MixinApi;

struct Credentials;

impl utoipa::Modify for Credentials {
    fn modify(&self, document: &mut Document) {
        let components = document.components.get_or_insert_default();
        let signed = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("JWT").description(Some(
            "A request token: a JSON Web Token with `alg` EdDSA, signed by the calling session's key, \
             whose claim `sig` is the lower-case hex SHA-256 of method, path with query, and body. \
             Errors of requests with such a token come with HTTP status 202 and the true status in \
             `error.status`, unless the operator chose otherwise; 503 is always itself.",
        ));
        let plain = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some(
            "A plain API token, `spt_…`, made by the operator for one session of a bot. Errors come \
             with their true HTTP status.",
        ));
        components.add_security_scheme("signed_token", SecurityScheme::Http(signed.build()));
        components.add_security_scheme("api_token", SecurityScheme::Http(plain.build()));
    }
}

/// The paths, types and credentials of this dialect.
#[must_use]
pub fn openapi() -> Document {
    MixinApi::openapi()
}

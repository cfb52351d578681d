//! This dialect's part of the OpenAPI document.
//!
//! A handler lists the answers that are its own; those that every request may get are added here.

use sealpost_sdk::types::{ErrorBody, SystemConversation};
use utoipa::openapi::header::Header;
use utoipa::openapi::path::Operation;
use utoipa::openapi::response::Response;
use utoipa::openapi::schema::{ObjectBuilder, SchemaType, Type};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{Content, OpenApi as Document, Ref, RefOr};
use utoipa::{OpenApi, ToSchema};

use super::conversations::participants;
use super::{
    accounts, acknowledgements, apps, attachments, blaze, changes, conversations, inbox, messages,
    relationships, repeat, sessions, set_aside, slots, users,
};
use crate::http::openapi::describe_retry_after;

#[derive(OpenApi)]
#[openapi(
    paths(
        messages::post_encrypted,
        messages::post_readable,
        slots::add,
        sessions::fetch,
        sessions::check,
        changes::read,
        sessions::list,
        sessions::create,
        sessions::revoke,
        inbox::read,
        blaze::explain,
        set_aside::list,
        set_aside::retry,
        set_aside::drop,
        acknowledgements::post,
        attachments::create,
        attachments::read,
        conversations::create,
        conversations::read,
        conversations::update,
        participants::add,
        participants::remove,
        participants::set_roles,
        participants::join,
        participants::exit,
        conversations::settings::rotate,
        conversations::settings::mute,
        conversations::settings::disappear,
        accounts::create,
        users::me,
        users::change,
        users::read,
        users::search,
        users::fetch,
        relationships::change,
        relationships::friends,
        relationships::blocking,
        apps::me,
    ),
    components(schemas(SystemConversation)),
    modifiers(&Credentials, &SharedAnswers),
    tags(
        (name = "messages", description = "Sending"),
        (name = "inbox", description = "Receiving"),
        (name = "sessions", description = "Signed-in devices and the keys to seal for"),
        (name = "conversations", description = "Who speaks with whom"),
        (name = "attachments", description = "Encrypted files"),
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
             `error.status`, unless the operator chose otherwise; 429 and 503 are always themselves.",
        ));
        let plain = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some(
            "A plain API token, `spt_…`, made by the operator for one session of a bot. Errors come \
             with their true HTTP status.",
        ));
        let sign_up = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("JWT").description(Some(
            "A token for signing up: as a request token, but signed by the key that shall be put on \
             file, with `aud` (the gateway's `server_public_key`) in place of `uid` and `sid`, and good \
             for five minutes.",
        ));
        components.add_security_scheme("sign_up_token", SecurityScheme::Http(sign_up.build()));
        components.add_security_scheme("signed_token", SecurityScheme::Http(signed.build()));
        components.add_security_scheme("api_token", SecurityScheme::Http(plain.build()));
    }
}

struct SharedAnswers;

/// What any request may be answered, unless the handler says more about that status.
const SHARED: [(&str, &str); 6] = [
    (
        "202",
        "What a signed token gets in place of every error below but 429 and 503, unless the operator \
         chose otherwise: `error.status` holds the true status. An answer of success is never 202",
    ),
    ("401", "The token is missing or not accepted"),
    ("413", "Too many bytes"),
    ("429", "Too much in too short a time; nothing was done. Repeat it after `Retry-After`"),
    ("500", "A mistake of the gateway; its log has more under the request's id"),
    ("503", "Repeat the same request after `Retry-After`"),
];

impl utoipa::Modify for SharedAnswers {
    fn modify(&self, document: &mut Document) {
        for item in document.paths.paths.values_mut() {
            if let Some(post) = &mut item.post {
                repeat::describe(post);
            }
            let operations = [&mut item.get, &mut item.post, &mut item.delete];
            for operation in operations.into_iter().flatten() {
                add_shared(operation);
            }
        }
    }
}

fn add_shared(operation: &mut Operation) {
    let answers = &mut operation.responses.responses;
    for (status, description) in SHARED {
        let answer = || RefOr::T(failure(description));
        answers.entry(status.to_owned()).or_insert_with(answer);
    }
    describe_retry_after(operation, &["429", "503"]);
    let answers = &mut operation.responses.responses;
    for status in ["200", "429"] {
        if let Some(RefOr::T(counted)) = answers.get_mut(status) {
            for (name, description) in RATE_LIMITS {
                counted.headers.insert(name.to_owned(), text(description).into());
            }
        }
    }
}

/// draft-ietf-httpapi-ratelimit-headers.
const RATE_LIMITS: [(&str, &str); 2] = [
    ("RateLimit-Policy", "What the account may do: `q` in `w` seconds, and at once"),
    ("RateLimit", "Where the account stands: `r` is left; all of it is there again in `t` seconds"),
];

fn text(description: &str) -> Header {
    let string = ObjectBuilder::new().schema_type(SchemaType::Type(Type::String));
    let mut header = Header::new(string.build());
    header.description = Some(description.to_owned());
    header
}

fn failure(description: &str) -> Response {
    let mut answer = Response::new(description);
    let body = Content::new(Some(Ref::from_schema_name(ErrorBody::name())));
    answer.content.insert("application/json".to_owned(), body.into());
    answer
}

/// The paths, types and credentials of this dialect.
#[must_use]
pub fn openapi() -> Document {
    MixinApi::openapi()
}

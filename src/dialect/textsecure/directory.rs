//! Looking contacts up: `/v1/directory/`. A contact goes by a token, ten bytes in base64.

use std::fmt;
use std::sync::Arc;

use axum::Json as Body;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, put};
use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use serde::de::{self, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::{OpenApi, ToSchema};

use super::TextSecureState;
use super::auth::{BASE64, Caller};
use super::json::Json;
use super::paths::{Routes, route};
use crate::domain::error::Fault;
use crate::domain::phone::{Contact, ContactToken};
use crate::http::path::PathPart;
use crate::http::problem::Problem;

/// The routes of this file.
pub(super) fn routes() -> Routes {
    let routes = route(Routes::new(), "/v1/directory/tokens", put(look_up));
    // Base64 has slashes in it, and clients write them as they are.
    routes.route("/v1/directory/{*token}", get(look_up_one))
}

/// This file's part of the OpenAPI document.
pub(super) fn openapi() -> utoipa::openapi::OpenApi {
    #[derive(OpenApi)]
    #[openapi(paths(look_up, look_up_one))]
    struct Paths;
    Paths::openapi()
}

/// Contacts to look up.
#[derive(Deserialize, ToSchema)]
#[schema(as = AskedContacts)]
struct Asked {
    /// Their tokens; objects with a member `token` are taken as well.
    #[schema(example = json!(["BQVVHxMt5zAFXA"]), value_type = Vec<String>)]
    contacts: Vec<AskedContact>,
}

/// A token, by itself or as the member of an object: clients write the one, a description of the
/// protocol has the other.
struct AskedContact(String);

impl<'de> Deserialize<'de> for AskedContact {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AskedContactVisitor)
    }
}

struct AskedContactVisitor;

impl<'de> Visitor<'de> for AskedContactVisitor {
    type Value = AskedContact;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a token")
    }

    fn visit_str<E: de::Error>(self, token: &str) -> Result<AskedContact, E> {
        Ok(AskedContact(token.to_owned()))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<AskedContact, A::Error> {
        let mut token = None;
        while let Some(name) = map.next_key::<String>()? {
            match name.as_str() {
                "token" => token = Some(map.next_value()?),
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        token.map(AskedContact).ok_or_else(|| de::Error::missing_field("token"))
    }
}

/// Contacts that were found.
#[derive(Serialize, ToSchema)]
#[schema(as = FoundContacts)]
struct Found {
    /// Those that are registered.
    contacts: Vec<ShownContact>,
}

/// Somebody who can be reached.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Contact)]
struct ShownContact {
    /// The token, without padding.
    #[schema(example = "BQVVHxMt5zAFXA")]
    token: String,
    /// The gateway that the phone is at, unless it is this one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "node-b.example")]
    relay: Option<String>,
    /// Whether the phone takes text messages of the protocol.
    #[schema(required = false)]
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    supports_sms: bool,
}

impl From<Contact> for ShownContact {
    fn from(contact: Contact) -> Self {
        let token = STANDARD_NO_PAD.encode(contact.token.0);
        Self { token, relay: contact.relay, supports_sms: contact.supports_sms }
    }
}

/// `PUT /v1/directory/tokens`: those of many contacts that are listed.
#[utoipa::path(
    put, path = "/v1/directory/tokens", operation_id = "find_contacts", tag = "TextSecure",
    summary = "Look contacts up",
    description = "A token is the first ten bytes of the SHA-1 of a number with its `+`, in base64. Each counts as one against the limit.",
    request_body = Asked,
    responses(
        (status = 200, body = Found, description = "Those that are registered and can be reached, in the order of the request"),
        (status = 400, description = "A token is not base64, or has less than four characters"),
    ),
    security(("phone" = [])),
)]
async fn look_up(
    State(state): State<Arc<TextSecureState>>,
    Json { caller, body, .. }: Json<Asked>,
) -> Result<Response, Problem> {
    state.switchboard.count_lookups(&caller.phone, body.contacts.len())?;
    let bytes: Option<Vec<_>> = body.contacts.iter().map(|asked| decoded(&asked.0)).collect();
    let Some(bytes) = bytes else {
        return Ok(StatusCode::BAD_REQUEST.into_response());
    };
    // One of another length is nobody's.
    let tokens: Vec<_> = bytes.iter().filter_map(|bytes| as_token(bytes)).collect();
    let found = state.switchboard.look_up(&tokens).await?;
    let contacts = found.into_iter().map(ShownContact::from).collect();
    Ok(Body(Found { contacts }).into_response())
}

/// `GET /v1/directory/{token}`: one contact.
#[utoipa::path(
    get, path = "/v1/directory/{token}", operation_id = "find_contact", tag = "TextSecure",
    summary = "Look a contact up",
    description = "The token may hold slashes as they are, and may be in the alphabet for URLs.",
    params(
        ("token" = String, Path, description = "The token"),
    ),
    responses(
        (status = 200, body = ShownContact, description = "The contact"),
        (status = 404, description = "Nobody of that token can be reached"),
    ),
    security(("phone" = [])),
)]
async fn look_up_one(
    State(state): State<Arc<TextSecureState>>,
    PathPart(token): PathPart,
    caller: Caller,
) -> Result<Body<ShownContact>, Problem> {
    state.switchboard.count_lookups(&caller.phone, 1)?;
    let nobody = || Fault::NotFound { what: "contact" };
    // A slash at the end may be the token's, or only the path's.
    let spellings = [Some(token.as_str()), token.strip_suffix('/')];
    let mut spellings = spellings.into_iter().flatten();
    let token = spellings.find_map(|text| as_token(&decoded(text)?)).ok_or_else(nobody)?;
    let found = state.switchboard.look_up(&[token]).await?;
    Ok(Body(found.into_iter().next().ok_or_else(nobody)?.into()))
}

/// Whoever writes less has made a mistake, and did not only hash in another way.
const SHORTEST: usize = 4;

/// The bytes of a token in either alphabet of base64, with padding or without; `None` for what is
/// no base64, or hardly any.
fn decoded(text: &str) -> Option<Vec<u8>> {
    if text.trim_end_matches('=').len() < SHORTEST {
        return None;
    }
    BASE64.decode(text.replace('-', "+").replace('_', "/")).ok()
}

fn as_token(bytes: &[u8]) -> Option<ContactToken> {
    bytes.try_into().ok().map(ContactToken)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::textsecure::json::parse;

    #[test]
    fn a_token_may_be_written_in_many_ways() {
        let token = decoded("9p/8mrYemAhNrw").unwrap();
        assert_eq!(token.len(), 10);
        for other in ["9p/8mrYemAhNrw==", "9p_8mrYemAhNrw", "9p_8mrYemAhNrw=="] {
            assert_eq!(decoded(other).as_ref(), Some(&token), "{other}");
        }
        assert_eq!(decoded("9p/8mrYemAhN!w"), None);
        for short in ["", "9", "AA", "AA==", "AAA="] {
            assert_eq!(decoded(short), None, "{short}");
        }
        assert_eq!(decoded("AAAA").map(|bytes| bytes.len()), Some(3));
        assert_eq!(decoded("AAAA").as_deref().and_then(as_token), None);
    }

    #[test]
    fn contacts_are_texts_or_objects() {
        let asked: Asked = parse(br#"{"contacts":["a",{"x":[1],"token":"b"}]}"#).unwrap();
        let tokens: Vec<_> = asked.contacts.iter().map(|contact| contact.0.as_str()).collect();
        assert_eq!(tokens, ["a", "b"]);
        assert!(parse::<Asked>(br#"{"contacts":[{"x":"a"}]}"#).is_err());
        assert!(parse::<Asked>(br#"{"contacts":[7]}"#).is_err());
        assert!(parse::<Asked>(b"{}").is_err());
    }

    #[test]
    fn only_what_is_not_usual_is_said_of_a_contact() {
        let token = as_token(&decoded("BQVVHxMt5zAFXA").unwrap()).unwrap();
        let shown = |relay: Option<&str>, supports_sms| {
            let contact = Contact { token, relay: relay.map(str::to_owned), supports_sms };
            serde_json::to_string(&ShownContact::from(contact)).unwrap()
        };
        assert_eq!(shown(None, false), r#"{"token":"BQVVHxMt5zAFXA"}"#);
        let all = r#"{"token":"BQVVHxMt5zAFXA","relay":"gvr","supportsSms":true}"#;
        assert_eq!(shown(Some("gvr"), true), all);
    }
}

//! Bodies as this protocol's clients write them: members that nobody knows are passed over, and
//! numbers may stand in quotes.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use axum::body::{Body, HttpBody};
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::{HeaderMap, header};
use bytes::Bytes;
use serde::de::{DeserializeOwned, Deserializer, Error, Unexpected, Visitor};

use super::TextSecureState;
use super::auth::Caller;
use crate::domain::error::Fault;
use crate::domain::limits;
use crate::http::body;
use crate::http::course::Course;
use crate::http::gate::BodyRoom;
use crate::http::problem::Problem;

/// A request of a known device with a JSON body. The order of its checks is the protocol's: the
/// type of the content, the credentials, the body.
pub struct Json<T> {
    /// Who sent it.
    pub caller: Caller,
    /// What it says.
    pub body: T,
    _room: BodyRoom,
}

impl<T: DeserializeOwned> FromRequest<Arc<TextSecureState>> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &Arc<TextSecureState>) -> Result<Self, Problem> {
        let (mut parts, body) = request.into_parts();
        require_json(&parts.headers)?;
        let caller = Caller::from_request_parts(&mut parts, state).await?;
        let (bytes, room) = read(state, &caller.visitor, body).await?;
        let body = parse(&bytes)?;
        Course::begin_work_of(&parts.extensions);
        Ok(Self { caller, body, _room: room })
    }
}

/// Reads a body within what its sender may send.
///
/// # Errors
/// A [`Fault`] of the limits or the body.
pub async fn read(
    state: &TextSecureState,
    visitor: &limits::Visitor,
    body: Body,
) -> Result<(Bytes, BodyRoom), Fault> {
    read_at_most(state.settings.body_limit, state, visitor, body).await
}

/// The same within so many bytes.
///
/// # Errors
/// A [`Fault`] of the limits or the body.
pub async fn read_at_most(
    limit: u64,
    state: &TextSecureState,
    visitor: &limits::Visitor,
    body: Body,
) -> Result<(Bytes, BodyRoom), Fault> {
    let gate = &state.gate;
    let (announced, exact) = (body.size_hint().lower(), body.size_hint().exact());
    if announced <= limit {
        gate.bytes(visitor, announced)?;
    }
    // What does not say its size may have any.
    let room = gate.body_room(visitor, exact.unwrap_or(limit).min(limit))?;
    let bytes = body::read(body, limit).await?;
    gate.bytes(visitor, (bytes.len() as u64).saturating_sub(announced))?;
    Ok((bytes, room))
}

/// Refuses a body that does not say that it is JSON.
///
/// # Errors
/// [`Fault::Invalid`].
pub fn require_json(headers: &HeaderMap) -> Result<(), Fault> {
    let given = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let kind = given.unwrap_or_default().split(';').next().unwrap_or_default().trim();
    if kind.eq_ignore_ascii_case("application/json") {
        return Ok(());
    }
    Err(Fault::invalid("Content-Type", "is not application/json"))
}

/// Reads JSON and names the member that does not fit.
///
/// # Errors
/// [`Fault::Malformed`] when it is no JSON, [`Fault::Invalid`] when a member does not fit.
pub fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Fault> {
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let path = error.path().to_string();
        match error.inner().is_data() {
            true => Fault::invalid(path, "is missing or does not fit"),
            false => Fault::malformed("the body is not JSON"),
        }
    })?;
    reader.end().map_err(|_| Fault::malformed("the body is not JSON"))?;
    Ok(value)
}

/// A number that may stand in quotes, for `#[serde(deserialize_with)]`.
///
/// # Errors
/// When it is no whole number, or does not fit the type.
pub fn number<'de, N, D>(deserializer: D) -> Result<N, D::Error>
where
    N: TryFrom<i64>,
    D: Deserializer<'de>,
{
    deserializer.deserialize_any(Number(PhantomData))
}

struct Number<N>(PhantomData<N>);

impl<N: TryFrom<i64>> Number<N> {
    fn fit<E: Error>(number: i64) -> Result<N, E> {
        N::try_from(number)
            .map_err(|_| E::invalid_value(Unexpected::Signed(number), &"a number that fits"))
    }
}

impl<N: TryFrom<i64>> Visitor<'_> for Number<N> {
    type Value = N;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a whole number, or one in quotes")
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<N, E> {
        Self::fit(number)
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<N, E> {
        let signed = i64::try_from(number);
        Self::fit(signed.map_err(|_| E::invalid_value(Unexpected::Unsigned(number), &self))?)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<N, E> {
        let number = text.trim().parse();
        Self::fit(number.map_err(|_| E::invalid_value(Unexpected::Str(text), &self))?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, serde::Deserialize)]
    struct Body {
        #[serde(deserialize_with = "number")]
        count: u32,
    }

    #[test]
    fn a_number_may_stand_in_quotes_and_members_may_be_unknown() {
        for good in [r#"{"count":7}"#, r#"{"count":"7"}"#, r#"{"count":7,"other":[1]}"#] {
            assert_eq!(parse::<Body>(good.as_bytes()).unwrap(), Body { count: 7 }, "{good}");
        }
    }

    #[test]
    fn what_does_not_fit_is_named() {
        for bad in [r#"{"count":-1}"#, r#"{"count":"x"}"#, r#"{"count":1.5}"#] {
            let fault = parse::<Body>(bad.as_bytes()).unwrap_err();
            assert_eq!(fault.to_string(), "count: is missing or does not fit", "{bad}");
        }
        assert!(matches!(parse::<Body>(b"{"), Err(Fault::Malformed { .. })));
        assert!(matches!(parse::<Body>(b"{\"count\":1} x"), Err(Fault::Malformed { .. })));
    }

    #[test]
    fn the_type_of_the_content_may_have_parameters() {
        let with = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::CONTENT_TYPE, value.parse().unwrap());
            require_json(&headers).is_ok()
        };
        assert!(with("application/json") && with("Application/JSON; charset=utf-8"));
        assert!(!with("text/plain") && require_json(&HeaderMap::new()).is_err());
    }
}

//! What a request says: in its query, in its body of JSON, and as the header `token`. The letters of
//! names may be of either case. Nothing may be said twice in different words.
//!
//! Anybody may ask, so all of this is bounded before it costs anything: [`MEMBERS`] by number, the
//! body by its bytes.

mod said;

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use axum::body::{Body, HttpBody};
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;

use super::super::KeyServiceState;
use super::super::asked::Asked;
use crate::domain::clock::Timestamp;
use crate::domain::dropbox::{BoxToken, DropId, Version};
use crate::domain::error::Fault;
use crate::domain::limits::Visitor;
use crate::http::body;
use crate::http::gate::BodyRoom;
use said::Said;

/// A body is in memory as it came, as members, and as bytes.
const COPIES: u64 = 3;

/// The most members of a request, many times what any has.
const MEMBERS: usize = 32;

/// As much of a name as a refusal repeats, characters.
const SHOWN: usize = 64;

/// What a request says.
#[derive(Default)]
pub(super) struct Parameters {
    members: BTreeMap<String, Said>,
    /// How many came, repeated ones included.
    count: usize,
    room: Room,
}

/// The memory that the members are in, for as long as they are.
#[derive(Default)]
struct Room {
    _taken: Option<BodyRoom>,
}

/// Bytes as version 2 writes them, if they are.
pub(super) fn decoded(text: &str) -> Option<Vec<u8>> {
    BASE64.decode(text).ok()
}

impl Parameters {
    /// What it says without a body.
    ///
    /// # Errors
    /// [`Fault::Invalid`] when something is said twice, or is where it must not be.
    pub(super) fn of_head(parts: &Parts) -> Result<Self, Fault> {
        let mut said = Self::default();
        let query = parts.uri.query().unwrap_or_default();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            said.add(name.into_owned(), Said::Text(value.into_owned()))?;
        }
        if let Some(token) = parts.headers.get("token") {
            let token = token.to_str().unwrap_or_default().trim();
            said.add("token".to_owned(), Said::Text(token.to_owned()))?;
        }
        Ok(said)
    }

    /// The same with a body, within what its sender may send.
    ///
    /// # Errors
    /// Also [`Fault::Malformed`] when the body is no JSON object, [`Fault::TooLarge`],
    /// [`Fault::RateLimited`], [`Fault::Unavailable`].
    pub(super) async fn read(
        state: &KeyServiceState,
        asked: &Asked,
        parts: &Parts,
        body: Body,
    ) -> Result<Self, Fault> {
        let mut said = Self::of_head(parts)?;
        if !body.is_end_stream() && !says_json(parts) {
            return Err(Fault::malformed("a body of version 2 is application/json"));
        }
        let visitor = Visitor { account: None, address: asked.address };
        let (gate, limit) = (&state.gate, state.settings.body_limit);
        let announced = body.size_hint().lower();
        if announced <= limit {
            gate.bytes(&visitor, announced)?;
        }
        // What does not say its size may have any.
        let most = body.size_hint().exact().unwrap_or(limit).min(limit);
        let room = gate.body_room(&visitor, most * COPIES)?;
        let bytes = body::read(body, limit).await?;
        gate.bytes(&visitor, (bytes.len() as u64).saturating_sub(announced))?;
        if bytes.is_empty() {
            return Ok(said);
        }
        said::read(&bytes, |name, value| said.add(name, value))?;
        said.room = Room { _taken: Some(room) };
        Ok(said)
    }

    fn add(&mut self, mut name: String, value: Said) -> Result<(), Fault> {
        self.count += 1;
        if self.count > MEMBERS {
            return Err(Fault::malformed(format!("there are more than {MEMBERS} members")));
        }
        name.make_ascii_lowercase();
        match name.as_str() {
            "authkey" => return Err(Fault::invalid("authkey", "is a header, and nothing else")),
            // Query or header have said it before; a body may repeat it.
            "v" if value.words().is_some_and(|words| words.trim() == "2") => return Ok(()),
            "v" => return Err(Fault::invalid("v", "is 2 in the head of this request")),
            _ => {}
        }
        match self.members.entry(name) {
            Entry::Vacant(vacant) => {
                vacant.insert(value);
            }
            Entry::Occupied(known) if known.get().is_same(&value) => {}
            Entry::Occupied(known) => {
                return Err(Fault::malformed(format!("`{}` is given twice", shown(known.key()))));
            }
        }
        Ok(())
    }

    /// Refuses members that are none of these: where a name that is spelt wrong would change what is
    /// asked for.
    ///
    /// # Errors
    /// [`Fault::Invalid`] with the name.
    pub(super) fn require_only(&self, known: &[&str]) -> Result<(), Fault> {
        let unknown = self.members.keys().find(|name| !known.contains(&name.as_str()));
        let refused =
            |name: &String| Fault::invalid(shown(name), "is not known here, and nothing was done");
        unknown.map_or(Ok(()), |name| Err(refused(name)))
    }

    /// Whether anything is said under that name, `null` included.
    pub(super) fn has(&self, name: &str) -> bool {
        self.members.contains_key(name)
    }

    /// What is said under that name; `null` is nothing.
    fn value(&self, name: &str) -> Option<&Said> {
        self.members.get(name).filter(|said| **said != Said::Nothing)
    }

    /// A text.
    ///
    /// # Errors
    /// [`Fault::Invalid`] when it is none.
    pub(super) fn text(&self, name: &'static str) -> Result<Option<&str>, Fault> {
        match self.value(name) {
            None => Ok(None),
            Some(Said::Text(text)) => Ok(Some(text)),
            Some(_) => Err(Fault::invalid(name, "must be a string")),
        }
    }

    /// A text that has to be there.
    pub(super) fn needed_text(&self, name: &'static str) -> Result<&str, Fault> {
        self.text(name)?.ok_or_else(|| Fault::invalid(name, "is needed"))
    }

    /// Bytes that have to be there.
    pub(super) fn bytes(&self, name: &'static str) -> Result<Vec<u8>, Fault> {
        let bytes = decoded(self.needed_text(name)?);
        bytes.ok_or_else(|| Fault::invalid(name, "must be base64url without padding"))
    }

    /// So many bytes, which have to be there.
    pub(super) fn exactly<const N: usize>(&self, name: &'static str) -> Result<[u8; N], Fault> {
        let bytes = self.bytes(name)?;
        let refused = |bytes: Vec<u8>| {
            Fault::invalid(name, format!("must have {N} bytes, and has {}", bytes.len()))
        };
        bytes.try_into().map_err(refused)
    }

    /// Yes or no; no when nothing is said.
    pub(super) fn flag(&self, name: &'static str) -> Result<bool, Fault> {
        match self.value(name) {
            None => Ok(false),
            Some(Said::Flag(value)) => Ok(*value),
            Some(Said::Text(text)) if text == "true" => Ok(true),
            Some(Said::Text(text)) if text == "false" => Ok(false),
            Some(_) => Err(Fault::invalid(name, "must be true or false")),
        }
    }

    /// A number within bounds.
    pub(super) fn number(
        &self,
        name: &'static str,
        least: u64,
        most: u64,
    ) -> Result<Option<u64>, Fault> {
        let Some(value) = self.value(name) else { return Ok(None) };
        let number = match value {
            Said::Number(number) => Some(*number),
            Said::Text(text) => text.parse().ok(),
            _ => None,
        };
        let number = number.filter(|number| (least..=most).contains(number));
        let refused = || Fault::invalid(name, format!("must be a number from {least} to {most}"));
        number.map(Some).ok_or_else(refused)
    }

    /// A time.
    pub(super) fn time(&self, name: &'static str) -> Result<Option<Timestamp>, Fault> {
        let Some(text) = self.text(name)? else { return Ok(None) };
        let time = text.parse::<jiff::Timestamp>();
        let time = time.map_err(|_| Fault::invalid(name, "must be a time as RFC 3339 has it"))?;
        Ok(Some(Timestamp::from_micros(time.as_microsecond())))
    }

    /// The token of a box of this version.
    pub(super) fn token(&self) -> Result<BoxToken, Fault> {
        let token = BoxToken::parse(self.needed_text("token")?);
        let token = token.filter(|token| token.version() == Version::Two);
        let refused = || Fault::invalid("token", "must be 32 lower-case hexadecimal digits");
        token.ok_or_else(refused)
    }

    /// The id of a message or a letter, if one is given.
    pub(super) fn id(&self, name: &'static str) -> Result<Option<DropId>, Fault> {
        let Some(text) = self.text(name)? else { return Ok(None) };
        let refused = || Fault::invalid(name, "must be 32 lower-case hexadecimal digits");
        DropId::parse(text).map(Some).ok_or_else(refused)
    }

    /// An id that has to be there.
    pub(super) fn needed_id(&self, name: &'static str) -> Result<DropId, Fault> {
        self.id(name)?.ok_or_else(|| Fault::invalid(name, "is needed"))
    }
}

/// As much of a name as is repeated.
fn shown(name: &str) -> String {
    name.chars().take(SHOWN).collect()
}

/// Whether the body is JSON, as far as the request says anything about it.
fn says_json(parts: &Parts) -> bool {
    let Some(value) = parts.headers.get(CONTENT_TYPE) else { return true };
    let essence = value.to_str().unwrap_or_default().split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case("application/json")
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;

    fn of(uri: &str) -> Result<Parameters, Fault> {
        Parameters::of_head(&Request::get(uri).body(()).unwrap_or_default().into_parts().0)
    }

    #[test]
    fn names_are_of_either_case_and_nothing_is_said_twice() {
        let said = of("/Service?ToKeN=0123456789abcdef0123456789abcdef&v=2").unwrap();
        assert!(said.token().is_ok());
        assert!(of("/Service?token=a&TOKEN=a").is_ok());
        assert!(of("/Service?token=a&TOKEN=b").is_err());
        assert!(of("/Service?AuthKey=x").is_err());
        let mut said = of("/Service?token=a&v=2").unwrap();
        assert!(said.add("V".to_owned(), Said::Number(2)).is_ok(), "a body may repeat it");
        assert!(said.add("v".to_owned(), Said::Number(1)).is_err());
        let twice = said::read(br#"{"token":"a","token":"b"}"#, |name, it| said.add(name, it));
        assert!(twice.is_err());
    }

    #[test]
    fn a_request_has_few_members_wherever_they_stand() {
        assert!(of(&format!("/Service?{}", "a&".repeat(32))).is_ok());
        for count in [33, 30_000] {
            let refused = of(&format!("/Service?{}", "a&".repeat(count)));
            assert!(matches!(refused.err(), Some(Fault::Malformed { .. })), "{count}");
        }
        let mut said = of("/Service?a&b").unwrap();
        let body: Vec<_> = (0..31).map(|number| format!("\"c{number}\":1")).collect();
        let body = format!("{{{}}}", body.join(","));
        let refused = said::read(body.as_bytes(), |name, value| said.add(name, value));
        assert!(matches!(refused, Err(Fault::Malformed { .. })), "{refused:?}");
        assert_eq!(said.members.len(), 32, "nothing more was kept");
    }

    #[test]
    fn a_name_that_is_not_known_can_be_refused() {
        let said = of("/Service?token=a&message_id=b").unwrap();
        assert!(said.require_only(&["token", "message_id"]).is_ok());
        let refused = said.require_only(&["token", "messageid"]);
        assert!(matches!(refused, Err(Fault::Invalid { field, .. }) if field == "message_id"));
    }

    #[test]
    fn a_value_is_of_its_kind() {
        let said =
            of("/?a=AAE&b=AA==&c=7&d=2026-01-02T03:04:05Z&e=2026&f=true&g=yes&token=0011").unwrap();
        assert_eq!(said.bytes("a").ok(), Some(vec![0, 1]));
        assert!(said.bytes("b").is_err() && said.exactly::<3>("a").is_err());
        assert_eq!(said.number("c", 1, 9).ok(), Some(Some(7)));
        assert!(said.number("c", 8, 9).is_err() && said.number("a", 0, 9).is_err());
        assert_eq!(said.time("d").ok().flatten().map(Timestamp::as_seconds), Some(1_767_323_045));
        assert!(said.time("e").is_err());
        assert_eq!(said.flag("f").ok(), Some(true));
        assert!(said.flag("g").is_err() && said.token().is_err());
        assert!(said.needed_text("h").is_err() && said.needed_id("a").is_err());
    }
}

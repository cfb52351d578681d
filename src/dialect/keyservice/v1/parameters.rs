//! Parameters, wherever a request has them.
//!
//! The original takes each of them from a form, a JSON object, a multipart body or the query, by any
//! method. `token` and `passphrase` go before all of that when they are headers; `privatekeyhash`
//! does as well, since the original's desktop program sends it so, although its server never looked.
//!
//! | of several | counts |
//! | --- | --- |
//! | header, body, query | in this order |
//! | two in one place | the first |

use axum::http::request::Parts;
use zeroize::Zeroizing;

use super::names::Name;
use crate::domain::dropbox::{BoxToken, Version};
use crate::domain::error::Fault;

/// The most members that one request may have, those that mean nothing included.
pub(super) const MEMBERS: usize = 100;

/// A member of the query that is about the answer alone.
const FORMAT: &str = "format";

/// What a parameter may stand in as a header.
const HEADERS: [Name; 3] = [Name::Token, Name::Passphrase, Name::PrivateKeyHash];

/// Where a parameter stands. What stands further in front counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Place {
    /// A header.
    Header,
    /// The body.
    Body,
    /// The query.
    Query,
}

/// What a parameter is: a text, or nothing, as JSON can say it.
pub(super) type Value = Option<Zeroizing<String>>;

/// All parameters of a request. They may hold passphrases, so they are wiped and never shown.
#[derive(Default)]
pub(super) struct Parameters {
    members: Vec<(Place, Name, Value)>,
    seen: usize,
    /// Whether there is one whose name means nothing.
    has_strange: bool,
}

impl Parameters {
    /// Those that stand outside the body.
    ///
    /// # Errors
    /// As [`Self::add`].
    pub(super) fn outside(parts: &Parts) -> Result<Self, Fault> {
        let mut parameters = Self::default();
        for name in HEADERS {
            if let Some(value) = parts.headers.get(name.text()) {
                let value = Zeroizing::new(header_text(value.as_bytes()));
                parameters.add(Place::Header, name.text(), Some(value))?;
            }
        }
        let query = parts.uri.query().unwrap_or_default();
        parameters.add_form(Place::Query, query.as_bytes())?;
        Ok(parameters)
    }

    /// Adds the members of a form.
    ///
    /// # Errors
    /// As [`Self::add`].
    pub(super) fn add_form(&mut self, place: Place, form: &[u8]) -> Result<(), Fault> {
        for (name, value) in form_urlencoded::parse(form) {
            self.add(place, &name, Some(Zeroizing::new(value.into_owned())))?;
        }
        Ok(())
    }

    /// Adds a member; one whose name means nothing is passed over.
    ///
    /// # Errors
    /// [`Fault::Malformed`] when there are too many, [`Fault::Invalid`] when it is too long.
    pub(super) fn add(&mut self, place: Place, name: &str, value: Value) -> Result<(), Fault> {
        self.seen += 1;
        if self.seen > MEMBERS {
            return Err(Fault::malformed(format!("more than {MEMBERS} parameters")));
        }
        let Some(name) = Name::of(name) else {
            self.has_strange |= !name.eq_ignore_ascii_case(FORMAT);
            return Ok(());
        };
        let limit = name.limit();
        if value.as_ref().is_some_and(|value| value.len() > limit) {
            return Err(Fault::invalid(name.text(), format!("is longer than {limit} bytes")));
        }
        self.members.push((place, name, value));
        Ok(())
    }

    /// The parameter's text, unless it is blank.
    pub(super) fn text(&self, name: Name) -> Option<&str> {
        let value = self.value(name)?.as_ref()?;
        (!value.trim().is_empty()).then_some(value.as_str())
    }

    /// Whether the parameter is there, if only to say nothing.
    pub(super) fn has(&self, name: Name) -> bool {
        self.value(name).is_some()
    }

    /// The text of a parameter that has to be there.
    ///
    /// # Errors
    /// [`Fault::Malformed`] in the original's words.
    pub(super) fn required(&self, name: Name) -> Result<&str, Fault> {
        let missing = || Fault::malformed(format!("{} is required", name.text()));
        self.text(name).ok_or_else(missing)
    }

    /// The token of a box. What cannot be one is the token of none: what tokens look like is no
    /// secret.
    ///
    /// # Errors
    /// [`Fault::Malformed`] without one, [`Fault::NotFound`] for what cannot be one.
    pub(super) fn token(&self) -> Result<BoxToken, Fault> {
        // The original's database does not tell letters of either case apart.
        let text = self.required(Name::Token)?.trim().to_ascii_lowercase();
        let token = BoxToken::parse(&text).filter(|token| token.version() == Version::One);
        token.ok_or(Fault::NotFound { what: "drop box" })
    }

    /// A parameter that is a number from 0 on; `None` when it is not there.
    ///
    /// # Errors
    /// [`Fault::Invalid`] when it is there and no number, or nothing.
    pub(super) fn number(&self, name: Name) -> Result<Option<i64>, Fault> {
        if !self.has(name) {
            return Ok(None);
        }
        let text = self.text(name).unwrap_or_default().trim();
        let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
        let number = text.parse().ok().filter(|_| is_number);
        number.map(Some).ok_or_else(|| Fault::invalid(name.text(), "is not a number"))
    }

    /// A parameter that is a truth; `false` when it is not there.
    ///
    /// # Errors
    /// [`Fault::Invalid`] when it is something else.
    pub(super) fn truth(&self, name: Name) -> Result<bool, Fault> {
        let text = self.text(name).unwrap_or("false").trim().to_ascii_lowercase();
        match text.as_str() {
            // A checkbox of the framework comes with a hidden second value.
            "true" | "1" | "on" | "true,false" => Ok(true),
            "false" | "0" | "off" => Ok(false),
            _ => Err(Fault::invalid(name.text(), "is neither true nor false")),
        }
    }

    /// Refuses a body that says it is of another version. Which one the request is of was told by
    /// its query and headers, before the body came.
    ///
    /// # Errors
    /// [`Fault::Invalid`] (`v`).
    pub(super) fn require_version(&self) -> Result<(), Fault> {
        let of_body = self
            .members
            .iter()
            .filter(|(place, name, _)| (*place, *name) == (Place::Body, Name::Version));
        let is_one =
            |value: &Value| value.as_ref().is_none_or(|value| matches!(value.trim(), "" | "1"));
        match of_body.into_iter().all(|(_, _, value)| is_one(value)) {
            true => Ok(()),
            false => Err(Fault::invalid("v", "of another version than 1 belongs into the query")),
        }
    }

    /// Refuses parameters that are none of these, those that mean nothing at all included: for what
    /// must not be done to more than was meant.
    ///
    /// # Errors
    /// [`Fault::Malformed`].
    pub(super) fn require_only(&self, names: &[Name]) -> Result<(), Fault> {
        if self.has_strange {
            let what = "there is a parameter that means nothing, so nothing was done";
            return Err(Fault::malformed(what));
        }
        let other = self.members.iter().find(|(_, name, _)| !names.contains(name));
        other.map_or(Ok(()), |(_, name, _)| {
            Err(Fault::invalid(name.text(), "means nothing here, so nothing was done"))
        })
    }

    fn value(&self, name: Name) -> Option<&Value> {
        let of_name = self.members.iter().filter(|(_, found, _)| *found == name);
        // The first of those that stand furthest in front.
        of_name.min_by_key(|(place, _, _)| *place).map(|(_, _, value)| value)
    }
}

/// A header's text: UTF-8, or one byte for each character, as older programs write it.
fn header_text(bytes: &[u8]) -> String {
    match str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => bytes.iter().copied().map(char::from).collect(),
    }
}

#[cfg(test)]
mod tests {
    use axum::extract::Request;

    use super::*;

    fn outside(uri: &str, headers: &[(&str, &str)]) -> Parameters {
        let mut request = Request::builder().uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (parts, ()) = request.body(()).unwrap().into_parts();
        Parameters::outside(&parts).unwrap()
    }

    fn text(text: &str) -> Value {
        Some(Zeroizing::new(text.to_owned()))
    }

    #[test]
    fn a_header_goes_before_the_body_and_the_body_before_the_query() {
        let mut parameters =
            outside("/service?TOKEN=q&PassPhrase=q&message=a+b%2B", &[("token", "h")]);
        parameters.add_form(Place::Body, b"token=b&passphrase=b&passphrase=c").unwrap();
        assert_eq!(parameters.text(Name::Token), Some("h"));
        assert_eq!(parameters.text(Name::Passphrase), Some("b"));
        assert_eq!(parameters.text(Name::Message), Some("a b+"));
        assert_eq!(parameters.text(Name::Email), None);
    }

    #[test]
    fn what_is_blank_is_there_and_is_no_text() {
        let mut parameters = outside("/service?token=+", &[]);
        parameters.add(Place::Body, "messageid", None).unwrap();
        assert!(parameters.has(Name::Token) && parameters.text(Name::Token).is_none());
        assert!(parameters.has(Name::MessageId) && parameters.number(Name::MessageId).is_err());
        assert_eq!(parameters.number(Name::After).unwrap(), None);
    }

    #[test]
    fn a_number_is_one() {
        for (given, number) in [("0", 0), ("17", 17), (" 5 ", 5)] {
            let mut parameters = Parameters::default();
            parameters.add(Place::Body, "messageId", text(given)).unwrap();
            assert_eq!(parameters.number(Name::MessageId).unwrap(), Some(number));
        }
        for given in ["", "null", "-1", "+1", "1.0", "99999999999999999999"] {
            let mut parameters = Parameters::default();
            parameters.add(Place::Body, "messageId", text(given)).unwrap();
            assert!(parameters.number(Name::MessageId).is_err(), "{given}");
        }
    }

    #[test]
    fn a_token_may_be_written_in_capitals() {
        let parameters = outside("/service?token=00FF00ff00ff00ff", &[]);
        assert_eq!(parameters.token().unwrap().to_string(), "00ff00ff00ff00ff");
        let missing = outside("/service", &[]).token();
        assert!(matches!(missing, Err(Fault::Malformed { .. })));
        for none in ["12", "0123456789abcdef0123456789abcdef"] {
            let found = outside(&format!("/service?token={none}"), &[]).token();
            assert!(matches!(found, Err(Fault::NotFound { .. })), "{none}");
        }
    }

    #[test]
    fn what_means_nothing_is_refused_where_only_some_may_be() {
        let only = |parameters: &Parameters| parameters.require_only(&[Name::Token]);
        assert!(only(&outside("/service?token=q&format=xml", &[("token", "h")])).is_ok());
        for strange in ["id=1", "fileid=1", "message_id=1", "=", "%7B%22messageid%22%3A1%7D"] {
            assert!(only(&outside(&format!("/service?token=q&{strange}"), &[])).is_err());
            let mut parameters = outside("/service?token=q", &[]);
            parameters.add_form(Place::Body, strange.as_bytes()).unwrap();
            assert!(only(&parameters).is_err(), "{strange}");
        }
    }

    #[test]
    fn there_is_an_end_to_their_number_and_length() {
        let mut parameters = Parameters::default();
        assert!(parameters.add(Place::Body, "token", text(&"a".repeat(65))).is_err());
        for _ in 0..99 {
            parameters.add(Place::Body, "nothing", None).unwrap();
        }
        assert!(parameters.add(Place::Body, "nothing", None).is_err());
    }

    #[test]
    fn a_body_of_another_version_is_refused() {
        for (given, is_good) in [("1", true), ("2", false), ("", true)] {
            let mut parameters = Parameters::default();
            parameters.add(Place::Body, "V", text(given)).unwrap();
            assert_eq!(parameters.require_version().is_ok(), is_good, "{given}");
        }
    }

    #[test]
    fn a_header_of_old_programs_is_read() {
        assert_eq!(header_text("pässword".as_bytes()), "pässword");
        assert_eq!(header_text(b"p\xe4ssword"), "pässword");
    }
}

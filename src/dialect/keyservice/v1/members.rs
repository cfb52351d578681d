//! A body that is a JSON object. Its values become texts, as a form has them.

use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use zeroize::Zeroizing;

use super::parameters::{MEMBERS, Parameters, Place, Value};
use crate::domain::error::Fault;

/// Adds the members of a JSON object.
///
/// # Errors
/// [`Fault::Malformed`] when it is none, or has lists or objects in it; those of
/// [`Parameters::add`].
pub(super) fn add_json(parameters: &mut Parameters, body: &[u8]) -> Result<(), Fault> {
    let Members(members) = serde_json::from_slice(body).map_err(|error| {
        // What the error quotes may be a passphrase.
        let (line, column) = (error.line(), error.column());
        Fault::malformed(format!(
            "the body is no JSON object of texts, at line {line}, column {column}"
        ))
    })?;
    members.into_iter().try_for_each(|(name, value)| parameters.add(Place::Body, &name, value))
}

struct Members(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MembersVisitor)
    }
}

struct MembersVisitor;

impl<'de> Visitor<'de> for MembersVisitor {
    type Value = Members;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
        let mut members = Vec::new();
        while let Some((name, Member(value))) = map.next_entry()? {
            // One too many is refused by whom they are for; more are not worth keeping.
            if members.len() <= MEMBERS {
                members.push((name, value));
            }
        }
        Ok(Members(members))
    }
}

struct Member(Value);

impl<'de> Deserialize<'de> for Member {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(MemberVisitor)
    }
}

struct MemberVisitor;

fn member(text: String) -> Member {
    Member(Some(Zeroizing::new(text)))
}

impl<'de> Visitor<'de> for MemberVisitor {
    type Value = Member;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text, a number, true, false or null")
    }

    fn visit_str<E>(self, text: &str) -> Result<Member, E> {
        Ok(member(text.to_owned()))
    }

    fn visit_string<E>(self, text: String) -> Result<Member, E> {
        Ok(member(text))
    }

    fn visit_bool<E>(self, truth: bool) -> Result<Member, E> {
        Ok(member(truth.to_string()))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Member, E> {
        Ok(member(number.to_string()))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Member, E> {
        Ok(member(number.to_string()))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Member, E> {
        Ok(member(number.to_string()))
    }

    fn visit_unit<E>(self) -> Result<Member, E> {
        Ok(Member(None))
    }

    /// Lists of nothing are what some frameworks send for what is not there.
    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Member, A::Error> {
        match list.next_element::<IgnoredAny>()? {
            None => Ok(Member(None)),
            Some(_) => Err(serde::de::Error::invalid_type(serde::de::Unexpected::Seq, &self)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::names::Name;
    use super::*;

    fn read(body: &str) -> Result<Parameters, Fault> {
        let mut parameters = Parameters::default();
        add_json(&mut parameters, body.as_bytes())?;
        Ok(parameters)
    }

    #[test]
    fn values_are_texts_whatever_they_are() {
        let body = r#"{"Token":"a\u00e9","messageid":7,"deletekeyafterreading":true,"email":null}"#;
        let parameters = read(body).unwrap();
        assert_eq!(parameters.text(Name::Token), Some("aé"));
        assert_eq!(parameters.number(Name::MessageId).unwrap(), Some(7));
        assert!(parameters.truth(Name::DeleteKeyAfterReading).unwrap());
        assert!(parameters.has(Name::Email) && parameters.text(Name::Email).is_none());
    }

    #[test]
    fn too_many_members_are_refused() {
        let body = |count: usize| format!("{{{}}}", vec!["\"\":1"; count].join(","));
        assert!(read(&body(100)).is_ok());
        for count in [101, 10_000] {
            let Err(fault) = read(&body(count)) else { panic!("{count}") };
            assert_eq!(fault.to_string(), "more than 100 parameters");
        }
    }

    #[test]
    fn what_is_no_object_of_texts_is_refused_and_not_quoted() {
        for body in
            ["", "[]", "\"secret\"", "{\"passphrase\":[\"secret\"]}", "{\"a\":{\"b\":1}}", "{} {}"]
        {
            let Err(fault) = read(body) else { panic!("{body}") };
            assert!(matches!(fault, Fault::Malformed { .. }), "{body}");
            assert!(!fault.to_string().contains("secret"), "{fault}");
        }
    }
}

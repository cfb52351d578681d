//! What one member of a request says, and the members of a body of JSON.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::domain::error::Fault;

/// What one member says. Nothing of this dialect is a list or an object, so their content is never
/// kept.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Said {
    /// `null`.
    Nothing,
    /// Yes or no.
    Flag(bool),
    /// A number that is not negative.
    Number(u64),
    /// A text.
    Text(String),
    /// Anything else.
    Other,
}

impl Said {
    /// The same in words, in which a query would say it.
    pub(super) fn words(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::Nothing | Self::Other => None,
            Self::Flag(flag) => Some(Cow::Borrowed(if *flag { "true" } else { "false" })),
            Self::Number(number) => Some(Cow::Owned(number.to_string())),
            Self::Text(text) => Some(Cow::Borrowed(text)),
        }
    }

    /// Whether both say the same, be it as a number or as a text.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        match (self.words(), other.words()) {
            (Some(one), Some(other)) => one == other,
            _ => *self == Self::Nothing && *other == Self::Nothing,
        }
    }
}

impl<'de> Deserialize<'de> for Said {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(One)
    }
}

/// Reads one member.
struct One;

impl<'de> Visitor<'de> for One {
    type Value = Said;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a value")
    }

    fn visit_unit<E: Error>(self) -> Result<Said, E> {
        Ok(Said::Nothing)
    }

    fn visit_bool<E: Error>(self, flag: bool) -> Result<Said, E> {
        Ok(Said::Flag(flag))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Said, E> {
        Ok(Said::Number(number))
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<Said, E> {
        Ok(Said::Other)
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Said, E> {
        Ok(Said::Other)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Said, E> {
        Ok(Said::Text(text.to_owned()))
    }

    fn visit_string<E: Error>(self, text: String) -> Result<Said, E> {
        Ok(Said::Text(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Said, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Said::Other)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Said, A::Error> {
        while object.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Said::Other)
    }
}

/// Reads the members of a body of JSON one by one, and stops at the first that `add` refuses.
///
/// # Errors
/// What `add` said; [`Fault::Malformed`] when the body is no JSON object.
pub(super) fn read(
    body: &[u8],
    add: impl FnMut(String, Said) -> Result<(), Fault>,
) -> Result<(), Fault> {
    let mut refused = None;
    let mut json = serde_json::Deserializer::from_slice(body);
    let members = Members { add, refused: &mut refused };
    let read = members.deserialize(&mut json).and_then(|()| json.end());
    match refused {
        Some(fault) => Err(fault),
        None => read.map_err(|error| no_object(&error)),
    }
}

/// Where it ends to be one: what stands there is not repeated.
fn no_object(error: &serde_json::Error) -> Fault {
    let (line, column) = (error.line(), error.column());
    Fault::malformed(format!("the body is no JSON object, at line {line}, column {column}"))
}

struct Members<'a, Add> {
    add: Add,
    refused: &'a mut Option<Fault>,
}

impl<'de, Add: FnMut(String, Said) -> Result<(), Fault>> DeserializeSeed<'de> for Members<'_, Add> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de, Add: FnMut(String, Said) -> Result<(), Fault>> Visitor<'de> for Members<'_, Add> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut object: A) -> Result<(), A::Error> {
        while let Some((name, said)) = object.next_entry()? {
            if let Err(fault) = (self.add)(name, said) {
                *self.refused = Some(fault);
                return Err(A::Error::custom("refused"));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn members(body: &str) -> Result<Vec<(String, Said)>, Fault> {
        let mut members = Vec::new();
        read(body.as_bytes(), |name, said| {
            members.push((name, said));
            Ok(())
        })?;
        Ok(members)
    }

    #[test]
    fn scalars_are_kept_and_the_content_of_lists_and_objects_is_not() {
        let body = r#"{"a":"x\n","b":7,"c":true,"d":null,"e":-1,"f":1.5,"g":[[1],2],"h":{"i":{}}}"#;
        let found: Vec<_> = members(body).unwrap().into_iter().map(|(_, said)| said).collect();
        let [text, number, flag, nothing, others @ ..] = found.as_slice() else { panic!() };
        assert_eq!((text, number), (&Said::Text("x\n".to_owned()), &Said::Number(7)));
        assert_eq!((flag, nothing), (&Said::Flag(true), &Said::Nothing));
        assert!(others.len() == 4 && others.iter().all(|said| *said == Said::Other));
    }

    #[test]
    fn a_body_that_is_no_object_is_refused() {
        for body in ["[]", "7", "", "{", r#"{"a":1}x"#, r#"{"a":[1,]}"#, &"[".repeat(100_000)] {
            assert!(matches!(members(body), Err(Fault::Malformed { .. })));
        }
    }

    #[test]
    fn nothing_is_read_behind_a_member_that_is_refused() {
        let mut seen = 0;
        let refused = read(br#"{"a":1,"b":2,"c"#, |_, _| {
            seen += 1;
            if seen == 2 { Err(Fault::invalid("b", "no")) } else { Ok(()) }
        });
        assert!(matches!(refused, Err(Fault::Invalid { field, .. }) if field == "b"));
    }

    #[test]
    fn numbers_and_texts_say_the_same() {
        let text = |text: &str| Said::Text(text.to_owned());
        assert!(Said::Number(2).is_same(&text("2")) && Said::Flag(true).is_same(&text("true")));
        assert!(Said::Nothing.is_same(&Said::Nothing) && !Said::Nothing.is_same(&text("")));
        assert!(!Said::Other.is_same(&Said::Other));
    }
}

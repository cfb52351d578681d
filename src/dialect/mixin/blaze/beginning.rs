//! What a message says about itself before it is whole.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};

/// The id and the action of a request, as far as they are known.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Beginning {
    /// Under which its answer goes.
    pub id: Option<String>,
    /// What it asks for.
    pub action: Option<String>,
}

impl Beginning {
    /// Reads JSON as far as it goes. All known clients write id and action first.
    #[must_use]
    pub fn of(json: &[u8]) -> Self {
        let mut beginning = Self::default();
        // It ends too early; what was read by then is what there is.
        let _ = serde_json::Deserializer::from_slice(json).deserialize_map(&mut beginning);
        beginning
    }
}

impl<'de> Visitor<'de> for &mut Beginning {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(name) = map.next_key::<Cow<'de, str>>()? {
            match name.as_ref() {
                "id" => self.id = Some(map.next_value()?),
                "action" => self.action = Some(map.next_value()?),
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_there_is_found_and_nothing_else() {
        let of = |json: &str| {
            let Beginning { id, action } = Beginning::of(json.as_bytes());
            (id.unwrap_or_default(), action.unwrap_or_default())
        };
        let both = ("1".to_owned(), "A".to_owned());
        assert_eq!(of(r#"{"id":"1","action":"A","params":{"messages":[{"#), both);
        assert_eq!(of(r#"{"params":{"id":"2"},"action":"A","id":"1"}"#), both);
        assert_eq!(of(r#"{"id":"1","act"#), ("1".to_owned(), String::new()));
        for none in ["", "{", "[1]", r#"{"id":"1"#, r#"{"id":1,"action":"A"}"#, "\u{1}"] {
            assert_eq!(of(none), (String::new(), String::new()), "{none}");
        }
    }
}

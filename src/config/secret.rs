//! Settings that are nobody else's business.

use std::cell::Cell;
use std::fmt;

use serde::de::{Deserializer, Error, Visitor};
use serde::{Deserialize, Serialize, Serializer};

/// What is shown in the place of a secret.
pub const NOT_SHOWN: &str = "(not shown)";

/// A setting that is never shown: neither printed, nor quoted by an error.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secret(String);

thread_local! {
    /// Whether what is serialised at this moment is for people to look at.
    static HIDDEN: Cell<bool> = const { Cell::new(false) };
}

/// Does `work`, which serialises settings, and hides each secret among them wherever it stands.
pub(super) fn hiding<T>(work: impl FnOnce() -> T) -> T {
    struct Until;
    impl Drop for Until {
        fn drop(&mut self) {
            HIDDEN.set(false);
        }
    }
    HIDDEN.set(true);
    let _until = Until;
    work()
}

impl Secret {
    /// The setting itself, for whoever uses it.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(if self.is_empty() { "" } else { NOT_SHOWN }, f)
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let is_hidden = HIDDEN.get() && !self.is_empty();
        serializer.serialize_str(if is_hidden { NOT_SHOWN } else { &self.0 })
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Text)
    }
}

/// Takes a text. The complaint about anything else would quote it, so each kind has one of ours.
struct Text;

const NO_TEXT: &str = "this setting is a text: put it in quotes";

impl Visitor<'_> for Text {
    type Value = Secret;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Secret, E> {
        Ok(text.into())
    }

    fn visit_i64<E: Error>(self, _number: i64) -> Result<Secret, E> {
        Err(E::custom(NO_TEXT))
    }

    fn visit_f64<E: Error>(self, _number: f64) -> Result<Secret, E> {
        Err(E::custom(NO_TEXT))
    }

    fn visit_bool<E: Error>(self, _value: bool) -> Result<Secret, E> {
        Err(E::custom(NO_TEXT))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Serialize, Deserialize)]
    struct Holder {
        key: Secret,
    }

    #[test]
    fn a_secret_is_read_and_never_shown() {
        let holder: Holder = toml::from_str("key = \"hunter2\"").unwrap();
        assert_eq!(holder.key.reveal(), "hunter2");
        assert_eq!(format!("{holder:?}"), "Holder { key: \"(not shown)\" }");
        assert_eq!(format!("{:?}", Secret::default()), "\"\"");
    }

    #[test]
    fn a_secret_is_hidden_where_people_look_and_nowhere_else() {
        let holder: Holder = toml::from_str("key = \"hunter2\"").unwrap();
        let text = || toml::to_string(&holder).unwrap();
        assert_eq!(hiding(text), "key = \"(not shown)\"\n");
        assert_eq!(text(), "key = \"hunter2\"\n");
    }

    #[test]
    fn a_complaint_does_not_quote_it() {
        for bad in ["12345", "12.345", "true", "12345-06-07", "[12345]", "{ a = 12345 }"] {
            let error = toml::from_str::<Holder>(&format!("key = {bad}")).unwrap_err();
            assert!(!error.message().contains("12"), "{}", error.message());
        }
    }
}

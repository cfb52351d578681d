//! Identifiers of users, sessions, conversations, messages and attachments.
//!
//! All of them are UUIDs, and mixing two of them up is the easiest mistake in this protocol, so
//! each kind is a type of its own. Text is the 36-character hyphenated form: lower case on output,
//! any case on input, and nothing else is understood.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::marker::PhantomData;
use std::str::FromStr;

use rand_core::CryptoRng;
use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use uuid::Uuid;

/// Length of the only accepted text form.
const TEXT_LENGTH: usize = 36;

/// An identifier whose kind is checked by the compiler.
///
/// Ordering is by bytes, which is also the order of the lower-case text.
///
/// ```
/// use sealpost_sdk::ids::UserId;
///
/// let id: UserId = "6B1E2C5E-0000-4000-8000-0000000000AA".parse()?;
/// assert_eq!(id.to_string(), "6b1e2c5e-0000-4000-8000-0000000000aa");
/// assert!(UserId::parse("6b1e2c5e000040008000000000000aaa").is_err());
/// # Ok::<(), sealpost_sdk::ids::IdError>(())
/// ```
pub struct Id<Kind> {
    uuid: Uuid,
    kind: PhantomData<fn() -> Kind>,
}

/// Marks the id of an account: a person or a bot.
pub enum User {}
/// Marks the id of one signed-in device of an account.
pub enum Session {}
/// Marks the id of a conversation.
pub enum Conversation {}
/// Marks the id of a message, which is also its idempotency key.
pub enum Message {}
/// Marks the id of an attachment: an encrypted file.
pub enum Attachment {}
/// Marks the code by which one can join a group.
pub enum Code {}

/// Id of an account: a person or a bot.
pub type UserId = Id<User>;
/// Id of one signed-in device of an account.
pub type SessionId = Id<Session>;
/// Id of a conversation.
pub type ConversationId = Id<Conversation>;
/// Id of a message, which is also its idempotency key.
pub type MessageId = Id<Message>;
/// Id of an attachment: an encrypted file.
pub type AttachmentId = Id<Attachment>;
/// The code by which one can join a group.
pub type CodeId = Id<Code>;

/// Why a text is no id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// The text has another length than the hyphenated form.
    #[error("an id has 36 characters, this text has {length} bytes")]
    Length {
        /// Length of the text in bytes.
        length: usize,
    },
    /// The text has the right length but is not hexadecimal with hyphens in the usual places.
    #[error("an id is hexadecimal with hyphens after 8, 12, 16 and 20 digits")]
    Form,
}

impl<Kind> Id<Kind> {
    /// Takes the 16 bytes as they are.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self::from_uuid(Uuid::from_bytes(bytes))
    }

    /// Gives a UUID its kind.
    #[must_use]
    pub const fn from_uuid(uuid: Uuid) -> Self {
        Self { uuid, kind: PhantomData }
    }

    /// Makes a version 4 id.
    pub fn random(rng: &mut (impl CryptoRng + ?Sized)) -> Self {
        let mut bytes = [0; 16];
        rng.fill_bytes(&mut bytes);
        Self::from_uuid(uuid::Builder::from_random_bytes(bytes).into_uuid())
    }

    /// Reads the hyphenated form, in any case.
    ///
    /// # Errors
    /// When the text is anything else, including the braced, URN and unhyphenated forms.
    pub fn parse(text: &str) -> Result<Self, IdError> {
        if text.len() != TEXT_LENGTH {
            return Err(IdError::Length { length: text.len() });
        }
        Uuid::try_parse(text).map(Self::from_uuid).map_err(|_| IdError::Form)
    }

    /// The 16 bytes, as they stand in an envelope.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        self.uuid.as_bytes()
    }

    /// The id without its kind.
    #[must_use]
    pub const fn uuid(self) -> Uuid {
        self.uuid
    }
}

impl<Kind> Clone for Id<Kind> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<Kind> Copy for Id<Kind> {}

impl<Kind> PartialEq for Id<Kind> {
    fn eq(&self, other: &Self) -> bool {
        self.uuid == other.uuid
    }
}

impl<Kind> Eq for Id<Kind> {}

impl<Kind> PartialOrd for Id<Kind> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<Kind> Ord for Id<Kind> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.uuid.cmp(&other.uuid)
    }
}

impl<Kind> Hash for Id<Kind> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.uuid.hash(state);
    }
}

impl<Kind> fmt::Display for Id<Kind> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.uuid.hyphenated(), formatter)
    }
}

impl<Kind> fmt::Debug for Id<Kind> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

impl<Kind> FromStr for Id<Kind> {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        Self::parse(text)
    }
}

impl<Kind> Serialize for Id<Kind> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut buffer = Uuid::encode_buffer();
        serializer.serialize_str(self.uuid.hyphenated().encode_lower(&mut buffer))
    }
}

impl<'de, Kind> Deserialize<'de> for Id<Kind> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(IdVisitor(PhantomData))
    }
}

struct IdVisitor<Kind>(PhantomData<fn() -> Kind>);

impl<Kind> Visitor<'_> for IdVisitor<Kind> {
    type Value = Id<Kind>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an id of 36 characters")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Id<Kind>, E> {
        Id::parse(text).map_err(E::custom)
    }
}

#[cfg(feature = "openapi")]
mod openapi {
    use std::borrow::Cow;

    use utoipa::openapi::schema::{ObjectBuilder, SchemaFormat, Type};
    use utoipa::openapi::{RefOr, Schema};
    use utoipa::{PartialSchema, ToSchema};

    use super::Id;

    impl<Kind> PartialSchema for Id<Kind> {
        fn schema() -> RefOr<Schema> {
            ObjectBuilder::new()
                .schema_type(Type::String)
                .format(Some(SchemaFormat::Custom("uuid".to_owned())))
                .description(Some("UUID in its hyphenated form; lower case on output"))
                .examples(["6b1e2c5e-7f33-4b1a-9d58-2f0c6c1b7a10"])
                .into()
        }
    }

    impl<Kind> ToSchema for Id<Kind> {
        fn name() -> Cow<'static, str> {
            Cow::Borrowed("Uuid")
        }
    }

    #[cfg(test)]
    mod tests {
        use utoipa::PartialSchema;

        use crate::types::SessionReference;

        #[test]
        #[expect(clippy::unwrap_used, reason = "tests")]
        fn ids_of_every_kind_are_one_schema() {
            let schema = serde_json::to_value(SessionReference::schema()).unwrap();
            let session = schema.pointer("/properties/session_id").unwrap().to_string();
            assert!(session.contains("#/components/schemas/Uuid"), "{session}");
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

    use super::*;

    const TEXT: &str = "0f8fad5b-d9cb-469f-a165-70867728950e";

    #[test]
    fn upper_case_is_read_and_lower_case_is_written() {
        let id = SessionId::parse(&TEXT.to_uppercase()).unwrap();
        assert_eq!(id.to_string(), TEXT);
        assert_eq!(format!("{id:?}"), TEXT);
    }

    #[test]
    fn every_other_uuid_form_is_refused() {
        for text in [
            "",
            "0f8fad5bd9cb469fa16570867728950e",
            "{0f8fad5b-d9cb-469f-a165-70867728950e}",
            "urn:uuid:0f8fad5b-d9cb-469f-a165-70867728950e",
            " 0f8fad5b-d9cb-469f-a165-70867728950e",
        ] {
            let length = text.len();
            assert_eq!(SessionId::parse(text), Err(IdError::Length { length }), "{text}");
        }
        for text in [
            "0f8fad5b-d9cb-469f-a165-70867728950g",
            "0f8fad5bd-9cb-469f-a165-70867728950e",
            "0f8fad5b+d9cb-469f-a165-70867728950e",
            "ééééééééé-é-é-é-éé",
            "------------------------------------",
        ] {
            assert!(SessionId::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn byte_order_is_text_order() {
        let low = UserId::from_bytes([1; 16]);
        let high = UserId::from_bytes([0xf0; 16]);
        assert!(low < high);
        assert!(low.to_string() < high.to_string());
    }

    #[test]
    fn random_ids_are_version_four_and_repeatable_from_a_seed() {
        let id = MessageId::random(&mut ChaCha20Rng::from_seed([7; 32]));
        assert_eq!(id.uuid().get_version_num(), 4);
        assert_eq!(id, MessageId::random(&mut ChaCha20Rng::from_seed([7; 32])));
    }

    #[test]
    fn json_is_the_text_form() {
        let id: UserId = serde_json::from_str(&format!("\"{TEXT}\"")).unwrap();
        assert_eq!(serde_json::to_string(&id).unwrap(), format!("\"{TEXT}\""));
        assert!(serde_json::from_str::<UserId>("7").is_err());
        let error = serde_json::from_str::<UserId>("\"7\"").unwrap_err();
        assert!(error.to_string().starts_with("an id has 36 characters, this text has 1 bytes"));
    }
}

//! One item of a batch, from JSON to a [`Submission`].
//!
//! Everything that can be wrong with an item by itself is found here and named by its field.

use std::borrow::Cow;
use std::fmt::Display;

use bytes::Bytes;
use sealpost_sdk::base64url;
use sealpost_sdk::checksum::Checksum;
use sealpost_sdk::envelope;
use sealpost_sdk::ids::Id;
use sealpost_sdk::types::{SessionReference, category};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::plain::{self, PlainMessages};
use super::request;
use crate::domain::error::Fault;
use crate::domain::gateway::Limits;
use crate::domain::inbox::Details;
use crate::domain::submit::{Addressees, Content, OnStale, SealedContent, Submission};

/// The longest that a message may ask its readers to keep it, in seconds: a year.
const LONGEST_EXPIRE_IN: i64 = 366 * 24 * 60 * 60;

/// An item as it stands in the body. Everything is optional here, so that what is missing can be
/// named; unknown members are ignored.
#[derive(Deserialize)]
struct Item<'a> {
    #[serde(borrow, default)]
    conversation_id: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    recipient_id: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    message_id: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    category: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    data_base64: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    data: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    checksum: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    conversation_checksum: Option<Cow<'a, str>>,
    #[serde(default)]
    recipient_sessions: Option<Vec<SessionReference>>,
    #[serde(borrow, default)]
    representative_id: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    quote_message_id: Option<Cow<'a, str>>,
    #[serde(default)]
    silent: Option<bool>,
    #[serde(default)]
    expire_in: Option<i64>,
}

/// Where an item came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Door {
    /// `POST /encrypted_messages`: every category.
    EncryptedMessages,
    /// `POST /messages`: the readable categories.
    Messages,
    /// The socket: every category, and people's clients speak of the conversation as they know it.
    Socket,
}

/// What is taken, and how.
#[derive(Clone, Copy, Debug)]
pub struct Rules<'a> {
    /// Where items come in.
    pub door: Door,
    /// What becomes of those whose list is stale.
    pub on_stale: OnStale,
    /// Whether readable categories are taken.
    pub plain: PlainMessages,
    /// How much is taken.
    pub limits: &'a Limits,
}

/// How the sender names an item, as far as it can be told; goes into the receipt as it came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Label {
    /// `message_id`.
    pub message_id: String,
    /// `recipient_id`.
    pub recipient_id: String,
}

/// Takes a body apart into its items.
///
/// # Errors
/// [`Fault::Malformed`] when it is neither an object nor an array of objects, [`Fault::Invalid`]
/// for an empty array, [`Fault::TooLarge`] for more items than a batch may have.
pub fn items<'a>(body: &'a [u8], limits: &Limits) -> Result<Vec<&'a RawValue>, Fault> {
    let items: Vec<&RawValue> = match body.iter().find(|byte| !byte.is_ascii_whitespace()) {
        Some(b'{') => vec![whole_body(body)?],
        Some(b'[') => whole_body(body)?,
        _ => {
            return Err(Fault::malformed("the body is neither a JSON array nor an object"));
        }
    };
    if items.is_empty() {
        return Err(Fault::invalid("body", "the array has no items"));
    }
    request::at_most(limits.batch_items, items.len())?;
    match items.iter().position(|item| !item.get().starts_with('{')) {
        Some(index) => Err(Fault::malformed(format!("item {index} is not an object"))),
        None => Ok(items),
    }
}

fn whole_body<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, Fault> {
    serde_json::from_slice(body)
        .map_err(|error| Fault::malformed(format!("the body is not JSON: {error}")))
}

/// How the sender names an item that could not be read.
#[must_use]
pub fn label(item: &RawValue) -> Label {
    let value: serde_json::Value = serde_json::from_str(item.get()).unwrap_or_default();
    let text = |name| value.get(name).and_then(|text| text.as_str()).unwrap_or_default();
    // An answer must not become a mirror for whatever somebody sends.
    let short = |name| text(name).chars().take(64).collect();
    Label { message_id: short("message_id"), recipient_id: short("recipient_id") }
}

/// Reads one item.
///
/// # Errors
/// The fault of this item alone, with its field.
pub fn submission(item: &RawValue, rules: &Rules<'_>) -> Result<Submission, Fault> {
    let text = item.get();
    let item: Item<'_> = match serde_json::from_str(text) {
        Ok(item) => item,
        // The slower way, which knows the field's name.
        Err(_) => request::parse(text.as_bytes())?,
    };
    let conversation = required("conversation_id", item.conversation_id.as_deref())?;
    let message_id = required("message_id", item.message_id.as_deref())?;
    let (to, checksum) = addressees(&item, rules.door)?;
    let category = item.category.as_deref().ok_or_else(|| missing("category"))?;
    let sealed = is_sealed(category, rules)?;
    if sealed && checksum.is_none() {
        return Err(missing("checksum"));
    }
    let (field, data) = match (&item.data_base64, &item.data) {
        (Some(data), _) if !data.is_empty() => ("data_base64", data),
        (_, Some(data)) if !data.is_empty() => ("data", data),
        _ => return Err(missing("data_base64")),
    };
    let bytes = base64url::decode(data).map(Bytes::from);
    let bytes = bytes.map_err(|error| Fault::invalid(field, error.to_string()))?;
    let content = match sealed {
        true => Content::Sealed(sealed_content(field, &bytes, rules.limits)?),
        false => Content::Plain(plain::content(category, field, bytes, rules.limits)?),
    };
    let expire_in = item.expire_in.unwrap_or(0);
    if !(0..=LONGEST_EXPIRE_IN).contains(&expire_in) {
        let reason = format!("is {expire_in} s, allowed are 0 to {LONGEST_EXPIRE_IN}");
        return Err(Fault::invalid("expire_in", reason));
    }
    let named = item.recipient_sessions.filter(|named| !named.is_empty());
    Ok(Submission {
        message_id,
        conversation,
        to,
        category: category.to_owned(),
        // Readable messages go without; some clients say so by the empty text.
        checksum: checksum.filter(|checksum| sealed || !checksum.is_empty()),
        named_sessions: named.map(|list| list.iter().map(|one| one.session_id).collect()),
        content,
        on_stale: rules.on_stale,
        details: Details {
            representative: optional("representative_id", item.representative_id.as_deref())?,
            quote: optional("quote_message_id", item.quote_message_id.as_deref())?,
            silent: item.silent.unwrap_or(false),
            expire_in,
        },
    })
}

/// For whom an item is, and the sender's idea of them. People's clients send the checksum over what
/// they were told of the conversation, their other devices included.
fn addressees(item: &Item<'_>, door: Door) -> Result<(Addressees, Option<Checksum>), Fault> {
    let known = item.conversation_checksum.as_deref().filter(|_| door == Door::Socket);
    // Some send an empty one beside `checksum`.
    if let Some(known) = known.filter(|known| !known.is_empty() || item.checksum.is_none()) {
        let checksum = checksum("conversation_checksum", Some(known))?;
        return Ok((Addressees::Everyone, checksum));
    }
    let recipient = optional("recipient_id", item.recipient_id.as_deref())?;
    let to = recipient.map_or(Addressees::Others, Addressees::One);
    Ok((to, checksum("checksum", item.checksum.as_deref())?))
}

/// Whether what is inside is sealed, when this category is taken here.
fn is_sealed(name: &str, rules: &Rules<'_>) -> Result<bool, Fault> {
    if category::is_encrypted(name) {
        return match rules.door {
            Door::EncryptedMessages | Door::Socket => Ok(true),
            Door::Messages => {
                let reason = format!("`{name}` belongs to POST /encrypted_messages");
                Err(Fault::invalid("category", reason))
            }
        };
    }
    plain::require_taken(name, rules.plain)?;
    Ok(false)
}

fn sealed_content(
    field: &'static str,
    bytes: &Bytes,
    limits: &Limits,
) -> Result<SealedContent, Fault> {
    let unfit = |error: &dyn Display| Fault::invalid(field, error.to_string());
    let envelope = envelope::parse(bytes).map_err(|error| unfit(&error))?;
    let size = envelope.ciphertext().len();
    if size > limits.ciphertext_bytes {
        let limit = limits.ciphertext_bytes;
        let reason = format!("has {size} bytes of ciphertext, the limit is {limit}");
        return Err(Fault::invalid(field, reason));
    }
    let slots = envelope.slots().map(|slot| (slot.session, bytes.slice_ref(slot.bytes)));
    Ok(SealedContent {
        sender_key: envelope.sender_key(),
        body: envelope.shared_bytes().into(),
        slots: slots.collect(),
    })
}

/// A checksum that may be absent; the empty text stands for nobody at all.
fn checksum(field: &'static str, value: Option<&str>) -> Result<Option<Checksum>, Fault> {
    let parse =
        |text| Checksum::parse(text).map_err(|error| Fault::invalid(field, error.to_string()));
    value.map(parse).transpose()
}

fn missing(field: &'static str) -> Fault {
    Fault::invalid(field, "is missing")
}

fn required<Kind>(field: &'static str, value: Option<&str>) -> Result<Id<Kind>, Fault> {
    optional(field, value)?.ok_or_else(|| missing(field))
}

/// An id that may be absent, `null` or empty.
fn optional<Kind>(field: &'static str, value: Option<&str>) -> Result<Option<Id<Kind>>, Fault> {
    let Some(value) = value.filter(|value| !value.is_empty()) else {
        return Ok(None);
    };
    Id::parse(value).map(Some).map_err(|error| Fault::invalid(field, error.to_string()))
}

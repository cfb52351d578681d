//! Categories whose content the gateway can read: refused unless the operator wants them.

use bytes::Bytes;
use sealpost_sdk::ids::MessageId;
use sealpost_sdk::types::category;
use serde::Deserialize;

use crate::domain::error::Fault;
use crate::domain::gateway::Limits;

/// Whether messages that the gateway can read are taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PlainMessages {
    /// None but recalls, which hold nothing but an id.
    #[default]
    Refuse,
    /// All.
    Allow,
}

/// The longest content of a recall, in bytes.
const LONGEST_RECALL: usize = 1024;

/// What a recall holds.
#[derive(Deserialize)]
struct Recall {
    #[expect(dead_code, reason = "it is enough that it is an id")]
    message_id: MessageId,
}

/// Refuses categories that are unknown, and those that the operator does not want.
///
/// # Errors
/// [`Fault::Invalid`] and [`Fault::Forbidden`], both for `category`.
pub fn require_taken(name: &str, plain: PlainMessages) -> Result<(), Fault> {
    if !category::is_known(name) {
        return Err(Fault::invalid("category", "is none of the categories that accounts may send"));
    }
    if name == category::MESSAGE_RECALL || plain == PlainMessages::Allow {
        return Ok(());
    }
    let reason = format!(
        "`{name}` is readable by the gateway, and its operator has not set \
         dialects.mixin.plain_messages = \"allow\""
    );
    Err(Fault::forbidden_field("category", reason))
}

/// The content of a readable message. A recall is checked for its form alone: the gateway keeps no
/// record of who sent what once it was read, so whether the message was the sender's own is for its
/// readers to see.
///
/// # Errors
/// [`Fault::Invalid`] for `field`.
pub fn content(
    name: &str,
    field: &'static str,
    bytes: Bytes,
    limits: &Limits,
) -> Result<Bytes, Fault> {
    let limit = match name == category::MESSAGE_RECALL {
        true => LONGEST_RECALL,
        false => limits.ciphertext_bytes,
    };
    let size = bytes.len();
    if size > limit {
        return Err(Fault::invalid(field, format!("has {size} bytes, the limit is {limit}")));
    }
    if name == category::MESSAGE_RECALL && serde_json::from_slice::<Recall>(&bytes).is_err() {
        return Err(Fault::invalid(field, "is not JSON with the `message_id` of a message"));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recall_is_taken_whatever_the_operator_wants() {
        for plain in [PlainMessages::Refuse, PlainMessages::Allow] {
            assert!(require_taken(category::MESSAGE_RECALL, plain).is_ok());
        }
        assert!(require_taken("PLAIN_TEXT", PlainMessages::Allow).is_ok());
        let refused = require_taken("PLAIN_TEXT", PlainMessages::Refuse).unwrap_err();
        assert!(refused.to_string().contains("dialects.mixin.plain_messages"), "{refused}");
        assert!(require_taken("SYSTEM_CONVERSATION", PlainMessages::Allow).is_err());
    }

    #[test]
    fn a_recall_names_a_message_and_nothing_long() {
        let content = |text: &str| {
            let bytes = Bytes::copy_from_slice(text.as_bytes());
            content(category::MESSAGE_RECALL, "data", bytes, &Limits::default())
        };
        let good = r#"{"message_id":"00000000-0000-4000-8000-000000000001"}"#;
        assert!(content(good).is_ok());
        assert!(content(r#"{"message_id":"1"}"#).is_err());
        assert!(content(&format!("{good}{}", " ".repeat(1024))).is_err());
    }
}

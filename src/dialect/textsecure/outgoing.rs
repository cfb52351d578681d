//! Messages as clients write them, in both editions, and the envelopes that come of them.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::auth::BASE64;
use super::envelope::Envelope;
use super::json::number;
use crate::domain::clock::Timestamp;
use crate::domain::error::Fault;
use crate::domain::phone::DeviceNumber;
use crate::domain::phone::sending::Part;

/// What a request for sending says; some clients of the second edition say more, which is passed
/// over.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = OutgoingMessageList)]
pub(super) struct MessageList {
    /// Where the phone is that all of the list is for; of the second edition.
    #[serde(default)]
    #[schema(example = "node-b.example")]
    pub(super) relay: Option<String>,
    /// When all of it was sent.
    #[schema(example = 1393000000000_i64)]
    #[serde(default, deserialize_with = "number")]
    timestamp: i64,
    /// The messages.
    pub(super) messages: Vec<Message>,
}

/// One message.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = OutgoingMessage)]
pub(super) struct Message {
    /// What it is, to its readers: 1 is an ordinary message, 3 one with a prekey. Nobody looks at it here.
    #[schema(example = 1)]
    #[serde(rename = "type", default, deserialize_with = "number")]
    kind: i32,
    /// To whom; of the first edition.
    #[schema(example = "+14152222222")]
    #[serde(default)]
    pub(super) destination: Option<String>,
    /// Where that phone is; of the first edition.
    #[serde(default)]
    pub(super) relay: Option<String>,
    /// Which device of it.
    #[schema(example = 1)]
    #[serde(default = "first_device", deserialize_with = "number")]
    pub(super) destination_device_id: u32,
    /// Which installation of the device.
    #[schema(example = 4711)]
    #[serde(default, deserialize_with = "number")]
    pub(super) destination_registration_id: u32,
    /// What is sent, in base64 with padding or without.
    #[schema(example = "aGVsbG8=")]
    #[serde(default)]
    body: Option<String>,
    /// The same for later clients; one of the two there must be.
    #[serde(default)]
    content: Option<String>,
    /// When this message was sent, unless the list says when; milliseconds since 1970.
    #[serde(default, deserialize_with = "number")]
    timestamp: i64,
}

fn first_device() -> u32 {
    1
}

/// What all envelopes of a request have in common.
pub(super) struct Letterhead<'a> {
    /// The number of who sends.
    pub(super) source: &'a str,
    /// The device that sends.
    pub(super) device: DeviceNumber,
    /// The gateway that it is at, unless that is this one.
    pub(super) relay: Option<&'a str>,
    /// The present moment.
    pub(super) now: Timestamp,
    /// The most bytes of one message.
    pub(super) most: usize,
}

impl MessageList {
    /// The envelopes of the messages, in their order.
    ///
    /// # Errors
    /// [`Fault::Invalid`] when a message has no body or one that cannot be read,
    /// [`Fault::TooLarge`] when it is too large.
    pub(super) fn envelopes(&self, head: &Letterhead<'_>) -> Result<Vec<Envelope>, Fault> {
        self.messages.iter().map(|message| self.envelope(message, head)).collect()
    }

    fn envelope(&self, message: &Message, head: &Letterhead<'_>) -> Result<Envelope, Fault> {
        let body = decoded("body", message.body.as_deref(), head.most)?;
        let content = decoded("content", message.content.as_deref(), head.most)?;
        if body.is_none() && content.is_none() {
            return Err(Fault::invalid("body", "is missing"));
        }
        let said = [self.timestamp, message.timestamp].into_iter().find(|time| *time > 0);
        let timestamp = said.unwrap_or_else(|| head.now.as_micros() / 1000);
        Ok(Envelope {
            kind: Some(message.kind),
            source: Some(head.source.to_owned()),
            relay: head.relay.map(str::to_owned),
            timestamp: u64::try_from(timestamp).ok(),
            message: body,
            source_device: Some(head.device.0),
            content,
            ..Envelope::default()
        })
    }
}

impl Message {
    /// The message as what its device gets.
    pub(super) fn part(&self, envelope: &Envelope) -> Part {
        Part {
            device: DeviceNumber(self.destination_device_id),
            registration: self.destination_registration_id,
            bytes: envelope.to_bytes(),
        }
    }

    /// The message as another gateway reads it. Older ones lose the end of what has no padding.
    fn forwarded(&self, envelope: &Envelope) -> Value {
        let text = |bytes: &Option<Bytes>| bytes.as_ref().map(|bytes| STANDARD.encode(bytes));
        let mut message = json!({
            "type": self.kind,
            "destinationDeviceId": self.destination_device_id,
            "destinationRegistrationId": self.destination_registration_id,
            "timestamp": envelope.timestamp,
        });
        for (name, bytes) in [("body", &envelope.message), ("content", &envelope.content)] {
            if let Some(text) = text(bytes) {
                message[name] = Value::String(text);
            }
        }
        message
    }
}

/// Messages as another gateway reads them.
pub(super) fn forwarded(messages: &[Message], envelopes: &[Envelope]) -> Bytes {
    let list = messages.iter().zip(envelopes).map(|(message, it)| message.forwarded(it));
    let list: Vec<_> = list.collect();
    json!({ "messages": list }).to_string().into()
}

/// The bytes of a text in base64, with padding or without; nothing for an empty one.
fn decoded(field: &'static str, text: Option<&str>, most: usize) -> Result<Option<Bytes>, Fault> {
    let Some(text) = text.filter(|text| !text.is_empty()) else { return Ok(None) };
    let bytes = BASE64.decode(text).map_err(|_| Fault::invalid(field, "is not base64"))?;
    require_at_most(&bytes, most)?;
    Ok(Some(bytes.into()))
}

/// Refuses a message that is too large.
///
/// # Errors
/// [`Fault::TooLarge`].
pub(super) fn require_at_most(bytes: &[u8], most: usize) -> Result<(), Fault> {
    if bytes.len() <= most {
        return Ok(());
    }
    let (actual, limit) = (bytes.len() as u64, most as u64);
    Err(Fault::TooLarge { what: "the size of a message in bytes", actual, limit })
}

#[cfg(test)]
mod tests {
    use super::super::json::parse;
    use super::*;

    #[test]
    fn a_body_may_be_padded_or_not_and_is_decoded_to_its_end() {
        for text in ["aGVsbG8gd29ybGQ=", "aGVsbG8gd29ybGQ"] {
            assert_eq!(decoded("body", Some(text), 11).unwrap().unwrap(), "hello world");
        }
        assert!(matches!(decoded("body", Some("aGVs!"), 11), Err(Fault::Invalid { .. })));
        assert!(matches!(
            decoded("body", Some("aGVsbG8gd29ybGQ"), 10),
            Err(Fault::TooLarge { .. })
        ));
        assert_eq!(decoded("content", Some(""), 0).unwrap(), None);
    }

    #[test]
    fn numbers_may_stand_in_quotes_and_have_their_usual_values() {
        let text =
            r#"{"messages":[{"type":"1","destinationDeviceId":"2","timestamp":"5","x":0},{}]}"#;
        let list: MessageList = parse(text.as_bytes()).unwrap();
        let shown: Vec<_> = (list.messages.iter())
            .map(|it| {
                let device = it.destination_device_id;
                (it.kind, device, it.destination_registration_id, it.timestamp)
            })
            .collect();
        assert_eq!(shown, [(1, 2, 0, 5), (0, 1, 0, 0)]);
        assert!(parse::<MessageList>(b"{}").is_err());
    }
}

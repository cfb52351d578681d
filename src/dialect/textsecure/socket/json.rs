//! The frames of the first kind of socket: JSON.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Deserializer, Serialize};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use super::language::Said;
use crate::dialect::textsecure::json;

/// The types of what a client says, and of our answer.
const ACKNOWLEDGED: u32 = 1;
const PING: u32 = 2;
const PONG: &str = r#"{"type":3}"#;

/// What the gateway sends.
#[derive(Serialize)]
struct Delivered {
    id: u64,
    /// With padding: the first clients lose the end of what has none.
    message: String,
}

/// What a client sends.
#[derive(Deserialize)]
struct Frame {
    #[serde(default, rename = "type", deserialize_with = "json::number")]
    kind: u32,
    #[serde(default, deserialize_with = "some_number")]
    id: Option<u64>,
}

fn some_number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    json::number(deserializer).map(Some)
}

/// The frame that brings a message.
pub(super) fn message(id: u64, sealed: &[u8]) -> Message {
    let frame = Delivered { id, message: STANDARD.encode(sealed) };
    let text = serde_json::to_string(&frame).expect("a number and a text are JSON");
    Message::Text(text.into())
}

/// What a frame says.
pub(super) fn heard(text: &[u8]) -> Said {
    match json::parse::<Frame>(text) {
        Ok(Frame { kind: ACKNOWLEDGED, id: Some(id) }) => Said::Acknowledged(id),
        Ok(Frame { kind: ACKNOWLEDGED, id: None }) => {
            Said::Broken(CloseCode::Policy, "the id is missing")
        }
        Ok(Frame { kind: PING, .. }) => Said::Asked(Message::Text(PONG.into()), None),
        Ok(_) => Said::Broken(CloseCode::Policy, "Unknown Type"),
        Err(_) => Said::Broken(CloseCode::Policy, "the frame cannot be read"),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_frame_makes_a_panic(text: String) {
            heard(text.as_bytes());
        }
    }

    #[test]
    fn a_message_is_padded_base64_under_its_id() {
        let expected = r#"{"id":7,"message":"AQI="}"#;
        assert_eq!(message(7, &[1, 2]), Message::Text(expected.into()));
    }

    #[test]
    fn numbers_may_stand_in_quotes() {
        for text in [r#"{"type":1,"id":5}"#, r#"{"id":"5","type":"1","more":[]}"#] {
            assert_eq!(heard(text.as_bytes()), Said::Acknowledged(5), "{text}");
        }
    }

    #[test]
    fn a_ping_is_answered_and_anything_else_breaks_the_rules() {
        assert_eq!(heard(br#"{"type":2}"#), Said::Asked(Message::Text(PONG.into()), None));
        for (text, reason) in [
            (r#"{"type":3}"#, "Unknown Type"),
            (r#"{"id":1}"#, "Unknown Type"),
            (r#"{"type":1}"#, "the id is missing"),
            (r#"{"type":1,"id":null}"#, "the frame cannot be read"),
            (r#"{"type":-1}"#, "the frame cannot be read"),
            ("", "the frame cannot be read"),
            ("7", "the frame cannot be read"),
        ] {
            assert_eq!(heard(text.as_bytes()), Said::Broken(CloseCode::Policy, reason), "{text}");
        }
    }
}

//! What a notification says of a message in this protocol: the envelope, encrypted as it is for
//! every way to the device, in base64 with padding.

use base64::Engine;
use base64::prelude::BASE64_STANDARD as BASE64;
use bytes::Bytes;
use prost::Message;

use super::envelope::{Envelope, encrypt};
use crate::domain::ports::Notification;

/// The notification that carries an envelope.
#[must_use]
pub fn dress(signalling_key: &[u8; 52], iv: [u8; 16], envelope: &Bytes) -> Notification {
    let text = BASE64.encode(encrypt(signalling_key, iv, envelope));
    match Envelope::decode(envelope.clone()) {
        Ok(envelope) if envelope.is_receipt() => Notification::Receipt(text),
        _ => Notification::Message(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Counting bytes from a number on.
    fn counting<const LENGTH: usize>(first: u8) -> [u8; LENGTH] {
        let mut next = first;
        [(); LENGTH].map(|()| {
            next += 1;
            next - 1
        })
    }

    #[test]
    fn a_message_is_carried_encrypted_and_a_receipt_under_its_own_name() {
        let message = "hello".to_owned().into_bytes().into();
        let envelope = Envelope {
            kind: Some(1),
            source: Some("+14152222222".to_owned()),
            source_device: Some(1),
            timestamp: Some(1_393_000_000_000),
            message: Some(message),
            ..Envelope::default()
        };
        let dressed = dress(&counting(0), counting(0xa0), &envelope.to_bytes());
        let expected = "AaChoqOkpaanqKmqq6ytrq8sz0cixAQbAHStsOTXjR2HcXzqjA1c4FdurHcRtbTA+vh0XfDTCPad\
                        EbLMrNMFKii4+dhstf6LWq4C";
        assert_eq!(dressed, Notification::Message(expected.to_owned()));
        let receipt = Envelope { kind: Some(5), ..envelope };
        let dressed = dress(&counting(0), counting(0xa0), &receipt.to_bytes());
        assert!(matches!(dressed, Notification::Receipt(_)));
    }
}

//! Codes for a program of the operator's, which brings them to a modem, a chat or wherever.
//!
//! `POST` with JSON:
//!
//! ```json
//! {"number":"+14152222222","transport":"sms","code":"123456","text":"Your TextSecure …"}
//! ```
//!
//! and two headers: `Sealpost-Timestamp`, the seconds since 1970, and `Sealpost-Signature`, `v1=`
//! and in hex the HMAC-SHA256, under the secret, of the timestamp, a full stop and the body. The
//! program should refuse what is older than some minutes. Any status from 200 to 299 says that the
//! program took it.

use std::fmt::Write;
use std::sync::Arc;

use hmac::{Hmac, KeyInit, Mac};
use serde::Serialize;
use sha2::Sha256;

use super::{CarryError, accepted};
use crate::config::Secret;
use crate::config::dialects::textsecure::codes;
use crate::domain::clock::Clock;
use crate::domain::ports::CodeMessage;
use crate::outside::client::{Client, JSON, Post};

/// A program that is told of codes.
pub(super) struct Webhook {
    url: Secret,
    secret: Secret,
    client: Client,
    clock: Arc<dyn Clock>,
}

#[derive(Serialize)]
struct Told<'message> {
    number: &'message str,
    transport: &'static str,
    code: &'message str,
    text: &'message str,
}

impl Webhook {
    pub(super) fn new(settings: &codes::Webhook, client: Client, clock: Arc<dyn Clock>) -> Self {
        Self { url: settings.url.clone(), secret: settings.secret.clone(), client, clock }
    }

    pub(super) async fn send(&self, message: &CodeMessage) -> Result<(), CarryError> {
        let text = message.text();
        let told = Told {
            number: message.number.as_str(),
            transport: message.transport.as_str(),
            code: &message.code,
            text: &text,
        };
        let body = serde_json::to_vec(&told).unwrap_or_default();
        let timestamp = self.clock.now().as_seconds().to_string();
        let signature = signature(self.secret.reveal().as_bytes(), &timestamp, &body);
        let post = Post::new(self.url.reveal(), JSON, body)
            .header("sealpost-timestamp", &timestamp)?
            .header("sealpost-signature", &signature)?;
        accepted(&self.client.post(post).await?)
    }
}

fn signature(secret: &[u8], timestamp: &str, body: &[u8]) -> String {
    // HMAC takes keys of any length.
    let mac = <Hmac<Sha256> as KeyInit>::new_from_slice(secret).expect("a key of any length");
    let mac = mac.chain_update(timestamp).chain_update(".").chain_update(body);
    mac.finalize().into_bytes().iter().fold("v1=".to_owned(), |mut hex, byte| {
        // Writing to a string does not fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_is_what_the_manual_says() {
        // printf '1767323045.{}' | openssl dgst -sha256 -hmac secret
        let expected = "v1=4a10b40c9c842e332be9ba9d790f8f8df44002dca45fd184d766fa8db55ef209";
        assert_eq!(signature(b"secret", "1767323045", b"{}"), expected);
    }
}

//! Codes through Twilio's REST API: a text message, or a call that speaks what it is given.

use base64::Engine;
use base64::prelude::BASE64_STANDARD as BASE64;
use zeroize::Zeroizing;

use super::{CarryError, accepted};
use crate::config::dialects::textsecure::codes;
use crate::domain::phone::{PhoneNumber, Transport};
use crate::domain::ports::CodeMessage;
use crate::outside::client::{Client, FORM, Post, form};

/// How the id of a service begins that picks a number by itself.
const MESSAGING_SERVICE: &str = "MG";

/// An account at Twilio.
pub(super) struct Twilio {
    /// Where the account's resources are.
    url: String,
    credentials: Zeroizing<String>,
    from: String,
    international: bool,
    client: Client,
}

impl Twilio {
    pub(super) fn new(settings: &codes::Twilio, client: Client) -> Self {
        let (base, account) = (settings.url.trim_end_matches('/'), &settings.account);
        let pair = Zeroizing::new(format!("{account}:{}", settings.token.reveal()));
        Self {
            url: format!("{base}/2010-04-01/Accounts/{account}"),
            credentials: Zeroizing::new(format!("Basic {}", BASE64.encode(pair.as_bytes()))),
            from: settings.from.clone(),
            international: settings.international,
            client,
        }
    }

    pub(super) async fn send(&self, message: &CodeMessage) -> Result<(), CarryError> {
        let number = &message.number;
        if !self.international && !is_north_american(number) {
            return Err(CarryError::NotServed);
        }
        let (resource, what, content) = match message.transport {
            Transport::Sms => ("Messages.json", "Body", message.text()),
            Transport::Voice => ("Calls.json", "Twiml", spoken(&message.text())),
        };
        let fields = [("To", number.as_str()), self.sender(message.transport), (what, &content)];
        let post = Post::new(format!("{}/{resource}", self.url), FORM, form(&fields))
            .header("authorization", &self.credentials)?;
        accepted(&self.client.post(post).await?)
    }

    /// From whom it comes; services are for messages alone.
    fn sender(&self, transport: Transport) -> (&str, &str) {
        let is_service = self.from.starts_with(MESSAGING_SERVICE) && transport == Transport::Sms;
        (if is_service { "MessagingServiceSid" } else { "From" }, &self.from)
    }
}

/// `+1` and ten digits, which is what the first servers left to Twilio.
fn is_north_american(number: &PhoneNumber) -> bool {
    number.as_str().starts_with("+1") && number.as_str().len() == 12
}

/// What Twilio is to do in the call. The text has letters, digits and `:,` in it and nothing that
/// XML would want otherwise.
fn spoken(text: &str) -> Zeroizing<String> {
    let say = format!("<Say voice=\"woman\" language=\"en\">{text}</Say>");
    Zeroizing::new(format!("<Response>{say}</Response>"))
}

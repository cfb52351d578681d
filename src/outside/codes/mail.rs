//! Codes by mail: to an address of the number's own, or to a service that makes text messages of
//! mails. A mail has the text of the code in it and nothing else, no subject either, so that such a
//! service sends the very text that phones look for.

use std::sync::Arc;
use std::time::Duration;

use crate::config::dialects::textsecure::codes::Smtp;
use crate::domain::clock::Clock;
use crate::domain::phone::PhoneNumber;
use crate::domain::ports::CodeMessage;
use crate::outside::mail::{MailError, MailServer, ServerSettings};
use crate::outside::reach::Reach;

/// A mail server that takes codes.
pub(super) struct Mail {
    server: MailServer,
    to: String,
    recipients: Vec<(PhoneNumber, String)>,
}

impl Mail {
    /// A server that is asked within `reach`, unless its address shall not be looked at.
    pub(super) fn open(
        settings: &Smtp,
        reach: &Reach,
        patience: Duration,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, MailError> {
        let server = ServerSettings {
            server: &settings.server,
            tls: settings.tls,
            check_address: settings.check_address,
            user: &settings.user,
            password: &settings.password,
            from: &settings.from,
        };
        Ok(Self {
            server: MailServer::open(&server, reach, patience, clock)?,
            to: settings.to.clone(),
            recipients: settings.recipients(),
        })
    }

    /// Hands a code over; `None` when nobody is written to about its number.
    pub(super) async fn send(&self, message: &CodeMessage) -> Option<Result<(), MailError>> {
        let to = self.address_of(&message.number)?;
        Some(self.server.deliver(&to, None, message.text().to_string()).await)
    }

    fn address_of(&self, number: &PhoneNumber) -> Option<String> {
        if let Some((_, address)) = self.recipients.iter().find(|(known, _)| known == number) {
            return Some(address.clone());
        }
        let number = number.as_str();
        let digits = number.trim_start_matches('+');
        let to = self.to.replace("{digits}", digits).replace("{number}", number);
        (!to.is_empty()).then_some(to)
    }
}

//! The section `[dialects.textsecure.codes]`: how codes get to their owners.

use serde::{Deserialize, Serialize};

use super::{is_url, needed};
use crate::config::mail::is_server;
use crate::config::{ConfigError, Secret};
use crate::domain::phone::PhoneNumber;

pub use crate::config::mail::SmtpTls;

/// How codes get to their owners.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Codes {
    /// Who hands codes over.
    pub sender: Sender,
    /// Who hands them over when the sender does not.
    pub fallback: Fallback,
    /// Numbers for tests, each with the code that it always gets: `+14150000001=123456`, with
    /// commas between them. Nothing is sent to them.
    pub fixed: Secret,
    /// Whether whoever asks for a code by the transport `dev` reads it in the answer, so that
    /// anybody registers any number. For tests alone.
    pub dev_transport: bool,
    /// A program of the operator's that is told of codes by HTTP.
    pub webhook: Webhook,
    /// A mail server.
    pub smtp: Smtp,
    /// Twilio.
    pub twilio: Twilio,
}

/// Who hands codes over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Sender {
    /// The operator, who reads them with `sealpost textsecure codes`.
    #[default]
    Outbox,
    /// A program of the operator's.
    Webhook,
    /// A mail server.
    Smtp,
    /// Twilio, by text message or call.
    Twilio,
}

/// Who hands codes over when the sender does not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fallback {
    /// Nobody: the request for the code fails.
    #[default]
    None,
    /// The operator.
    Outbox,
    /// A program of the operator's.
    Webhook,
    /// A mail server.
    Smtp,
    /// Twilio.
    Twilio,
}

/// A program of the operator's that is told of codes by `POST`, signed with a secret.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Webhook {
    /// Where it listens.
    pub url: Secret,
    /// What signs the requests (HMAC-SHA256).
    pub secret: Secret,
}

/// A mail server that takes codes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Smtp {
    /// Its name and port, such as `mail.example:587`.
    pub server: String,
    /// How the connection to it is encrypted.
    pub tls: SmtpTls,
    /// Whether it must have a public address. A server on this machine or in a private network has
    /// none.
    pub check_address: bool,
    /// With which name the gateway signs in; empty for none.
    pub user: String,
    /// With which password.
    pub password: Secret,
    /// From whom the mails come.
    pub from: String,
    /// To whom they go, such as `{digits}@sms.example`, where the number's digits take the place of
    /// `{digits}`; empty to write to the numbers in `recipients` alone.
    pub to: String,
    /// Numbers and the addresses that get their mails: `+14150000001=anna@example.org`, with commas
    /// between them.
    pub recipients: Secret,
}

/// Twilio's service for text messages and calls.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Twilio {
    /// Where its API is.
    pub url: String,
    /// The id of the operator's account there.
    pub account: String,
    /// Its token.
    pub token: Secret,
    /// The number from which messages and calls come.
    pub from: String,
    /// Whether numbers of all countries get theirs from Twilio. If not, only those of North America
    /// do (`+1` and ten digits), and `fallback` has the others.
    pub international: bool,
}

impl Default for Smtp {
    fn default() -> Self {
        Self {
            server: String::new(),
            tls: SmtpTls::Starttls,
            check_address: true,
            user: String::new(),
            password: Secret::default(),
            from: String::new(),
            to: String::new(),
            recipients: Secret::default(),
        }
    }
}

impl Default for Twilio {
    fn default() -> Self {
        Self {
            url: "https://api.twilio.com".to_owned(),
            account: String::new(),
            token: Secret::default(),
            from: String::new(),
            international: true,
        }
    }
}

impl Codes {
    /// The numbers for tests and their codes.
    #[must_use]
    pub fn fixed(&self) -> Vec<(PhoneNumber, String)> {
        let is_code = |code: &str| code.len() == 6 && code.bytes().all(|b| b.is_ascii_digit());
        let found = pairs(&self.fixed).unwrap_or_default();
        found.into_iter().filter(|(_, code)| is_code(code)).collect()
    }

    pub(super) fn validate(&self) -> Result<(), ConfigError> {
        let fixed = pairs(&self.fixed).unwrap_or_default();
        if fixed.len() != self.fixed().len() || pairs(&self.fixed).is_none() {
            let reason = "is not of the form `+14150000001=123456`, with commas between".to_owned();
            return Err(ConfigError::Value { key: "dialects.textsecure.codes.fixed", reason });
        }
        if self.hand_over_by(Sender::Webhook, Fallback::Webhook) {
            self.webhook.validate_use()?;
        }
        if self.hand_over_by(Sender::Smtp, Fallback::Smtp) {
            self.smtp.validate_use()?;
        }
        if self.hand_over_by(Sender::Twilio, Fallback::Twilio) {
            self.twilio.validate_use()?;
        }
        is_url("dialects.textsecure.codes.webhook.url", self.webhook.url.reveal())?;
        is_url("dialects.textsecure.codes.twilio.url", &self.twilio.url)
    }

    fn hand_over_by(&self, sender: Sender, fallback: Fallback) -> bool {
        self.sender == sender || self.fallback == fallback
    }
}

impl Webhook {
    fn validate_use(&self) -> Result<(), ConfigError> {
        needed("dialects.textsecure.codes.webhook.url", !self.url.is_empty())?;
        needed("dialects.textsecure.codes.webhook.secret", !self.secret.is_empty())
    }
}

impl Smtp {
    /// The numbers and the addresses that get their mails.
    #[must_use]
    pub fn recipients(&self) -> Vec<(PhoneNumber, String)> {
        pairs(&self.recipients).unwrap_or_default()
    }

    fn validate_use(&self) -> Result<(), ConfigError> {
        needed("dialects.textsecure.codes.smtp.server", !self.server.is_empty())?;
        is_server("dialects.textsecure.codes.smtp.server", &self.server)?;
        needed("dialects.textsecure.codes.smtp.from", !self.from.is_empty())?;
        let somebody = !self.to.is_empty() || !self.recipients.is_empty();
        needed("dialects.textsecure.codes.smtp.to", somebody)?;
        if pairs(&self.recipients).is_none() {
            const KEY: &str = "dialects.textsecure.codes.smtp.recipients";
            let reason = "is not of the form `+14150000001=anna@example.org`".to_owned();
            return Err(ConfigError::Value { key: KEY, reason });
        }
        Ok(())
    }
}

impl Twilio {
    fn validate_use(&self) -> Result<(), ConfigError> {
        needed("dialects.textsecure.codes.twilio.url", !self.url.is_empty())?;
        needed("dialects.textsecure.codes.twilio.account", !self.account.is_empty())?;
        needed("dialects.textsecure.codes.twilio.token", !self.token.is_empty())?;
        needed("dialects.textsecure.codes.twilio.from", !self.from.is_empty())
    }
}

/// Numbers and what belongs to each, `number=something` with commas between them.
fn pairs(text: &Secret) -> Option<Vec<(PhoneNumber, String)>> {
    let parts = text.reveal().split(',').map(str::trim).filter(|part| !part.is_empty());
    let pair = |part: &str| {
        let (number, value) = part.split_once('=')?;
        let (number, value) = (PhoneNumber::parse(number.trim())?, value.trim());
        (!value.is_empty()).then(|| (number, value.to_owned()))
    };
    parts.map(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_for_tests_have_codes_of_six_digits() {
        let codes = |fixed: &str| Codes { fixed: fixed.into(), ..Codes::default() };
        let good = codes("+14150000001=123456, +14150000002=654321,");
        assert!(good.validate().is_ok());
        let of = |place: usize| (good.fixed()[place].0.clone(), good.fixed()[place].1.clone());
        assert_eq!(of(1), (PhoneNumber::parse("+14150000002").unwrap(), "654321".to_owned()));
        for bad in ["+14150000001", "+14150000001=12345", "4150000001=123456", "+14150000001=x"] {
            let refused = codes(bad).validate().unwrap_err().to_string();
            assert!(refused.contains("codes.fixed"), "{refused}");
        }
    }

    #[test]
    fn what_hands_codes_over_needs_its_settings() {
        for (sender, key) in [
            (Sender::Webhook, "webhook.url"),
            (Sender::Smtp, "smtp.server"),
            (Sender::Twilio, "twilio.account"),
        ] {
            let refused = Codes { sender, ..Codes::default() }.validate().unwrap_err().to_string();
            assert!(refused.contains(key), "{refused}");
        }
        let mut codes = Codes { fallback: Fallback::Webhook, ..Codes::default() };
        codes.webhook = Webhook { url: "ftp://x".into(), secret: "7734".into() };
        assert!(codes.validate().unwrap_err().to_string().contains("webhook.url"));
        codes.webhook.url = "https://x".into();
        assert!(codes.validate().is_ok());
    }
}

//! The section `[dialects.keyservice]`: drop boxes and letters.

use std::net::SocketAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{ConfigError, origins, within};
use crate::config::http::{Http, is_public_url};
use crate::config::mail::is_server;
use crate::config::rate::Rate;
use crate::config::{Secret, mail};
use crate::domain::dropbox::{DropBoxPolicy, Room};

pub use mail::SmtpTls;

const DAY: u64 = 24 * 60 * 60;

/// The key service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct KeyService {
    /// Whether it is spoken.
    pub enabled: bool,
    /// Address and port where it is spoken alone; empty for the gateway's own.
    pub listen: String,
    /// Whether version 1 is spoken too, whose online half shows the gateway passphrases and texts.
    pub v1: bool,
    /// Origins whose pages may use it, with commas between them; `*` for all, empty for none.
    pub allowed_origins: String,
    /// How people reach it, for links in mail; empty for `http.public_url`, where it has no address
    /// of its own.
    pub public_url: String,
    /// Bytes of one message or letter as it is kept.
    pub message_bytes: u64,
    /// Bytes of one file as it is kept.
    pub file_bytes: u64,
    /// Messages in one box.
    pub box_messages: u64,
    /// Bytes in one box, files included.
    pub box_bytes: u64,
    /// About as many bytes as all boxes and letters together may hold; 0 for any number.
    pub total_bytes: u64,
    /// How long a box takes messages, unless its owner said otherwise.
    pub box_open_days: u64,
    /// How long a box is kept once it takes no more.
    pub box_kept_days: u64,
    /// How long a message waits, from when it may be read.
    pub message_life_days: u64,
    /// The longest that a letter waits.
    pub letter_life_days: u64,
    /// How often one network may be wrong about one box in a minute, and at once; 0 for any number.
    pub wrong_secrets: u64,
    /// The same about all boxes.
    pub wrong_secrets_in_all: u64,
    /// Messages from one network for one box in a minute, and at once; 0 for any number.
    pub messages_per_minute: u64,
    /// Bytes of messages and files that one network may leave in a minute, and at once; 0 for any
    /// number.
    pub bytes_per_minute: u64,
    /// Boxes and letters that one network may make in a minute, and at once; 0 for any number.
    pub made_per_minute: u64,
    /// A mail server that takes notices and, in version 1, the links of letters.
    pub smtp: Smtp,
}

/// A mail server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Smtp {
    /// Its name and port, such as `mail.example:587`; empty for no mail at all.
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
}

impl Default for KeyService {
    fn default() -> Self {
        Self {
            enabled: false,
            listen: String::new(),
            v1: false,
            allowed_origins: "*".to_owned(),
            public_url: String::new(),
            message_bytes: 1024 * 1024,
            file_bytes: 100 * 1024 * 1024,
            box_messages: 10_000,
            box_bytes: 1024 * 1024 * 1024,
            total_bytes: 10 * 1024 * 1024 * 1024,
            box_open_days: 30,
            box_kept_days: 30,
            message_life_days: 60,
            letter_life_days: 30,
            wrong_secrets: 10,
            wrong_secrets_in_all: 60,
            messages_per_minute: 120,
            bytes_per_minute: 256 * 1024 * 1024,
            made_per_minute: 30,
            smtp: Smtp::default(),
        }
    }
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
        }
    }
}

impl KeyService {
    /// Where it is spoken alone, if it is spoken and has an address of its own.
    #[must_use]
    pub fn own_address(&self) -> Option<SocketAddr> {
        self.listen.parse().ok().filter(|_| self.enabled)
    }

    /// Whether it is spoken at the gateway's own address.
    #[must_use]
    pub fn is_beside_others(&self) -> bool {
        self.enabled && self.listen.is_empty()
    }

    /// The origins whose pages may use it; `*` among them stands for all.
    #[must_use]
    pub fn origins(&self) -> Vec<String> {
        origins::parse(&self.allowed_origins).unwrap_or_default()
    }

    /// How people reach it, if anybody said so. The gateway's own URL leads elsewhere when this
    /// dialect has an address of its own.
    #[must_use]
    pub fn public_url<'a>(&'a self, http: &'a Http) -> Option<&'a str> {
        let url = match self.public_url.as_str() {
            "" if self.listen.is_empty() => &http.public_url,
            _ => &self.public_url,
        };
        (!url.is_empty()).then_some(url)
    }

    /// Whether any mail is sent.
    #[must_use]
    pub fn sends_mail(&self) -> bool {
        !self.smtp.server.is_empty()
    }

    /// The largest body of a request that is no file: a message, written in base64 or escaped, and
    /// what stands around it.
    #[must_use]
    pub fn body_limit(&self) -> u64 {
        self.message_bytes * 2 + 64 * 1024
    }

    /// The same limits, in the form that the rules work with.
    #[must_use]
    pub fn for_domain(&self) -> DropBoxPolicy {
        let days = |days| Duration::from_secs(days * DAY);
        DropBoxPolicy {
            open_for: days(self.box_open_days),
            kept_after_lock: days(self.box_kept_days),
            message_life: days(self.message_life_days),
            letter_life: days(self.letter_life_days),
            room: Room { messages: self.box_messages, bytes: self.box_bytes },
            message_bytes: self.message_bytes,
            file_bytes: self.file_bytes,
            wrong_secrets: self.wrong_secrets,
            wrong_secrets_in_all: self.wrong_secrets_in_all,
            messages_for_one: self.messages_per_minute,
            made: self.made_per_minute,
            total_bytes: self.total_bytes,
            bytes_per_minute_for_network: self.bytes_per_minute,
            ..DropBoxPolicy::default()
        }
    }

    pub(super) fn validate(&self) -> Result<(), ConfigError> {
        const MOST: u64 = 1_000_000;
        if !self.listen.is_empty() && self.listen.parse::<SocketAddr>().is_err() {
            let reason = format!("is `{}`; it must be an address and a port", self.listen);
            return Err(ConfigError::Value { key: "dialects.keyservice.listen", reason });
        }
        if let Err(one) = origins::parse(&self.allowed_origins) {
            let reason = format!(
                "holds `{one}`; an origin is such as `https://page.example`, and `*` stands alone"
            );
            return Err(ConfigError::Value { key: "dialects.keyservice.allowed_origins", reason });
        }
        if !is_public_url(&self.public_url) {
            let reason = format!("is `{}`; it must be as `http.public_url` is", self.public_url);
            return Err(ConfigError::Value { key: "dialects.keyservice.public_url", reason });
        }
        within("dialects.keyservice.message_bytes", self.message_bytes, 1024, 1 << 26)?;
        within("dialects.keyservice.file_bytes", self.file_bytes, 1024, 1 << 34)?;
        within("dialects.keyservice.box_messages", self.box_messages, 1, MOST)?;
        // A box has room for the largest message and the largest file, with their keys.
        let least = self.file_bytes.max(self.message_bytes) + 64 * 1024;
        within("dialects.keyservice.box_bytes", self.box_bytes, least, 1 << 50)?;
        // What is larger could never come in.
        if self.total_bytes > 0 {
            within("dialects.keyservice.total_bytes", self.total_bytes, least, 1 << 50)?;
        }
        if self.bytes_per_minute > 0 {
            within("dialects.keyservice.bytes_per_minute", self.bytes_per_minute, least, 1 << 50)?;
        }
        within("dialects.keyservice.box_open_days", self.box_open_days, 1, 3660)?;
        within("dialects.keyservice.box_kept_days", self.box_kept_days, 1, 3660)?;
        within("dialects.keyservice.message_life_days", self.message_life_days, 1, 3660)?;
        within("dialects.keyservice.letter_life_days", self.letter_life_days, 1, 366)?;
        within("dialects.keyservice.wrong_secrets", self.wrong_secrets, 0, MOST)?;
        within("dialects.keyservice.wrong_secrets_in_all", self.wrong_secrets_in_all, 0, MOST)?;
        within("dialects.keyservice.messages_per_minute", self.messages_per_minute, 0, MOST)?;
        within("dialects.keyservice.made_per_minute", self.made_per_minute, 0, MOST)?;
        self.smtp.validate()
    }

    /// Refuses what does not go together with the listener and with what one address may send.
    pub(in crate::config) fn fits(&self, http: &Http, rate: &Rate) -> Result<(), ConfigError> {
        // All bytes of a file count within a minute of the bucket; what it does not hold never passes.
        if self.enabled && rate.address_bytes > 0 && self.file_bytes > rate.address_bytes {
            let reason = format!(
                "is {}; with `limits.rate.address_bytes` as it is, no more than {} can come in",
                self.file_bytes, rate.address_bytes
            );
            return Err(ConfigError::Value { key: "dialects.keyservice.file_bytes", reason });
        }
        // A network has a sixteenth of the budget, unless it is known whose its requests are, and a
        // body is in memory as it came, as members, and as bytes.
        let largest = (http.body_budget_bytes / 16 / 3).saturating_sub(64 * 1024) / 2;
        if self.enabled && self.message_bytes > largest {
            let reason = format!(
                "is {}; with `http.body_budget_bytes` as it is, no more than {largest} fit",
                self.message_bytes
            );
            return Err(ConfigError::Value { key: "dialects.keyservice.message_bytes", reason });
        }
        if self.enabled && self.sends_mail() && self.public_url(http).is_none() {
            let reason = "is needed for the links in mail".to_owned();
            return Err(ConfigError::Value { key: "dialects.keyservice.public_url", reason });
        }
        Ok(())
    }
}

impl Smtp {
    fn validate(&self) -> Result<(), ConfigError> {
        if self.server.is_empty() {
            return Ok(());
        }
        is_server("dialects.keyservice.smtp.server", &self.server)?;
        if self.from.is_empty() {
            let reason = "is needed for what is set up".to_owned();
            return Err(ConfigError::Value { key: "dialects.keyservice.smtp.from", reason });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_those_of_the_rules() {
        assert_eq!(KeyService::default().for_domain(), DropBoxPolicy::default());
        assert!(KeyService::default().validate().is_ok());
        let enabled = KeyService { enabled: true, ..KeyService::default() };
        assert!(enabled.fits(&Http::default(), &Rate::default()).is_ok());
    }

    #[test]
    fn it_is_spoken_at_one_place_or_nowhere() {
        let mut settings = KeyService::default();
        assert!(!settings.is_beside_others() && settings.own_address().is_none());
        settings.enabled = true;
        assert!(settings.is_beside_others() && settings.own_address().is_none());
        settings.listen = "127.0.0.1:9001".to_owned();
        assert!(!settings.is_beside_others() && settings.own_address().is_some());
        settings.listen = "localhost".to_owned();
        assert!(settings.validate().is_err());
    }

    #[test]
    fn links_lead_to_where_it_is_spoken() {
        let http = Http { public_url: "https://all.example".to_owned(), ..Http::default() };
        let mut settings = KeyService { enabled: true, ..KeyService::default() };
        assert_eq!(settings.public_url(&http), Some("https://all.example"));
        settings.listen = "127.0.0.1:9001".to_owned();
        assert_eq!(settings.public_url(&http), None);
        settings.public_url = "https://boxes.example".to_owned();
        assert_eq!(settings.public_url(&http), Some("https://boxes.example"));
        settings.public_url = "boxes.example".to_owned();
        assert!(settings.validate().unwrap_err().to_string().contains("keyservice.public_url"));
    }

    #[test]
    fn mail_needs_a_server_a_sender_and_somewhere_to_lead_to() {
        let with = |server: &str, from: &str| {
            let smtp = Smtp { server: server.into(), from: from.into(), ..Smtp::default() };
            KeyService { enabled: true, smtp, ..KeyService::default() }
        };
        assert!(with("", "").validate().is_ok());
        for (server, from, key) in [
            ("mail", "a@b", "smtp.server"),
            ("mail:x", "a@b", "smtp.server"),
            ("mail:25", "", "smtp.from"),
        ] {
            let refused = with(server, from).validate().unwrap_err().to_string();
            assert!(refused.contains(key), "{refused}");
        }
        let good = with("mail:25", "a@b");
        assert!(good.validate().is_ok());
        assert!(
            good.fits(&Http::default(), &Rate::default())
                .unwrap_err()
                .to_string()
                .contains("public_url")
        );
        let http = Http { public_url: "https://x".to_owned(), ..Http::default() };
        assert!(good.fits(&http, &Rate::default()).is_ok());
    }

    #[test]
    fn a_message_fits_into_what_one_network_may_have_in_memory() {
        let settings =
            KeyService { enabled: true, message_bytes: 1 << 24, ..KeyService::default() };
        let refused = settings.fits(&Http::default(), &Rate::default()).unwrap_err().to_string();
        assert!(refused.contains("keyservice.message_bytes"), "{refused}");
        let http = Http { body_budget_bytes: 1 << 31, ..Http::default() };
        assert!(settings.fits(&http, &Rate::default()).is_ok());
    }

    #[test]
    fn there_is_room_for_the_largest_file_everywhere() {
        const SMALL: u64 = 100 * 1024 * 1024;
        for (settings, key) in [
            (KeyService { box_bytes: SMALL, ..KeyService::default() }, "keyservice.box_bytes"),
            (KeyService { total_bytes: SMALL, ..KeyService::default() }, "keyservice.total_bytes"),
            (
                KeyService { bytes_per_minute: SMALL, ..KeyService::default() },
                "keyservice.bytes_per_minute",
            ),
        ] {
            assert!(settings.validate().unwrap_err().to_string().contains(key), "{key}");
        }
        let any = KeyService { total_bytes: 0, bytes_per_minute: 0, ..KeyService::default() };
        assert!(any.validate().is_ok());
    }

    #[test]
    fn the_largest_file_is_no_more_than_one_address_may_send() {
        let settings = KeyService { enabled: true, ..KeyService::default() };
        let rate = Rate { address_bytes: settings.file_bytes - 1, ..Rate::default() };
        let refused = settings.fits(&Http::default(), &rate).unwrap_err().to_string();
        assert!(refused.contains("keyservice.file_bytes"), "{refused}");
        let any = Rate { address_bytes: 0, ..rate };
        assert!(settings.fits(&Http::default(), &any).is_ok());
    }
}

//! The section `[dialects.textsecure.push]`: services that wake devices. Whatever they do, a message
//! waits in the gateway until its device takes it.

use serde::{Deserialize, Serialize};

use super::{is_url, needed};
use crate::config::{ConfigError, Secret};
use crate::domain::limits::Networks;

/// Services that wake devices.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PushServices {
    /// Web Push and UnifiedPush, which need no account anywhere.
    pub webpush: WebPush,
    /// Firebase Cloud Messaging.
    pub fcm: Fcm,
    /// Apple's service.
    pub apns: Apns,
}

/// Web Push (RFC 8030) and UnifiedPush.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WebPush {
    /// Whether devices are woken by it.
    pub enabled: bool,
    /// How the operator of a push service reaches the operator of this gateway: `mailto:` or
    /// `https://` (RFC 8292); empty for `http.public_url`.
    pub contact: String,
    /// Networks beside the public ones where endpoints may be: addresses and networks with commas
    /// between them. Endpoints there may be without TLS.
    pub private_networks: String,
}

/// Firebase Cloud Messaging, its HTTP v1 API.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Fcm {
    /// The key of a service account: the path of its JSON file, or the JSON itself; empty for no
    /// such service.
    pub service_account: Secret,
    /// Where the API is.
    pub url: String,
}

/// Apple's service, its HTTP/2 API.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Apns {
    /// The signing key: the path of its `.p8` file, or its text; empty for no such service.
    pub key: Secret,
    /// The key's id.
    pub key_id: String,
    /// The team's id.
    pub team_id: String,
    /// The app's bundle id.
    pub topic: String,
    /// Where the API is.
    pub url: String,
}

impl Default for WebPush {
    fn default() -> Self {
        Self { enabled: true, contact: String::new(), private_networks: String::new() }
    }
}

impl Default for Fcm {
    fn default() -> Self {
        let url = "https://fcm.googleapis.com".to_owned();
        Self { service_account: Secret::default(), url }
    }
}

impl Default for Apns {
    fn default() -> Self {
        Self {
            key: Secret::default(),
            key_id: String::new(),
            team_id: String::new(),
            topic: String::new(),
            url: "https://api.push.apple.com".to_owned(),
        }
    }
}

impl PushServices {
    pub(super) fn validate(&self) -> Result<(), ConfigError> {
        self.webpush.validate()?;
        is_url("dialects.textsecure.push.fcm.url", &self.fcm.url)?;
        self.apns.validate()
    }
}

impl WebPush {
    /// The networks beside the public ones where endpoints may be; none when the setting was not
    /// checked before.
    #[must_use]
    pub fn private_networks(&self) -> Networks {
        Networks::parse(&self.private_networks).unwrap_or_default()
    }

    fn validate(&self) -> Result<(), ConfigError> {
        const CONTACT: &str = "dialects.textsecure.push.webpush.contact";
        const NETWORKS: &str = "dialects.textsecure.push.webpush.private_networks";
        let begins = |scheme| self.contact.starts_with(scheme);
        if !self.contact.is_empty() && !begins("mailto:") && !begins("https://") {
            let reason = "does not begin with `mailto:` or `https://`".to_owned();
            return Err(ConfigError::Value { key: CONTACT, reason });
        }
        match Networks::parse(&self.private_networks) {
            Ok(_) => Ok(()),
            Err(error) => {
                let reason = format!("cannot be used: {error}");
                Err(ConfigError::Value { key: NETWORKS, reason })
            }
        }
    }
}

impl Apns {
    fn validate(&self) -> Result<(), ConfigError> {
        is_url("dialects.textsecure.push.apns.url", &self.url)?;
        if self.key.is_empty() {
            return Ok(());
        }
        needed("dialects.textsecure.push.apns.key_id", !self.key_id.is_empty())?;
        needed("dialects.textsecure.push.apns.team_id", !self.team_id.is_empty())?;
        needed("dialects.textsecure.push.apns.topic", !self.topic.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn apple_wants_to_know_who_asks() {
        let mut services = PushServices::default();
        assert!(services.validate().is_ok());
        services.apns.key = "/etc/sealpost/apns.p8".into();
        assert!(services.validate().unwrap_err().to_string().contains("apns.key_id"));
        for field in [&mut services.apns.key_id, &mut services.apns.team_id] {
            *field = "ABCDEFGHIJ".to_owned();
        }
        services.apns.topic = "org.example.app".to_owned();
        assert!(services.validate().is_ok());
    }

    #[test]
    fn a_contact_is_a_mail_address_or_a_page() {
        let with = |contact: &str| {
            let contact = contact.to_owned();
            WebPush { contact, ..WebPush::default() }.validate().is_ok()
        };
        assert!(with("") && with("mailto:push@example.org") && with("https://example.org"));
        assert!(!with("push@example.org"));
    }
}

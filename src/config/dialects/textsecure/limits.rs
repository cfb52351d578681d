//! The section `[dialects.textsecure.limits]`: how fast phones may go.

use serde::{Deserialize, Serialize};

use super::{ConfigError, within};
use crate::domain::phone::PhoneLimit;
use crate::domain::phone::limits::Allowed;

/// How fast phones may go: what each may do at once, 0 for any number, and how much of it comes
/// back in an hour.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PhoneRates {
    /// Codes by text message for a number.
    pub sms_codes_at_once: u64,
    /// So many of them come back in an hour.
    pub sms_codes_an_hour: u64,
    /// Spoken codes for a number.
    pub voice_codes_at_once: u64,
    /// So many of them come back in an hour.
    pub voice_codes_an_hour: u64,
    /// Tries to register a number.
    pub registrations_at_once: u64,
    /// So many of them come back in an hour.
    pub registrations_an_hour: u64,
    /// New attachments of a phone.
    pub attachments_at_once: u64,
    /// So many of them come back in an hour.
    pub attachments_an_hour: u64,
    /// Contacts that a phone looks up.
    pub contacts_at_once: u64,
    /// So many of them come back in an hour.
    pub contacts_an_hour: u64,
    /// Prekeys of a device that another device asks for.
    pub prekeys_at_once: u64,
    /// So many of them come back in an hour.
    pub prekeys_an_hour: u64,
    /// Messages of a phone.
    pub messages_at_once: u64,
    /// So many of them come back in an hour.
    pub messages_an_hour: u64,
    /// Codes for further devices of a phone.
    pub link_codes_at_once: u64,
    /// So many of them come back in an hour.
    pub link_codes_an_hour: u64,
    /// Tries to link a device to a number.
    pub links_at_once: u64,
    /// So many of them come back in an hour.
    pub links_an_hour: u64,
}

impl Default for PhoneRates {
    fn default() -> Self {
        let (at_once, an_hour) =
            (|l: PhoneLimit| l.usual().at_once, |l: PhoneLimit| l.usual().an_hour);
        Self {
            sms_codes_at_once: at_once(PhoneLimit::SmsCodes),
            sms_codes_an_hour: an_hour(PhoneLimit::SmsCodes),
            voice_codes_at_once: at_once(PhoneLimit::VoiceCodes),
            voice_codes_an_hour: an_hour(PhoneLimit::VoiceCodes),
            registrations_at_once: at_once(PhoneLimit::Registrations),
            registrations_an_hour: an_hour(PhoneLimit::Registrations),
            attachments_at_once: at_once(PhoneLimit::Attachments),
            attachments_an_hour: an_hour(PhoneLimit::Attachments),
            contacts_at_once: at_once(PhoneLimit::Contacts),
            contacts_an_hour: an_hour(PhoneLimit::Contacts),
            prekeys_at_once: at_once(PhoneLimit::Prekeys),
            prekeys_an_hour: an_hour(PhoneLimit::Prekeys),
            messages_at_once: at_once(PhoneLimit::Messages),
            messages_an_hour: an_hour(PhoneLimit::Messages),
            link_codes_at_once: at_once(PhoneLimit::LinkCodes),
            link_codes_an_hour: an_hour(PhoneLimit::LinkCodes),
            links_at_once: at_once(PhoneLimit::Links),
            links_an_hour: an_hour(PhoneLimit::Links),
        }
    }
}

/// No bucket is larger, so that its arithmetic has room.
const MOST: u64 = 1_000_000_000;

impl PhoneRates {
    /// How much is allowed of one thing.
    #[must_use]
    pub fn of(&self, limit: PhoneLimit) -> Allowed {
        let (at_once, an_hour) = match limit {
            PhoneLimit::SmsCodes => (self.sms_codes_at_once, self.sms_codes_an_hour),
            PhoneLimit::VoiceCodes => (self.voice_codes_at_once, self.voice_codes_an_hour),
            PhoneLimit::Registrations => (self.registrations_at_once, self.registrations_an_hour),
            PhoneLimit::Attachments => (self.attachments_at_once, self.attachments_an_hour),
            PhoneLimit::Contacts => (self.contacts_at_once, self.contacts_an_hour),
            PhoneLimit::Prekeys => (self.prekeys_at_once, self.prekeys_an_hour),
            PhoneLimit::Messages => (self.messages_at_once, self.messages_an_hour),
            PhoneLimit::LinkCodes => (self.link_codes_at_once, self.link_codes_an_hour),
            PhoneLimit::Links => (self.links_at_once, self.links_an_hour),
        };
        Allowed { at_once, an_hour }
    }

    pub(super) fn validate(&self) -> Result<(), ConfigError> {
        for limit in PhoneLimit::ALL {
            let (at_once, an_hour) = keys(limit);
            let allowed = self.of(limit);
            within(at_once, allowed.at_once, 0, MOST)?;
            within(an_hour, allowed.an_hour, 1, MOST)?;
        }
        Ok(())
    }
}

/// The names of the two settings of a limit.
fn keys(limit: PhoneLimit) -> (&'static str, &'static str) {
    macro_rules! pair {
        ($name:literal) => {
            (
                concat!("dialects.textsecure.limits.", $name, "_at_once"),
                concat!("dialects.textsecure.limits.", $name, "_an_hour"),
            )
        };
    }
    match limit {
        PhoneLimit::SmsCodes => pair!("sms_codes"),
        PhoneLimit::VoiceCodes => pair!("voice_codes"),
        PhoneLimit::Registrations => pair!("registrations"),
        PhoneLimit::Attachments => pair!("attachments"),
        PhoneLimit::Contacts => pair!("contacts"),
        PhoneLimit::Prekeys => pair!("prekeys"),
        PhoneLimit::Messages => pair!("messages"),
        PhoneLimit::LinkCodes => pair!("link_codes"),
        PhoneLimit::Links => pair!("links"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_the_usual_ones() {
        for limit in PhoneLimit::ALL {
            assert_eq!(PhoneRates::default().of(limit), limit.usual(), "{limit:?}");
        }
    }

    #[test]
    fn a_bucket_that_never_fills_is_refused() {
        let rates = PhoneRates { links_an_hour: 0, ..PhoneRates::default() };
        let refused = rates.validate().unwrap_err().to_string();
        assert!(refused.contains("`dialects.textsecure.limits.links_an_hour` is 0"), "{refused}");
    }
}

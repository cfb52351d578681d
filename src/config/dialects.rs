//! The section `[dialects]`: which protocols are spoken, and how.

pub mod hushnet;
pub mod keyservice;
mod mixin;
mod origins;
pub mod textsecure;

use serde::{Deserialize, Serialize};

use super::{ConfigError, within};

pub use hushnet::HushNet;
pub use keyservice::KeyService;
pub use mixin::{ErrorStatus, Mixin, PlainMessages, SignUp};
pub use textsecure::TextSecure;

/// The protocols.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Dialects {
    /// Mixin's bot API.
    pub mixin: Mixin,
    /// The TextSecure protocol's first version.
    pub textsecure: TextSecure,
    /// HushNet's API.
    pub hushnet: HushNet,
    /// The key service.
    pub keyservice: KeyService,
}

impl Dialects {
    pub(super) fn validate(&self) -> Result<(), ConfigError> {
        self.mixin.validate()?;
        self.textsecure.validate()?;
        let prefix = self.mixin.path_prefix.as_str();
        let first = prefix.split('/').nth(1).unwrap_or_default();
        if self.textsecure.is_beside_others() && ["v1", "v2"].contains(&first) {
            let reason = format!(
                "is `{prefix}`; the TextSecure dialect is served there, unless \
                 `dialects.textsecure.listen` gives it an address of its own"
            );
            return Err(ConfigError::Value { key: "dialects.mixin.path_prefix", reason });
        }
        self.validate_hushnet(prefix)?;
        self.validate_keyservice(prefix)
    }

    fn validate_hushnet(&self, mixin: &str) -> Result<(), ConfigError> {
        self.hushnet.validate()?;
        let below = |path: &str| mixin == path || mixin.starts_with(&format!("{path}/"));
        let here = [self.hushnet.path_prefix.as_str(), "/ws"];
        if self.hushnet.is_beside_others() && here.into_iter().any(below) {
            let reason = format!(
                "is `{mixin}`; the HushNet dialect is served there, unless \
                 `dialects.hushnet.listen` gives it an address of its own"
            );
            return Err(ConfigError::Value { key: "dialects.mixin.path_prefix", reason });
        }
        Ok(())
    }

    /// The key service has its paths as the original has them, in letters of either case.
    fn validate_keyservice(&self, mixin: &str) -> Result<(), ConfigError> {
        const PLACES: [&str; 4] = ["service", "selfdestruct", "home", "keyservice"];
        self.keyservice.validate()?;
        let is_taken = |prefix: &str| {
            let first = prefix.split('/').nth(1).unwrap_or_default();
            PLACES.iter().any(|place| place.eq_ignore_ascii_case(first))
        };
        let hushnet = self.hushnet.mounted_at();
        let is_hushnet_here = self.hushnet.is_beside_others();
        for (key, prefix, is_here) in [
            ("dialects.mixin.path_prefix", mixin, true),
            ("dialects.hushnet.path_prefix", hushnet, is_hushnet_here),
        ] {
            if self.keyservice.is_beside_others() && is_here && is_taken(prefix) {
                let reason = format!(
                    "is `{prefix}`; the key service is served there, unless \
                     `dialects.keyservice.listen` gives it an address of its own"
                );
                return Err(ConfigError::Value { key, reason });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_dialects_are_not_mounted_in_one_place() {
        let mut dialects = Dialects::default();
        dialects.mixin.path_prefix = "/v1/mixin".to_owned();
        assert!(dialects.validate().is_ok());
        dialects.textsecure.enabled = true;
        let refused = dialects.validate().unwrap_err().to_string();
        assert!(refused.contains("`dialects.mixin.path_prefix` is `/v1/mixin`"), "{refused}");
        dialects.textsecure.listen = "127.0.0.1:0".to_owned();
        assert!(dialects.validate().is_ok());
        dialects.hushnet.enabled = true;
        for (prefix, fits) in [("/hushnet", false), ("/ws", false), ("/hush", true)] {
            dialects.mixin.path_prefix = prefix.to_owned();
            assert_eq!(dialects.validate().is_ok(), fits, "{prefix}");
        }
        dialects.mixin.path_prefix = "/hushnet/mixin".to_owned();
        assert!(dialects.validate().is_err());
        dialects.hushnet.listen = "127.0.0.1:0".to_owned();
        assert!(dialects.validate().is_ok());
    }
    #[test]
    fn nothing_is_mounted_where_the_key_service_is() {
        let mut dialects = Dialects::default();
        dialects.keyservice.enabled = true;
        for (prefix, fits) in
            [("/service", false), ("/Home/x", false), ("/keyservice", false), ("/services", true)]
        {
            dialects.mixin.path_prefix = prefix.to_owned();
            assert_eq!(dialects.validate().is_ok(), fits, "{prefix}");
        }
        dialects.hushnet.enabled = true;
        dialects.hushnet.path_prefix = "/SelfDestruct".to_owned();
        let refused = dialects.validate().unwrap_err().to_string();
        assert!(refused.contains("`dialects.hushnet.path_prefix` is `/SelfDestruct`"), "{refused}");
        dialects.keyservice.listen = "127.0.0.1:0".to_owned();
        assert!(dialects.validate().is_ok());
    }
}

//! The section `[dialects]`: which protocols are spoken, and how.

pub mod hushnet;
mod mixin;
pub mod textsecure;

use serde::{Deserialize, Serialize};

use super::{ConfigError, within};

pub use hushnet::HushNet;
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
        self.validate_hushnet(prefix)
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
}

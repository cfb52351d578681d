//! The section `[dialects]`: which protocols are spoken, and how.

mod mixin;
pub mod textsecure;

use serde::{Deserialize, Serialize};

use super::{ConfigError, within};

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
    }
}

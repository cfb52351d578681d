//! The section `[attachments]`: encrypted files, how large, how many, and for how long.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{ConfigError, within};
use crate::domain::attachment::{Allowance, FileLimits, upload_patience};

/// Encrypted files.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Attachments {
    /// Bytes of one attachment.
    pub max_bytes: u64,
    /// Bytes of all attachments of an account; 0 for any number.
    pub account_bytes: u64,
    /// Attachments of an account.
    pub account_files: u32,
    /// Days after which an attachment is removed.
    pub life_days: u64,
    /// How long an upload may wait to begin.
    pub upload_seconds: u64,
    /// How long an address for downloading is good.
    pub view_seconds: u64,
    /// How long an upload may make no progress.
    pub stall_seconds: u64,
    /// Bytes of the disk that attachments leave to everything else.
    pub keep_free_bytes: u64,
    /// Uploads at the same time.
    pub uploads: u32,
    /// Downloads at the same time.
    pub downloads: u32,
}

impl Default for Attachments {
    fn default() -> Self {
        Self {
            max_bytes: 100 * 1024 * 1024,
            account_bytes: 10 * 1024 * 1024 * 1024,
            account_files: 10_000,
            life_days: 30,
            upload_seconds: 60 * 60,
            view_seconds: 24 * 60 * 60,
            stall_seconds: 30,
            keep_free_bytes: 256 * 1024 * 1024,
            uploads: 64,
            downloads: 256,
        }
    }
}

impl Attachments {
    /// The same limits, in the form that the rules work with.
    #[must_use]
    pub fn for_domain(&self) -> FileLimits {
        let bytes = (self.account_bytes > 0).then_some(self.account_bytes);
        FileLimits {
            bytes: self.max_bytes,
            account: Allowance { files: self.account_files, bytes },
            life: Duration::from_secs(self.life_days * 24 * 60 * 60),
            upload_life: Duration::from_secs(self.upload_seconds),
        }
    }

    pub(super) fn validate(&self) -> Result<(), ConfigError> {
        const DAY: u64 = 24 * 60 * 60;
        within("attachments.max_bytes", self.max_bytes, 1024, 1 << 34)?;
        within("attachments.account_bytes", self.account_bytes, 0, 1 << 60)?;
        within("attachments.account_files", self.account_files.into(), 1, 1_000_000)?;
        within("attachments.life_days", self.life_days, 1, 3660)?;
        within("attachments.upload_seconds", self.upload_seconds, 60, 7 * DAY)?;
        within("attachments.view_seconds", self.view_seconds, 60, 31 * DAY)?;
        within("attachments.stall_seconds", self.stall_seconds, 1, 600)?;
        within("attachments.keep_free_bytes", self.keep_free_bytes, 0, 1 << 50)?;
        within("attachments.uploads", self.uploads.into(), 1, 100_000)?;
        within("attachments.downloads", self.downloads.into(), 1, 100_000)?;
        self.ends_after_its_upload()
    }

    /// The slowest upload that begins as late as it may must end before the attachment does.
    fn ends_after_its_upload(&self) -> Result<(), ConfigError> {
        let limits = self.for_domain();
        let uploaded = limits.upload_life.saturating_add(upload_patience(limits.bytes));
        if uploaded < limits.life {
            return Ok(());
        }
        let reason = format!(
            "is {}; it must be longer than attachments.upload_seconds and the time that a slow \
             upload of attachments.max_bytes takes, together {} s",
            self.life_days,
            uploaded.as_secs()
        );
        Err(ConfigError::Value { key: "attachments.life_days", reason })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_those_of_the_rules() {
        assert_eq!(Attachments::default().for_domain(), FileLimits::default());
    }

    #[test]
    fn an_attachment_outlives_its_upload() {
        let large = Attachments { max_bytes: 1 << 32, life_days: 1, ..Attachments::default() };
        assert!(large.validate().is_err());
        assert!(Attachments { life_days: 2, ..large }.validate().is_ok());
        assert!(Attachments::default().validate().is_ok());
    }
}

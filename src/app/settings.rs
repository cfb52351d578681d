//! From the operator's settings to what each part asks for.

use std::sync::Arc;
use std::time::Duration;

use super::directory::DataDirectory;
use crate::config::Config;
use crate::config::dialects::{ErrorStatus, PlainMessages, SignUp};
use crate::dialect::mixin;
use crate::domain::Gateway;
use crate::domain::limits::Limiter;
use crate::domain::sign_up::SignUpPolicy;
use crate::http::blobs::{Addresses, BlobSettings};
use crate::http::gate::Gate;
use crate::storage::{CacheConfig, StorageConfig};

pub(super) fn storage(config: &Config, directory: &DataDirectory) -> StorageConfig {
    let settings = &config.storage;
    StorageConfig {
        readers: settings.readers,
        busy_timeout: Duration::from_secs(settings.busy_seconds),
        max_size: (settings.max_bytes > 0).then_some(settings.max_bytes),
        cache: CacheConfig { entries: settings.cache_entries.into(), ..CacheConfig::default() },
        ..StorageConfig::at(directory.database())
    }
}

pub(super) fn gate(config: &Config, gateway: &Gateway) -> Arc<Gate> {
    let rate = &config.limits.rate;
    let limiter = Limiter::new(gateway.clock.clone(), rate.accounts(), rate.addresses());
    let proxies = config.http.proxies();
    Arc::new(Gate::new(Arc::new(limiter), proxies, config.http.body_budget_bytes))
}

pub(super) fn blobs(config: &Config) -> BlobSettings {
    let settings = &config.attachments;
    BlobSettings {
        uploads: settings.uploads,
        downloads: settings.downloads,
        stall: Duration::from_secs(settings.stall_seconds),
    }
}

pub(super) fn addresses(config: &Config) -> Addresses {
    let url = &config.http.public_url;
    Addresses { public_url: (!url.is_empty()).then(|| url.clone()) }
}

pub(super) fn mixin(config: &Config) -> mixin::MixinSettings {
    let settings = &config.dialects.mixin;
    mixin::MixinSettings {
        error_status: match settings.error_status {
            ErrorStatus::Auto => mixin::error::ErrorStatus::Auto,
            ErrorStatus::Always202 => mixin::error::ErrorStatus::Always202,
            ErrorStatus::AlwaysTrue => mixin::error::ErrorStatus::AlwaysTrue,
        },
        longest_token_life: Duration::from_secs(settings.token_life_seconds),
        clock_ahead: Duration::from_secs(settings.clock_ahead_seconds),
        body_limit: config.limits.body_bytes,
        socket_in_flight: settings.socket_in_flight,
        longest_poll: settings.longest_poll(),
        path_prefix: settings.path_prefix.clone(),
        plain_messages: match settings.plain_messages {
            PlainMessages::Refuse => mixin::plain::PlainMessages::Refuse,
            PlainMessages::Allow => mixin::plain::PlainMessages::Allow,
        },
        sign_up: match settings.sign_up {
            SignUp::Closed => SignUpPolicy::Closed,
            SignUp::Invite => SignUpPolicy::Invite,
            SignUp::Open => SignUpPolicy::Open,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_the_dialects_own() {
        let ours = mixin(&Config::default());
        assert_eq!(format!("{ours:?}"), format!("{:?}", mixin::MixinSettings::default()));
    }
}

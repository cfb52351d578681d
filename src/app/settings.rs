//! From the operator's settings to what each part asks for.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::config::Config;
use crate::config::dialects::{ErrorStatus, PlainMessages, SignUp};
use crate::dialect::mixin;
use crate::domain::Gateway;
use crate::domain::limits::Limiter;
use crate::domain::sign_up::SignUpPolicy;
use crate::http::blobs::{Addresses, BlobSettings};
use crate::http::cors::Origins;
use crate::http::gate::Gate;
use crate::storage::{CacheConfig, Database, PostgresConfig, StorageConfig};

/// The server that the settings name, or the file.
pub(super) fn database(config: &Config, file: impl Into<PathBuf>) -> Database {
    let settings = &config.storage;
    let cache = CacheConfig { entries: settings.cache_entries.into(), ..CacheConfig::default() };
    if config.database.is_server() {
        let server = &config.database;
        return Database::Postgres(PostgresConfig {
            connections: server.connections,
            writers: server.writers,
            pooler: server.pooler,
            patience: server.patience(),
            cache,
            ..PostgresConfig::at(server.url.reveal())
        });
    }
    Database::Sqlite(StorageConfig {
        readers: settings.readers,
        busy_timeout: Duration::from_secs(settings.busy_seconds),
        max_size: (settings.max_bytes > 0).then_some(settings.max_bytes),
        fresh_rows: settings.fresh_rows as usize,
        cache,
        ..StorageConfig::at(file)
    })
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

/// The origins that a setting lists.
pub(super) fn origins(listed: Vec<String>) -> Origins {
    match &listed[..] {
        [] => Origins::None,
        [all] if all == "*" => Origins::Any,
        _ => Origins::Only(listed),
    }
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
    fn the_defaults_are_the_stores_own() {
        let mut config = Config::default();
        let ours = database(&config, "x.db");
        let file = Database::from(StorageConfig::at("x.db"));
        assert_eq!(format!("{ours:?}"), format!("{file:?}"));
        config.database.url = "postgres://u:hunter2@db/x".to_owned().into();
        let ours = format!("{:?}", database(&config, "x.db"));
        let server = Database::from(PostgresConfig::at("postgres://u:hunter2@db/x"));
        assert_eq!(ours, format!("{server:?}"));
        assert!(!ours.contains("hunter2"), "{ours}");
    }

    #[test]
    fn the_defaults_are_the_dialects_own() {
        let ours = mixin(&Config::default());
        assert_eq!(format!("{ours:?}"), format!("{:?}", mixin::MixinSettings::default()));
    }
}

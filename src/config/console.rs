//! The section `[console]`: pages for people, the operator's and the one to try the gateway.

use serde::{Deserialize, Serialize};

use super::{ConfigError, Dialects, Secret};

/// What is shorter than this can be guessed.
const SHORTEST_PASSWORD: usize = 12;

/// A token that is shorter than this can be guessed by a machine.
const SHORTEST_TOKEN: usize = 16;

/// Where the page to try the gateway with is.
const TRY_IT: &str = "/try";

/// Where the console is.
const CONSOLE: &str = "/console";

/// Pages for people.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Console {
    /// Serve `/try`, where whoever reaches the gateway gets an account for as long as the page is
    /// open, and a bot to talk to.
    pub try_it: bool,
    /// With what an operator logs in at `/console`; empty when nobody does so by a password.
    pub password: Secret,
    /// With what a program asks what the console shows, as `Authorization: Bearer …`; empty when
    /// none does. The login takes it too.
    pub token: Secret,
}

impl Console {
    /// Whether there is a console: nobody can log in where there is neither password nor token.
    #[must_use]
    pub fn is_on(&self) -> bool {
        !self.password.is_empty() || !self.token.is_empty()
    }

    /// Refuses settings that have something else where these pages are.
    pub(super) fn fits(&self, dialects: &Dialects) -> Result<(), ConfigError> {
        let prefixes = [
            ("dialects.mixin.path_prefix", dialects.mixin.path_prefix.as_str()),
            ("dialects.hushnet.path_prefix", dialects.hushnet.mounted_at()),
        ];
        let pages = [(self.try_it, TRY_IT), (self.is_on(), CONSOLE)];
        let is_below = |path: &str, page: &str| {
            path.strip_prefix(page).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        for (_, page) in pages.into_iter().filter(|(is_on, _)| *is_on) {
            if let Some((key, _)) = prefixes.iter().find(|(_, path)| is_below(path, page)) {
                let reason = format!("is where there is a page for people already, {page}");
                return Err(ConfigError::Value { key, reason });
            }
        }
        Ok(())
    }

    pub(super) fn validate(&self) -> Result<(), ConfigError> {
        let secrets = [
            ("console.password", &self.password, SHORTEST_PASSWORD),
            ("console.token", &self.token, SHORTEST_TOKEN),
        ];
        for (key, secret, shortest) in secrets {
            if !secret.is_empty() && secret.reveal().len() < shortest {
                let reason = format!("must have {shortest} characters or more");
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
    fn there_is_a_console_once_somebody_can_log_in() {
        assert!(!Console::default().is_on());
        let password = Console { password: "correct horse".into(), ..Console::default() };
        let token = Console { token: "0123456789abcdef".into(), ..Console::default() };
        assert!(password.is_on() && password.validate().is_ok());
        assert!(token.is_on() && token.validate().is_ok());
    }

    #[test]
    fn nothing_else_is_where_the_page_to_try_it_is() {
        let with = |try_it, prefix: &str| {
            let mut dialects = Dialects::default();
            dialects.mixin.path_prefix = prefix.to_owned();
            Console { try_it, ..Console::default() }.fits(&dialects)
        };
        assert!(with(true, "").is_ok() && with(true, "/tryst").is_ok());
        assert!(with(true, "/try").is_err() && with(true, "/try/it").is_err());
        assert!(with(false, "/try").is_ok());
        let mut dialects = Dialects::default();
        dialects.mixin.path_prefix = "/console".to_owned();
        assert!(Console::default().fits(&dialects).is_ok());
        let is_on = Console { password: "correct horse".into(), ..Console::default() };
        assert!(is_on.fits(&dialects).is_err());
    }

    #[test]
    fn what_can_be_guessed_is_refused_and_never_shown() {
        let password = Console { password: "hunter2hunt".into(), ..Console::default() };
        let token = Console { token: "0123456789abcde".into(), ..Console::default() };
        for bad in [password, token] {
            let error = bad.validate().map_err(|error| error.to_string());
            assert!(error.is_err_and(|text| !text.contains("hunt") && !text.contains("0123")));
        }
    }
}

//! What `sealpost doctor` says of addresses and pages beside the API: who may reach them.

use super::Finding;
use crate::app::{Config, console};

/// Looks at each of them that is served.
pub(super) fn look(config: &Config) -> impl Iterator<Item = Finding> + use<> {
    [metrics(config), try_it_page(config), console_page(config)].into_iter().flatten()
}

/// Where the gateway tells how busy it is, if it does, and whether everybody may hear it.
fn metrics(config: &Config) -> Option<Finding> {
    const SUBJECT: &str = "metrics";
    let address = config.metrics.address()?;
    let found = format!("at http://{address}/metrics");
    if address.ip().is_loopback() || config.metrics.token().is_some() {
        return Some(Finding::ok(SUBJECT, found));
    }
    let found = format!("{found} for whoever can reach that address");
    Some(Finding::warn(SUBJECT, found, "set metrics.token, unless only the scraper can"))
}

/// Whether whoever reaches the gateway becomes a guest, and whether that may be anybody.
fn try_it_page(config: &Config) -> Option<Finding> {
    const SUBJECT: &str = "try-it page";
    if !config.console.try_it {
        return None;
    }
    let address = config.http.listen;
    if address.ip().is_loopback() && config.http.public_url.is_empty() {
        return Some(Finding::ok(SUBJECT, format!("at /try, for this machine ({address})")));
    }
    let found = "at /try, where whoever reaches this gateway gets an account for a while";
    Some(Finding::warn(SUBJECT, found, "leave console.try_it out, unless that is what you want"))
}

/// Whether the password of the console can be read on its way, if there is a console.
fn console_page(config: &Config) -> Option<Finding> {
    const SUBJECT: &str = "console";
    let address = config.http.listen;
    let look = || {
        if console::is_secure(config) {
            return Finding::ok(SUBJECT, "at /console, over TLS");
        }
        if address.ip().is_loopback() {
            return Finding::ok(SUBJECT, format!("at http://{address}/console, on this machine"));
        }
        let found = format!("at http://{address}/console: the password can be read on its way");
        let advice = "set http.tls_certificate and http.tls_key, or have a proxy do TLS and set \
                      http.public_url to https://…";
        Finding::warn(SUBJECT, found, advice)
    };
    config.console.is_on().then(look)
}

#[cfg(test)]
mod tests {
    use super::super::State;
    use super::*;

    #[test]
    fn metrics_that_strangers_may_reach_deserve_a_look() {
        let state = |listen: &str, token: &str| {
            let mut config = Config::default();
            config.metrics.listen = listen.to_owned();
            config.metrics.token = token.into();
            metrics(&config).map(|finding| finding.state)
        };
        assert_eq!(state("", ""), None);
        assert_eq!(state("127.0.0.1:9464", ""), Some(State::Ok));
        assert_eq!(state("0.0.0.0:9464", ""), Some(State::Warn));
        assert_eq!(state("0.0.0.0:9464", "a-token-of-some-length"), Some(State::Ok));
    }

    #[test]
    fn a_page_to_try_it_that_strangers_may_reach_deserves_a_look() {
        let state = |listen: &str, public_url: &str, is_on| {
            let mut config = Config::default();
            config.http.listen = listen.parse().unwrap();
            config.http.public_url = public_url.to_owned();
            config.console.try_it = is_on;
            try_it_page(&config).map(|finding| finding.state)
        };
        assert_eq!(state("0.0.0.0:8080", "", false), None);
        assert_eq!(state("127.0.0.1:8080", "", true), Some(State::Ok));
        assert_eq!(state("0.0.0.0:8080", "", true), Some(State::Warn));
        assert_eq!(state("127.0.0.1:8080", "https://gateway.example", true), Some(State::Warn));
    }

    #[test]
    fn a_console_whose_password_can_be_read_on_its_way_deserves_a_look() {
        let state = |password: &str, listen: &str, url: &str| {
            let mut config = Config::default();
            config.console.password = password.into();
            config.http.listen = listen.parse().unwrap();
            config.http.public_url = url.to_owned();
            console_page(&config).map(|finding| finding.state)
        };
        let (password, tls) = ("correct horse battery", "https://gateway.example");
        assert_eq!(state("", "0.0.0.0:80", ""), None);
        assert_eq!(state(password, "127.0.0.1:80", ""), Some(State::Ok));
        assert_eq!(state(password, "0.0.0.0:80", tls), Some(State::Ok));
        assert_eq!(state(password, "0.0.0.0:80", "http://gateway.example"), Some(State::Warn));
    }
}

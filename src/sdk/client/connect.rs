//! Where the gateway is, and the HTTP client that reaches it.

use std::time::Duration;

use reqwest::Url;

use super::build_error::BuildError;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Reads a base URL and refuses what cannot stand before a path.
pub(super) fn parse_base_url(text: &str) -> Result<Url, BuildError> {
    let refuse = |reason: String| BuildError::BaseUrl { url: without_password(text), reason };
    let url = Url::parse(text).map_err(|error| refuse(error.to_string()))?;
    let reason = if !matches!(url.scheme(), "http" | "https") {
        "its scheme is neither http nor https"
    } else if !url.username().is_empty() || url.password().is_some() {
        "it carries a user name or password"
    } else if url.query().is_some() || url.fragment().is_some() {
        "it carries a query or fragment"
    } else {
        return Ok(url);
    };
    Err(refuse(reason.to_owned()))
}

/// The URL as it may be shown: without anything that could be a user name or password.
pub(super) fn without_password(url: &str) -> String {
    match url.rsplit_once('@') {
        Some((_, rest)) => format!("…@{rest}"),
        None => url.to_owned(),
    }
}

/// A client with bounds of its own, for a gateway at `base`.
pub(super) fn http_client(base: &Url) -> Result<reqwest::Client, reqwest::Error> {
    // Fails when the program installed a provider already, and then that one is used.
    let _already_installed = rustls::crypto::ring::default_provider().install_default();
    let builder = reqwest::Client::builder()
        .user_agent(concat!("sealpost-sdk/", env!("CARGO_PKG_VERSION")))
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(CONNECT_TIMEOUT)
        .pool_idle_timeout(Duration::from_secs(60))
        .tcp_keepalive(Duration::from_secs(30));
    if base.scheme() == "http" {
        // Nothing will be verified, so a machine without root certificates is good enough.
        return builder.tls_certs_only([]).build();
    }
    builder.https_only(true).build()
}

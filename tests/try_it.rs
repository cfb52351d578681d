//! The page to try the gateway with: its guests, its bot, and itself in a browser.

mod demo;
mod echo;
mod guests;
mod page;

/// A client that trusts no certificate but those that it is given.
fn http(certificates: Vec<reqwest::Certificate>) -> reqwest::Client {
    // Fails when another test installed a provider already, and then that one is used.
    let _already_installed = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().no_proxy().tls_certs_only(certificates).build().unwrap()
}

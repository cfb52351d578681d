//! The gateway that a command talks to: the running one, or one of its own for a moment.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::error::CommandError;
use crate::admin::client::{AdminClient, CallError};
use crate::admin::types::Status;
use crate::app::directory::{DirectoryError, Holder};
use crate::app::{App, AppError, Config};

/// How long a command waits for another one to be done with the data directory.
const PATIENCE: Duration = Duration::from_secs(5);

/// Between two looks at the lock: there is no way to be told when it is free.
const PAUSE: Duration = Duration::from_millis(25);

/// The gateway that a command talks to.
pub(super) struct Gateway {
    /// The way to ask it.
    pub(super) client: AdminClient,
    /// Our own, when none runs.
    own: Option<App>,
    /// Where clients reach it, or will once it runs.
    address: SocketAddr,
    /// What they have to call it, where it has a certificate for that name.
    named: Option<String>,
    /// The path under which bots reach it.
    path_prefix: String,
}

impl Gateway {
    /// Finds the running gateway, or takes the lock and opens the database. Another command that is
    /// at work is waited for.
    pub(super) async fn find(config: &Config) -> Result<Self, CommandError> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let (path, holder) = match App::open_here(config).await {
                Ok(app) => return Ok(Self::own(config, app)),
                Err(AppError::Directory(DirectoryError::Held { path, holder })) => (path, holder),
                Err(error) => return Err(error.into()),
            };
            match Self::running(config, &holder).await {
                Ok(Some(gateway)) => return Ok(gateway),
                Ok(None) if Instant::now() >= deadline => {
                    return Err(CommandError::Busy { path, pid: holder.pid });
                }
                Err(source) if Instant::now() >= deadline => {
                    return Err(CommandError::Call {
                        doing: "talk to the running gateway",
                        source,
                    });
                }
                // A gateway that begins has not said yet where it is; one that ends, no longer.
                Ok(None) | Err(_) => sleep(PAUSE).await,
            }
        }
    }

    /// Whether the gateway is one of our own, with nobody else at the data.
    pub(super) fn is_own(&self) -> bool {
        self.own.is_some()
    }

    /// The URL that bots on this machine use.
    pub(super) fn base_url(&self) -> String {
        match &self.named {
            Some(url) => format!("{url}{}", self.path_prefix),
            None => format!("http://{}{}", reachable(self.address), self.path_prefix),
        }
    }

    /// Finishes; a gateway of our own is stopped.
    pub(super) async fn close(self) {
        if let Some(app) = self.own {
            app.close().await;
        }
    }

    fn own(config: &Config, app: App) -> Self {
        Self {
            client: AdminClient::Local(app.admin_router()),
            own: Some(app),
            address: config.http.listen,
            named: named(config),
            path_prefix: config.dialects.mixin.path_prefix.clone(),
        }
    }

    async fn running(config: &Config, holder: &Holder) -> Result<Option<Self>, CallError> {
        let Some(socket) = holder.admin_socket.clone() else {
            return Ok(None);
        };
        let client = AdminClient::Socket(socket);
        client.get::<Status>("/admin/v1/status").await?;
        Ok(Some(Self {
            client,
            own: None,
            address: holder.address.unwrap_or(config.http.listen),
            named: named(config),
            path_prefix: config.dialects.mixin.path_prefix.clone(),
        }))
    }
}

/// The name in its certificate, as the operator wrote it.
fn named(config: &Config) -> Option<String> {
    config.http.tls().map(|_| config.http.public_url.clone())
}

/// "Every address" is none to connect to: clients on this machine use the loopback.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    match address.ip() {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED) => address.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(Ipv6Addr::UNSPECIFIED) => address.set_ip(Ipv6Addr::LOCALHOST.into()),
        _ => {}
    }
    address
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_address_is_reached_over_the_loopback() {
        let shown = |text: &str| text.parse().map(|address| reachable(address).to_string());
        assert_eq!(shown("0.0.0.0:80").as_deref(), Ok("127.0.0.1:80"));
        assert_eq!(shown("[::]:80").as_deref(), Ok("[::1]:80"));
        assert_eq!(shown("192.0.2.7:80").as_deref(), Ok("192.0.2.7:80"));
    }
}

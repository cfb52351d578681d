//! The composition root: the one place that knows every concrete type.
//!
//! It turns settings into a store, a bus and routers, owns the tasks in the background, and stops
//! all of it in order. Commands, the demo and the tests begin here.

pub mod checkup;
mod console;
pub mod directory;
pub mod entropy;
mod files;
mod hushnet;
mod keyservice;
mod listeners;
mod metrics;
pub mod moving;
mod nodes;
mod openapi;
mod outside;
mod phones;
mod readers;
mod relays;
mod routers;
mod settings;
pub mod telling;
mod try_it;
mod upkeep;
mod vault;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use tokio::net::TcpListener;
use tokio::task::JoinSet;
use zeroize::Zeroizing;

use self::directory::{DataDirectory, DirectoryError};
use self::entropy::{EntropyError, SystemEntropy};
use self::listeners::{Purpose, Routers};
use self::metrics::Sample;
use crate::bus::LocalBus;
use crate::console::ConsoleState;
use crate::delivery::hub::Hub;
use crate::delivery::notifier::{Dressed, Notifier};
use crate::dialect::hushnet::HushNetState;
use crate::dialect::keyservice::KeyServiceState;
use crate::dialect::textsecure::{self, TextSecureState};
use crate::domain::account::Dialect;
use crate::domain::attachment::Files;
use crate::domain::clock::{Clock, SystemClock, Timestamp};
use crate::domain::dropbox::Depot;
use crate::domain::measures::Measures;
use crate::domain::messenger::Messenger;
use crate::domain::messenger::federation::Federation;
use crate::domain::phone::Switchboard;
use crate::domain::ports::{Bus, Entropy, Store};
use crate::domain::{Fault, Gateway};
use crate::http::blobs::BlobUrls;
use crate::http::gate::Gate;
use crate::http::leftovers::Leftovers;
use crate::http::places::Places;
use crate::http::switch::Switch;
use crate::http::traffic::Traffic;
use crate::outside::relays::PeerError;
use crate::sdk::keys::SigningKey;
use crate::storage;
use crate::try_it::TryIt;

pub use self::listeners::{Bound, ListenError};
pub use self::openapi::{Reduced, openapi_document, openapi_reduced, openapi_yaml};
pub use self::outside::OutsideError;
pub use self::vault::VaultError;
pub use crate::config::Config;
pub use crate::http::fault_log::chain;

/// A gateway with its data directory open.
pub struct App {
    config: Config,
    gateway: Arc<Gateway>,
    hub: Arc<Hub>,
    sockets: Arc<Places>,
    leftovers: Arc<Leftovers>,
    gate: Arc<Gate>,
    files: Arc<Files>,
    urls: Arc<BlobUrls>,
    phones: Option<Arc<TextSecureState>>,
    /// HushNet's dialect, if it is spoken.
    hushnet: Option<Arc<HushNetState>>,
    /// The key service, if it is spoken.
    keyservice: Option<Arc<KeyServiceState>>,
    /// The page to try the gateway with, if it is served.
    try_it: Option<Arc<TryIt>>,
    server_public_key: Arc<str>,
    started_at: Timestamp,
    /// The operator's console, if there is one.
    console: Option<Arc<ConsoleState>>,
    /// What clients are let do.
    switch: Arc<Switch>,
    /// What comes in from clients.
    traffic: Arc<Traffic>,
    /// What metrics last counted in the database.
    sample: Arc<Sample>,
    address: OnceLock<SocketAddr>,
    tasks: JoinSet<()>,
    // The last one, so that the lock is held until everything else is gone.
    directory: DataDirectory,
}

/// Why a gateway cannot begin.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// The data directory cannot be opened.
    #[error(transparent)]
    Directory(#[from] DirectoryError),
    /// There is no randomness.
    #[error(transparent)]
    Entropy(#[from] EntropyError),
    /// The database cannot be opened.
    #[error("cannot open the database")]
    Storage(#[from] storage::OpenError),
    /// The gateway's own key cannot be read.
    #[error("cannot read the gateway's own key")]
    ReadKey(#[source] Fault),
    /// What the database holds as the gateway's own key is none.
    #[error("the gateway's own key has {length} bytes in the database, not 32")]
    BadKey {
        /// Its length.
        length: usize,
    },
    /// A folder of files cannot be used.
    #[error("cannot use the folder of files {}", path.display())]
    Blobs {
        /// Where it is.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// Secrets at rest cannot be opened.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// Those who hand codes over or wake phones cannot be asked.
    #[error(transparent)]
    Outside(#[from] Box<OutsideError>),
    /// Another gateway cannot be asked.
    #[error(transparent)]
    Relays(#[from] Box<PeerError>),
    /// The guests of the page to try the gateway with cannot be found out.
    #[error("cannot find out which guests there are")]
    Guests(#[source] Fault),
    /// A listener cannot begin.
    #[error(transparent)]
    Listen(#[from] ListenError),
}

impl App {
    /// Opens the data directory with the machine's clock and randomness.
    ///
    /// # Errors
    /// As [`Self::open`], and when there is no randomness.
    pub async fn open_here(config: &Config) -> Result<Self, AppError> {
        let entropy = Arc::new(SystemEntropy::new()?);
        Self::open(config, Arc::new(SystemClock), entropy).await
    }

    /// Opens the data directory, brings the database up to date, and starts what runs in the
    /// background.
    ///
    /// # Errors
    /// When the directory is in use or cannot be opened, and when the database cannot be opened.
    pub async fn open(
        config: &Config,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> Result<Self, AppError> {
        let directory = DataDirectory::open(&config.storage.data)?;
        let store = storage::open(&settings::database(config, directory.database())).await?;
        Self::around(store, directory, config, clock, entropy).await
    }

    /// Starts what runs in the background, on a store that is open already.
    ///
    /// # Errors
    /// When the gateway's own key, the vault's or the folder of attachments cannot be used.
    pub async fn around(
        store: Arc<dyn Store>,
        directory: DataDirectory,
        config: &Config,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> Result<Self, AppError> {
        let bus: Arc<dyn Bus> = Arc::new(LocalBus::new());
        let started_at = clock.now();
        let (limits, measures) = (config.limits.for_domain(), Measures::default());
        let gateway = Arc::new(Gateway { store, bus, clock, entropy, limits, measures });
        let seed = own_seed(&gateway).await?;
        let server_public_key = SigningKey::from_seed(&seed).verifying_key().to_hex().into();
        let gate = settings::gate(config, &gateway);
        let files = files::open(config, &directory, &gateway)?;
        let urls = files::urls(config, &seed);
        let hub = Arc::new(Hub::default());
        let sockets = Places::new(config.http.sockets, config.limits.sockets_per_session);
        let sockets = Arc::new(sockets);
        // As many as there may be clients to leave them behind.
        let clients = u64::from(config.http.connections) + u64::from(config.http.sockets);
        let most = usize::try_from(clients).unwrap_or(usize::MAX);
        let leftovers = Leftovers::new(most, config.http.request_timeout());
        let leftovers = Arc::new(leftovers);
        let mut app = Self {
            config: config.clone(),
            gateway,
            hub,
            sockets,
            leftovers,
            gate,
            files,
            urls,
            phones: None,
            hushnet: None,
            keyservice: None,
            try_it: None,
            console: None,
            server_public_key,
            started_at,
            switch: Arc::default(),
            traffic: Arc::default(),
            sample: Arc::default(),
            address: OnceLock::new(),
            tasks: JoinSet::new(),
            directory,
        };
        app.tasks.spawn(app.hub.clone().run(app.gateway.bus.subscribe()));
        app.tasks.spawn(readers::turn(app.switch.clone(), app.hub.clone()));
        app.tasks.spawn(upkeep::run(app.gateway.clone()));
        app.tasks.spawn(files::run(app.files.clone()));
        if app.config.dialects.textsecure.enabled {
            app.open_phones().await?;
        }
        app.open_hushnet(&seed)?;
        app.open_keyservice(&seed)?;
        app.open_try_it(&seed).await.map_err(AppError::Guests)?;
        app.open_console();
        Ok(app)
    }

    /// The same for the page to try the gateway with.
    async fn open_try_it(&mut self, seed: &[u8; 32]) -> Result<(), Fault> {
        let parts = try_it::Parts {
            gateway: self.gateway.clone(),
            hub: self.hub.clone(),
            gate: self.gate.clone(),
            server_public_key: self.server_public_key.clone(),
        };
        self.try_it = parts.state(&self.config, seed).await?;
        if let Some(state) = &self.try_it {
            try_it::follow(&mut self.tasks, state);
        }
        Ok(())
    }

    /// The same for HushNet's members.
    fn open_hushnet(&mut self, seed: &[u8; 32]) -> Result<(), AppError> {
        let parts = hushnet::Parts {
            gateway: self.gateway.clone(),
            hub: self.hub.clone(),
            gate: self.gate.clone(),
            leftovers: self.leftovers.clone(),
            sockets: self.sockets.clone(),
        };
        let opened = parts.state(&self.config, seed);
        let opened = opened.map_err(OutsideError::from).map_err(Box::new)?;
        self.hushnet = opened.map(|parts| hushnet::follow(&mut self.tasks, &self.config, parts));
        Ok(())
    }

    /// The same for drop boxes.
    fn open_keyservice(&mut self, seed: &[u8; 32]) -> Result<(), AppError> {
        let parts = keyservice::Parts {
            gateway: self.gateway.clone(),
            gate: self.gate.clone(),
            leftovers: self.leftovers.clone(),
        };
        let opened = parts.state(&self.config, &self.directory, seed)?;
        self.keyservice = opened.and_then(|parts| keyservice::follow(&mut self.tasks, parts));
        Ok(())
    }

    /// Makes what phones are served with, and starts what runs for them in the background.
    async fn open_phones(&mut self) -> Result<(), AppError> {
        let vault = vault::open(&self.config, &self.directory, &self.gateway).await?;
        let outside = outside::open(&self.config, &self.gateway, &vault).await.map_err(Box::new)?;
        let notifier = Arc::new(Notifier::new(self.hub.clone()));
        let parts = phones::Parts {
            gateway: self.gateway.clone(),
            hub: self.hub.clone(),
            gate: self.gate.clone(),
            files: self.files.clone(),
            urls: self.urls.clone(),
            leftovers: self.leftovers.clone(),
            sockets: self.sockets.clone(),
            outside,
            notifier: notifier.clone(),
            relays: relays::open(&self.config)?,
        };
        let phones = Arc::new(parts.state(&self.config, vault));
        let carrier = Dressed {
            switchboard: phones.switchboard.clone(),
            dress: textsecure::notifying::dress,
        };
        self.tasks.spawn(notifier.run(Arc::new(carrier)));
        relays::follow(&mut self.tasks, &self.config, &phones.switchboard);
        self.phones = Some(phones);
        Ok(())
    }

    /// Stops the background, finishes what the store has taken, and lets go of the directory.
    pub async fn close(mut self) {
        self.hub.close();
        self.sockets.close(self.config.http.stop_timeout()).await;
        self.leftovers.close(self.config.http.stop_timeout()).await;
        self.tasks.shutdown().await;
        if let Some(messenger) = self.messenger() {
            hushnet::finish(messenger).await;
        }
        self.gateway.store.close().await;
    }

    /// The rules and what they work with.
    #[must_use]
    pub fn gateway(&self) -> &Arc<Gateway> {
        &self.gateway
    }

    /// The rules of phones, where they are served.
    #[must_use]
    pub fn switchboard(&self) -> Option<&Arc<Switchboard>> {
        self.phones.as_ref().map(|phones| &phones.switchboard)
    }

    /// The rules of HushNet's members, if that dialect is spoken.
    #[must_use]
    pub fn messenger(&self) -> Option<&Arc<Messenger>> {
        self.hushnet.as_ref().map(|state| &state.messenger)
    }

    /// The rules between gateways that serve HushNet's members, if that dialect is spoken.
    #[must_use]
    pub fn federation(&self) -> Option<&Arc<Federation>> {
        self.hushnet.as_ref().map(|state| &state.federation)
    }

    /// The rules of drop boxes, if there are any.
    #[must_use]
    pub fn depot(&self) -> Option<&Arc<Depot>> {
        self.keyservice.as_ref().map(|state| &state.depot)
    }

    /// Attachments.
    #[must_use]
    pub fn files(&self) -> &Arc<Files> {
        &self.files
    }

    /// What is counted of requests and connections.
    #[must_use]
    pub fn traffic(&self) -> &Arc<Traffic> {
        &self.traffic
    }

    /// Who waits for messages here.
    #[must_use]
    pub fn hub(&self) -> &Arc<Hub> {
        &self.hub
    }

    /// [`Self::bind`] and [`Self::run`] in one.
    ///
    /// # Errors
    /// As [`Self::bind`].
    pub async fn serve(
        &mut self,
        listener: TcpListener,
        stop: impl Future<Output = ()>,
    ) -> Result<(), AppError> {
        let bound = self.bind(listener)?;
        self.run(bound, stop).await;
        Ok(())
    }

    /// Makes the admin socket, and the listeners of dialects and metrics that have addresses of their
    /// own, and writes into the lock file where this gateway is reached.
    ///
    /// # Errors
    /// When one of them cannot be made or the lock file cannot be written.
    pub fn bind(&mut self, listener: TcpListener) -> Result<Bound, AppError> {
        let dialects = &self.config.dialects;
        let own = [
            (Purpose::Dialect(Dialect::TextSecure), dialects.textsecure.own_address()),
            (Purpose::Dialect(Dialect::HushNet), dialects.hushnet.own_address()),
            (Purpose::Dialect(Dialect::KeyService), dialects.keyservice.own_address()),
            (Purpose::Metrics, self.config.metrics.address()),
            (Purpose::Echo, self.try_it.as_ref().map(|_| try_it::ECHO)),
        ];
        let own = own.into_iter().filter_map(|(purpose, address)| Some((purpose, address?)));
        let bound =
            listeners::bind(listener, own.collect(), &self.config.http, &mut self.directory)?;
        self.address = OnceLock::from(bound.address());
        Ok(bound)
    }

    /// Serves clients and operators until `stop` is over, then lets requests finish for a while.
    pub async fn run(&self, bound: Bound, stop: impl Future<Output = ()>) {
        let stop = async {
            stop.await;
            // Readers that wait for messages would hold up everything else.
            self.hub.close();
        };
        let (clients, mut own) = (self.router(), self.own_routers());
        own.push((Purpose::Echo, clients.clone()));
        let routers = Routers { clients, operators: self.admin_router(), own };
        listeners::run(bound, routers, &self.config.http, &self.traffic, stop).await;
        self.sockets.close(self.config.http.stop_timeout()).await;
    }
}

/// The gateway's own secret, from which its signing key and others follow. It is made with the
/// database and never changes.
async fn own_seed(gateway: &Gateway) -> Result<Zeroizing<[u8; 32]>, AppError> {
    let mut fresh = Zeroizing::new([0; 32]);
    gateway.entropy.fill(fresh.as_mut_slice());
    let kept = gateway.store.setting_or("gateway_signing_key", fresh.to_vec()).await;
    let kept = Zeroizing::new(kept.map_err(AppError::ReadKey)?);
    let seed = <[u8; 32]>::try_from(kept.as_slice()).map(Zeroizing::new);
    seed.map_err(|_| AppError::BadKey { length: kept.len() })
}

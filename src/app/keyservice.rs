//! Drop boxes: from the operator's settings to the dialect that serves them, and what runs for them
//! in the background. A gateway that does not speak it has nothing of it in memory.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use super::directory::DataDirectory;
use super::{AppError, OutsideError, settings};
use crate::config::Config;
use crate::dialect::keyservice::transfers::Transfers;
use crate::dialect::keyservice::{KeyServiceSettings, KeyServiceState, PAGE, v1};
use crate::domain::clock::Timestamp;
use crate::domain::dropbox::depot::Depot;
use crate::domain::dropbox::notifying::{Links, Notices};
use crate::domain::ports::{BLOB_PARTS, Mailer};
use crate::domain::{Fault, Gateway};
use crate::http::fault_log::chain;
use crate::http::gate::Gate;
use crate::http::leftovers::Leftovers;
use crate::outside::mail::{MailError, MailServer, ServerSettings};
use crate::outside::reach::Reach;
use crate::storage::blobs::LocalBlobs;

/// Between two rounds of the sweeper.
const PAUSE: Duration = Duration::from_secs(5);

/// Between two rounds when the first has not come to an end.
const SHORT_PAUSE: Duration = Duration::from_millis(100);

/// After a round that has not come to an end, a pause is at least so many times as long as the round
/// took.
const REST: u32 = 3;

/// Rows of each sort that go in one transaction, and files that are removed in one go.
const STEP: u32 = 100;

/// Between two walks along all files: only crashes leave strays.
const WALK: Duration = Duration::from_secs(24 * 60 * 60);

/// Between two looks whether there is mail.
const MAIL_PAUSE: Duration = Duration::from_secs(1);

/// About as many bytes of keys, texts and names as one answer may hold.
const ANSWER_BYTES: u64 = 1024 * 1024;

/// What drop boxes share with everybody else.
pub(super) struct Parts {
    pub(super) gateway: Arc<Gateway>,
    pub(super) gate: Arc<Gate>,
    pub(super) leftovers: Arc<Leftovers>,
}

/// The dialect, before anything runs in its background.
pub(super) struct Open {
    depot: Arc<Depot>,
    /// What it is spoken with, unless it is switched off.
    spoken: Option<(Arc<KeyServiceState>, Option<MailServer>)>,
}

impl Parts {
    /// What the dialect's handlers work with, if it is spoken; keys follow from `seed`. Where it was
    /// spoken once, what it kept still has to go when it is over.
    ///
    /// # Errors
    /// When the folder of files cannot be used, or mail cannot be set up.
    pub(super) fn state(
        self,
        config: &Config,
        directory: &DataDirectory,
        seed: &[u8; 32],
    ) -> Result<Option<Open>, AppError> {
        let settings = &config.dialects.keyservice;
        let path = directory.drop_box_files();
        // The folder is made when the dialect is switched on for the first time.
        if !settings.enabled && !path.exists() {
            return Ok(None);
        }
        let blobs = LocalBlobs::open(path.clone(), config.attachments.keep_free_bytes);
        let blobs = blobs.map_err(|source| AppError::Blobs { path, source })?;
        if !settings.enabled {
            let policy = settings.for_domain();
            let depot = Depot::new(self.gateway, Arc::new(blobs), policy, Notices::none());
            return Ok(Some(Open { depot: Arc::new(depot), spoken: None }));
        }
        let mailer = mailer(config, &self.gateway);
        let mailer = mailer.transpose().map_err(OutsideError::from).map_err(Box::new)?;
        let notices = match &mailer {
            Some(_) => Notices::by_mail(self.gateway.clock.clone(), links(config)),
            None => Notices::none(),
        };
        let depot = Depot::new(self.gateway, Arc::new(blobs), settings.for_domain(), notices);
        let depot = Arc::new(depot);
        let state = KeyServiceState {
            depot: depot.clone(),
            gate: self.gate,
            v1: settings.v1.then(|| v1::One::new(seed)),
            settings: dialect(config),
            transfers: Transfers::new(settings::blobs(config)),
            leftovers: self.leftovers,
        };
        Ok(Some(Open { depot, spoken: Some((Arc::new(state), mailer)) }))
    }
}

/// Starts what runs in the background for drop boxes.
pub(super) fn follow(tasks: &mut JoinSet<()>, open: Open) -> Option<Arc<KeyServiceState>> {
    tasks.spawn(sweep(open.depot.clone()));
    let (state, mailer) = open.spoken?;
    if let Some(mailer) = mailer {
        tasks.spawn(send_mail(open.depot, mailer));
    }
    Some(state)
}

/// Removes what is over, and strays, for ever; the caller ends it by dropping it.
async fn sweep(depot: Arc<Depot>) {
    let mut walk = Walk::default();
    let mut pause = PAUSE;
    loop {
        // Before the first round as well: a command that is done in a moment never gets further.
        sleep(pause).await;
        let began = Instant::now();
        pause = match round(&depot, &mut walk).await {
            Ok(true) => SHORT_PAUSE.max(began.elapsed() * REST),
            Ok(false) => PAUSE,
            // Nothing is lost: the next round goes on where this one broke off.
            Err(fault) => {
                tracing::warn!("could not remove what is over of drop boxes: {}", chain(&fault));
                PAUSE
            }
        };
    }
}

/// A walk along the parts of the store of bytes.
#[derive(Default)]
struct Walk {
    part: u16,
    /// When the next one begins; at the beginning of time the first.
    begins_at: Timestamp,
}

/// One step of each kind; returns whether there may be more that is urgent.
async fn round(depot: &Depot, walk: &mut Walk) -> Result<bool, Fault> {
    let is_behind = depot.sweep(STEP).await?;
    if depot.now() >= walk.begins_at {
        let strays = depot.remove_strays(walk.part).await?;
        if strays > 0 {
            tracing::info!(strays, "removed files that belong to no drop box");
        }
        walk.part += 1;
        if walk.part == BLOB_PARTS {
            *walk = Walk { part: 0, begins_at: depot.now().plus(WALK) };
        }
    }
    Ok(is_behind)
}

/// Sends what mail there is, for ever; the caller ends it by dropping it.
async fn send_mail(depot: Arc<Depot>, mailer: impl Mailer) {
    loop {
        sleep(MAIL_PAUSE).await;
        for fault in depot.notices().deliver(&mailer).await {
            tracing::warn!("a mail about a drop box is lost: {}", chain(&fault));
        }
    }
}

/// The server that takes mail, if there is one.
fn mailer(config: &Config, gateway: &Gateway) -> Option<Result<MailServer, MailError>> {
    let settings = &config.dialects.keyservice;
    let server = ServerSettings {
        server: &settings.smtp.server,
        tls: settings.smtp.tls,
        check_address: settings.smtp.check_address,
        user: &settings.smtp.user,
        password: &settings.smtp.password,
        from: &settings.smtp.from,
    };
    let reach = Reach::with(config.outbound.private_networks());
    let patience = config.outbound.patience();
    let open = || MailServer::open(&server, &reach, patience, gateway.clock.clone());
    settings.sends_mail().then(open)
}

/// The links that owners of boxes are told.
fn links(config: &Config) -> Links {
    let url = config.dialects.keyservice.public_url(&config.http).unwrap_or_default().to_owned();
    Arc::new(move |token| format!("{url}{PAGE}#{token}"))
}

fn dialect(config: &Config) -> KeyServiceSettings {
    let settings = &config.dialects.keyservice;
    KeyServiceSettings {
        body_limit: settings.body_limit(),
        answer_bytes: ANSWER_BYTES,
        public_url: settings.public_url(&config.http).map(ToOwned::to_owned),
        origins: settings::origins(settings.origins()),
        has_own_address: !settings.listen.is_empty(),
    }
}

//! Attachments: where their bytes are, under which key their URLs are signed, and their upkeep.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;

use super::AppError;
use super::directory::DataDirectory;
use crate::config::Config;
use crate::domain::attachment::Files;
use crate::domain::clock::Timestamp;
use crate::domain::ports::BLOB_PARTS;
use crate::domain::{Fault, Gateway};
use crate::http::blobs::{BlobUrls, UrlKey};
use crate::http::fault_log::chain;
use crate::storage::blobs::LocalBlobs;

/// Between two rounds.
const PAUSE: Duration = Duration::from_secs(5);

/// Between two rounds when the first has not come to an end.
const SHORT_PAUSE: Duration = Duration::from_millis(100);

/// Attachments that end in one transaction, and whose files are removed in one go.
const STEP: u32 = 100;

/// Between two walks along all files: only crashes leave strays.
const WALK: Duration = Duration::from_secs(24 * 60 * 60);

/// Opens the folder of attachments.
pub(super) fn open(
    config: &Config,
    directory: &DataDirectory,
    gateway: &Arc<Gateway>,
) -> Result<Arc<Files>, AppError> {
    let path = directory.blobs();
    let blobs = LocalBlobs::open(path.clone(), config.attachments.keep_free_bytes);
    let blobs = blobs.map_err(|source| AppError::Blobs { path, source })?;
    let limits = config.attachments.for_domain();
    Ok(Arc::new(Files::new(gateway.clone(), Arc::new(blobs), limits)))
}

/// Signed URLs, under a key that follows from the gateway's own secret.
pub(super) fn urls(config: &Config, seed: &[u8; 32]) -> Arc<BlobUrls> {
    let view_life = Duration::from_secs(config.attachments.view_seconds);
    Arc::new(BlobUrls::new(UrlKey::derive(seed), view_life))
}

/// Removes what is over, and strays; the caller ends it by dropping it.
pub(super) async fn run(files: Arc<Files>) {
    let mut walk = Walk::default();
    let mut pause = PAUSE;
    loop {
        // Before the first round as well: a command that is done in a moment never gets further.
        sleep(pause).await;
        pause = match round(&files, &mut walk).await {
            Ok(true) => SHORT_PAUSE,
            Ok(false) => PAUSE,
            // Nothing is lost: the next round goes on where this one broke off.
            Err(fault) => {
                tracing::warn!("could not remove old attachments: {}", chain(&fault));
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
async fn round(files: &Files, walk: &mut Walk) -> Result<bool, Fault> {
    let is_behind = files.sweep(STEP).await?;
    if files.now() >= walk.begins_at {
        let strays = files.remove_strays(walk.part).await?;
        if strays > 0 {
            tracing::info!(strays, "removed files that belong to no attachment");
        }
        walk.part += 1;
        if walk.part == BLOB_PARTS {
            *walk = Walk { part: 0, begins_at: files.now().plus(WALK) };
        }
    }
    Ok(is_behind)
}

//! The talking for drop boxes: version 2 of the key service.
//!
//! Sealing and opening happen here, under the rules of [`crate::dropbox`]: neither passphrase nor
//! plaintext leaves the process, and what the gateway says of a box is checked against its token.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use std::path::Path;
//!
//! use sealpost_sdk::client::dropbox::{BoxContent, DropBoxClient, NewBox};
//!
//! let client = DropBoxClient::new("https://gateway.example")?;
//! let created = client.create("a long passphrase", NewBox::default()).await?;
//! println!("put it into {}", created.share.to_url());
//!
//! // Somebody with the link:
//! let record = client.record(created.share.token()).await?;
//! client.put_text(&record.shared, "meet me at noon").await?;
//! client.put_file(&record.shared, "cat.png", Path::new("cat.png")).await?;
//!
//! // The owner:
//! let owned = client.open(created.share.token(), "a long passphrase").await?;
//! for message in owned.messages(None, None).await?.messages {
//!     match message.content {
//!         BoxContent::Text(text) => println!("{text}"),
//!         BoxContent::File(file) => {
//!             let mut target = tokio::fs::File::create("downloaded").await?;
//!             owned.fetch_file(&file, &mut target).await?;
//!         }
//!         BoxContent::Unreadable(error) => eprintln!("{}: {error}", message.id),
//!     }
//! }
//! # Ok(())
//! # }
//! ```
//!
//! What a caller can rely on:
//! - A request is repeated where that cannot do its work twice: what puts, takes or deletes is sent
//!   again only if the gateway cannot have acted on it. `Retry-After` is honoured, within the bounds
//!   of a [`RetryPolicy`](super::RetryPolicy).
//! - Everything has a bound: time for each try, number of tries, pauses, size of answers.
//! - A file comes out chunk by chunk, each checked; that none is missing is known at the end.

mod boxes;
mod builder;
mod call;
mod error;
mod letters;
mod message;
mod owned;
mod problem;
mod put;
mod wire;

use std::fmt;
use std::sync::Arc;

pub use boxes::{BoxRecord, CreatedBox, NewBox};
pub use builder::DropBoxClientBuilder;
pub use error::DropBoxError;
pub use letters::{LeftLetter, Letter};
pub use message::{BoxContent, BoxFile, BoxMessage, BoxMessageId, BoxMessageIdError, Page};
pub use owned::OwnedBox;
pub use put::Put;

use super::build_error::BuildError;
use call::Core;

/// Talks to one gateway about drop boxes and letters. Cheap to clone.
#[derive(Clone)]
pub struct DropBoxClient {
    core: Arc<Core>,
}

impl DropBoxClient {
    /// A client of the gateway at this address, with bounds of its own.
    ///
    /// # Errors
    /// When the address is none, or the system has neither randomness nor, for `https`, root
    /// certificates.
    pub fn new(base_url: impl Into<String>) -> Result<Self, BuildError> {
        Self::builder(base_url).build()
    }

    /// A client with settings of your own.
    pub fn builder(base_url: impl Into<String>) -> DropBoxClientBuilder {
        DropBoxClientBuilder::new(base_url.into())
    }
}

impl fmt::Debug for DropBoxClient {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("DropBoxClient")
            .field("base", &self.core.base)
            .finish_non_exhaustive()
    }
}

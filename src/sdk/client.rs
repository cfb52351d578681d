//! The talking: a [`Bot`] that sends, receives and does the whole loop in between, and a
//! [`Device`], which is the same for people.
//!
//! Sending to a person means sealing for each of that person's devices, and devices come and go.
//! [`Bot::send`] fetches the list of devices, seals, posts, and when the gateway answers that the
//! list has changed, seals again for the list that came with the answer and sends only what failed.
//! A request that got no answer is sent again with the very same bytes. The message keeps its id
//! through all of this, so it is delivered once.
//!
//! [`Bot::run`] listens over a socket, opens it again whenever it breaks, and acknowledges what its
//! handler is through with.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use sealpost_sdk::client::{Bot, Text};
//!
//! let bot = Bot::from_keystore("echo.json")?;
//! bot.run(async |message| match message {
//!     Ok(message) => {
//!         if let Some(text) = message.text() {
//!             let sent = bot.reply(&message, Text::new(text)).await;
//!             println!("{sent:?}");
//!         }
//!     }
//!     Err(error) => eprintln!("{error}"),
//! })
//! .await?;
//! # Ok(())
//! # }
//! ```
//!
//! | to | there is |
//! | --- | --- |
//! | send | [`Bot::send`], [`Bot::send_all`], [`Bot::send_to_conversation`], [`Message`] |
//! | say what need not be secret, take back | [`Bot::send_readable`], [`Readable`] |
//! | listen | [`Bot::run`], [`Bot::listening`], [`Bot::live_messages`], [`Bot::messages`] |
//! | look without listening | [`Bot::look`], [`Bot::acknowledge`] |
//! | hold groups | [`Bot::create_group`], [`Bot::conversation`] and their neighbours |
//! | transfer files | [`Bot::upload`], [`Bot::download_to_file`], [`Bot::download`], [`File`] |
//! | be a person's client | [`Device`], [`SignUp`] |
//!
//! What a caller can rely on:
//! - What is sealed is never sent readable. A session without a usable key is an error that names
//!   the session ([`SendError::UnusableKey`]), and a [`Content`] has an encrypted category. Messages
//!   that the gateway may read are a type and a method of their own ([`Bot::send_readable`]).
//! - Everything has a bound: time for each try, number of tries, pauses, rounds, size of answers,
//!   memory for sessions and keys. [`BotBuilder`] moves them.
//! - Nothing of a download is handed out before all of it was checked.
//! - `Retry-After` is honoured; other pauses grow and are drawn at random.
//! - Nothing that came in is lost silently, and nothing unproven is shown as proven: a message that
//!   cannot be read, or whose sender nothing but the gateway's word confirms, is handed out as a
//!   [`ReceiveError`] of its own, and [`Incoming::proof`] says how far the sender is proved.
//! - What the gateway decides about one message is an [`Outcome`], not an error, and one message of
//!   [`Bot::send_all`] never fails another.

mod account;
mod acknowledge;
mod answer;
mod attachments;
mod backlog;
mod batch;
mod bot;
mod build_error;
mod builder;
mod clock;
mod connect;
mod content;
mod conversations;
mod credential;
mod device;
#[cfg(feature = "dropbox")]
pub mod dropbox;
mod entropy;
mod error;
mod gateway;
mod http_date;
mod inbox;
mod incoming;
mod listening;
mod look;
mod message;
mod messages;
mod outcome;
mod patience;
mod readable;
mod receipt;
mod recent;
mod refreshed;
mod retry;
mod rosters;
mod run;
mod schedule;
mod seal;
mod send;
mod sender;
mod sessions;
mod sign_up;
mod socket;
mod top_up;

#[cfg(test)]
mod tests;

pub use account::AddedSession;
pub use attachments::{Attachment, File, Progress, Source, TransferError};
pub use bot::Bot;
pub use build_error::BuildError;
pub use builder::{BotBuilder, DEFAULT_BASE_URL};
pub use clock::{Clock, SystemClock};
pub use content::{ContactCard, Content, ContentError, Post, Text};
pub use conversations::Role;
pub use device::Device;
pub use error::RequestError;
pub use incoming::{Incoming, UnreadableReason};
pub use listening::{Handled, Listening, Trouble};
pub use message::{Message, OnStale};
pub use messages::{Messages, ReceiveError};
pub use outcome::{ItemOutcome, Outcome, SendError, Sent};
pub use readable::Readable;
pub use refreshed::Refreshed;
pub use retry::RetryPolicy;
pub use sender::SenderProof;
pub use sign_up::{SignUp, SignUpError};
pub use socket::SocketError;

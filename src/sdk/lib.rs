//! Build, open and send end-to-end encrypted bot messages, as Mixin's messenger API has them.
//!
//! A bot seals each message once and wraps its key for every device of the recipient. A gateway
//! stores it without being able to read it and hands each device its own slice. This crate is all
//! that both must agree on byte for byte; with the feature `client` (on by default) it also does
//! the talking.
//!
//! ```
//! use rand_chacha::ChaCha20Rng;
//! use rand_core::SeedableRng;
//! use sealpost_sdk::checksum::session_checksum;
//! use sealpost_sdk::envelope::{self, Recipient};
//! use sealpost_sdk::ids::SessionId;
//! use sealpost_sdk::keys::SigningKey;
//!
//! # let mut rng = ChaCha20Rng::from_seed([1; 32]); // a generator seeded by the system in earnest
//! let bot = SigningKey::generate(&mut rng).agreement_secret();
//! let phone = SigningKey::generate(&mut rng).agreement_secret();
//! let laptop = SigningKey::generate(&mut rng).agreement_secret();
//! let [on_phone, on_laptop] = [SessionId::random(&mut rng), SessionId::random(&mut rng)];
//!
//! // The bot seals for both devices, and says which list of devices it believes in.
//! let recipients = [
//!     Recipient { session: on_phone, key: phone.public() },
//!     Recipient { session: on_laptop, key: laptop.public() },
//! ];
//! let sealed = envelope::seal(b"hello", &bot, &recipients, None, &mut rng)?;
//! let checksum = session_checksum([on_phone, on_laptop]);
//!
//! // The gateway checks both without a key, and cuts the phone's copy.
//! let parsed = envelope::parse(&sealed)?;
//! assert_eq!(session_checksum(parsed.sessions()), checksum);
//! let slice = parsed.slice_for(on_phone).ok_or("no slot for the phone")?;
//!
//! // The phone opens it, and accepts it from the bot's key alone.
//! let plaintext = envelope::open(&slice, on_phone, &phone, Some(&[bot.public()]))?;
//! assert_eq!(plaintext, b"hello");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # The modules
//!
//! - [`ids`], [`keys`]: typed ids; Ed25519 keys and their X25519 form.
//! - [`envelope`]: parse, seal, open and slice; the cache of wrap keys.
//! - [`checksum`], [`conversation`]: what everyone must compute alike.
//! - [`token`], [`device`]: what is signed: requests, and the adding of a device.
//! - [`keystore`]: who a bot is, as a file. [`attachment`]: encrypted files.
//! - [`types`], [`category`], [`base64url`]: the wire.
#![cfg_attr(
    feature = "client",
    doc = "- [`client`]: bots and people's devices that send, retry and listen."
)]
#![cfg_attr(
    feature = "dropbox",
    doc = "- [`dropbox`]: boxes that everybody may put into, and that a passphrase opens."
)]
//!
//! # Promises
//!
//! Hostile input never panics. Secrets are wiped on drop and never shown by `Debug`. Without the
//! feature `client` there is no clock, no network and no source of randomness in here: time and
//! generator are parameters, and the one thing that touches a disk is [`keystore`]. Nothing ever
//! falls back to plaintext.

pub mod attachment;
pub mod base64url;
pub mod category;
pub mod checksum;
#[cfg(feature = "client")]
pub mod client;
pub mod conversation;
pub mod device;
#[cfg(feature = "dropbox")]
pub mod dropbox;
pub mod envelope;
#[doc(hidden)]
pub mod fuzzing;
pub mod ids;
pub mod keys;
pub mod keystore;
pub mod token;
pub mod types;

mod hex;

/// Compiles the example of the README, so that it stays true.
#[cfg(all(doctest, feature = "client"))]
#[doc = include_str!("README.md")]
struct Readme;

//! Drop boxes: anybody may put a message in, and only a passphrase takes it out.
//!
//! The owner's passphrase makes two keys: one seals the private key of the box, the other proves to
//! the gateway who asks. Both private key and messages are with the gateway, which can read neither.
//! Whoever has the token of a box can check what the gateway says of it, so that nobody can put
//! another public key in its place, nor a weaker way from passphrase to key.
//!
//! `‖` joins bytes, `HKDF` is HKDF-SHA256 (RFC 5869) with 32 bytes of output, `sealed` is a random
//! nonce of 12 bytes and AES-256-GCM (tag at the end) with associated data that names box and kind:
//! `"sealpost drop box 2\n" ‖ token ‖ "\n" ‖ kind`.
//!
//! | what | how |
//! | --- | --- |
//! | master | [`Kdf`] over the passphrase: Argon2id or PBKDF2 |
//! | seal key | `HKDF(master, info = "sealpost drop box 2 private key")` |
//! | [`AuthKey`] | `HKDF(master, info = "sealpost drop box 2 authentication")`; the gateway keeps its SHA-256 |
//! | public key | X25519, as SPKI (RFC 8410), 44 bytes |
//! | private key | `sealed(seal key, "private key", PKCS#8)`, 76 bytes |
//! | [`BoxToken`] | first half of `SHA-256("sealpost drop box 2 token\n" ‖ public key ‖ kdf)` |
//! | encryption key | ephemeral X25519 key ‖ `sealed(kek, "message key", message key)`, 92 bytes |
//! | kek | `HKDF(X25519, salt = ephemeral ‖ box, info = "sealpost drop box 2 message key")` |
//! | text | `sealed(message key, "message", text)` |
//! | file | name: `sealed(message key, "file name", name)`; body: see [`FileSealer`] |
//! | letter | a text that is read once, its secret in the link alone: see [`LetterSecret`] |
//!
//! ```
//! use rand_chacha::ChaCha20Rng;
//! use rand_core::SeedableRng;
//! use sealpost_sdk::dropbox::{BoxKeys, Kdf, PassphraseKeys, SharedBox, open_text, seal_text};
//!
//! # let mut rng = ChaCha20Rng::from_seed([1; 32]); // a generator seeded by the system in earnest
//! // The owner makes a box, and the gateway gets all of this:
//! let keys = BoxKeys::create("a long passphrase", Kdf::random(&mut rng), &mut rng)?;
//! let (public_key, kdf) = (keys.public_key(), keys.kdf().to_string());
//! let private_key = keys.seal_private_key(&mut rng)?;
//!
//! // Somebody has the token, checks what the gateway says of the box, and puts a text in.
//! let shared = SharedBox::verify(keys.token(), &public_key, &kdf)?;
//! let sealed = seal_text(&shared, "meet me at noon", &mut rng)?;
//!
//! // The owner comes back with nothing but the passphrase.
//! let secrets = PassphraseKeys::derive("a long passphrase", shared.kdf())?;
//! let keys = BoxKeys::open(secrets, &shared, &private_key)?;
//! assert_eq!(open_text(&keys, &sealed.encryption_key, &sealed.message)?, "meet me at noon");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod auth;
mod der;
mod derive;
mod file_opener;
mod file_sealer;
mod kdf;
mod keys;
mod letter;
mod link;
mod message;
mod passphrase;
mod sealed;
mod shared;
mod text;
mod token;

pub use auth::AuthKey;
pub use file_opener::{FileError, FileOpener};
pub use file_sealer::{FileSealer, plain_length, sealed_length};
pub use kdf::{Argon2Cost, Kdf, KdfError};
pub use keys::{BoxKeys, KeysError};
pub use letter::{LetterError, LetterId, LetterIdError, LetterSecret};
pub use link::{LetterLink, LinkError, ShareLink};
pub use message::{ENCRYPTION_KEY, LONGEST_NAME, OpenError, SealError};
pub use passphrase::{DeriveError, PassphraseKeys};
pub use shared::{RecordError, SharedBox};
pub use text::{SealedText, open_text, seal_text};
pub use token::{BoxToken, BoxTokenError};

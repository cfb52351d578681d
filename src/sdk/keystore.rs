//! Keystore files: what a bot needs to be itself, as one JSON object.
//!
//! `{"app_id", "session_id", "server_public_key", "session_private_key"}` with keys in hex, as
//! Mixin's dashboard hands it out and other SDKs read it. A gateway's own tool adds `base_url`.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::hex;
use crate::ids::{SessionId, UserId};
use crate::keys::{KeyError, SigningKey, VerifyingKey};

/// Who a bot is, where its gateway is, and the key that proves it.
#[derive(Clone)]
pub struct Keystore {
    /// The bot's account; `app_id` in the file (`client_id` and `user_id` are read too).
    pub user_id: UserId,
    /// The bot's session.
    pub session_id: SessionId,
    /// The gateway's own key, when the file has it.
    pub server_public_key: Option<VerifyingKey>,
    /// The session's key.
    pub session_private_key: SigningKey,
    /// Where the gateway is, when the file says so.
    pub base_url: Option<String>,
}

/// Why a keystore was not read or written.
#[derive(Debug, thiserror::Error)]
pub enum KeystoreError {
    /// The file cannot be read.
    #[error("cannot read keystore {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The file exists already, or cannot be written.
    #[error("cannot write keystore {}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The text is not JSON of the right shape.
    ///
    /// It tells where, never what: the private key may stand in the wrong place.
    #[error("the keystore is {problem} at line {line}, column {column}")]
    Json {
        /// What is wrong there.
        problem: &'static str,
        /// Line of the text, from 1.
        line: usize,
        /// Column of the line, from 1.
        column: usize,
    },
    /// A member is not there.
    #[error("the keystore has no member {member:?}")]
    Missing {
        /// Name of the member.
        member: &'static str,
    },
    /// Two names of the account's member are present and differ.
    #[error("the keystore names two different accounts")]
    TwoAccounts,
    /// The private key is an RSA key; such keystores sign with RS512, which is not supported.
    #[error("the private key is an RSA key: make a new keystore with an Ed25519 key")]
    RsaKey,
    /// The private key is not hex of a 32-byte seed, or of a seed with its public key.
    #[error("session_private_key is not 64 or 128 hexadecimal digits")]
    PrivateKey,
    /// The private key carries a public key that is not its own.
    #[error("session_private_key contains a public key that does not belong to it")]
    KeyPair,
    /// The gateway's key is not hex of 32 bytes.
    #[error("server_public_key is not 64 hexadecimal digits")]
    ServerKeyForm,
    /// The gateway's key is no good.
    #[error("bad server_public_key")]
    ServerKey(#[source] KeyError),
}

/// The file as it is written.
#[derive(Serialize)]
struct Written<'a> {
    app_id: UserId,
    session_id: SessionId,
    server_public_key: String,
    session_private_key: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    base_url: Option<&'a str>,
}

/// The file as various tools wrote it.
#[derive(Deserialize)]
struct Read {
    app_id: Option<UserId>,
    client_id: Option<UserId>,
    user_id: Option<UserId>,
    session_id: Option<SessionId>,
    server_public_key: Option<String>,
    session_private_key: Option<String>,
    /// Where older keystores have an RSA key.
    private_key: Option<String>,
    base_url: Option<String>,
}

impl Keystore {
    /// Reads a keystore.
    ///
    /// # Errors
    /// When the text is not JSON of this shape, a member is missing, or a key is malformed. The
    /// error never shows the private key.
    ///
    /// ```
    /// use sealpost_sdk::keystore::Keystore;
    ///
    /// let keystore = Keystore::from_json(
    ///     r#"{
    ///         "app_id": "00000000-0000-4000-8000-000000000001",
    ///         "session_id": "00000000-0000-4000-8000-000000000002",
    ///         "session_private_key":
    ///             "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"
    ///     }"#,
    /// )?;
    /// assert_eq!(keystore.user_id.to_string(), "00000000-0000-4000-8000-000000000001");
    /// assert!(!format!("{keystore:?}").contains("9d61"));
    /// # Ok::<(), sealpost_sdk::keystore::KeystoreError>(())
    /// ```
    pub fn from_json(text: &str) -> Result<Self, KeystoreError> {
        let mut read: Read = serde_json::from_str(text).map_err(KeystoreError::from)?;
        // First of all, so that they are wiped however this ends.
        let private_key = read.session_private_key.take().map(Zeroizing::new);
        let older_key = read.private_key.take().map(Zeroizing::new);
        let user_id = read.account()?;
        if [&private_key, &older_key].into_iter().flatten().any(|key| is_pem(key)) {
            return Err(KeystoreError::RsaKey);
        }
        let missing = |member| KeystoreError::Missing { member };
        let private_key = private_key.ok_or(missing("session_private_key"))?;
        Ok(Self {
            user_id,
            session_id: read.session_id.ok_or(missing("session_id"))?,
            server_public_key: match read.server_public_key.as_deref() {
                None | Some("") => None,
                Some(text) => Some(server_key(text)?),
            },
            session_private_key: signing_key(&private_key)?,
            base_url: read.base_url.filter(|url| !url.is_empty()),
        })
    }

    /// Reads a keystore file.
    ///
    /// # Errors
    /// When the file cannot be read, and as [`Self::from_json`].
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, KeystoreError> {
        let path = path.as_ref();
        let text = fs::read_to_string(path)
            .map_err(|source| KeystoreError::Read { path: path.to_owned(), source })?;
        Self::from_json(&Zeroizing::new(text))
    }

    /// The keystore as JSON, private key included.
    ///
    /// # Errors
    /// Never in practice: every member is text.
    pub fn to_json(&self) -> Result<Zeroizing<String>, KeystoreError> {
        let seed = Zeroizing::new(hex::encode(self.session_private_key.seed().as_slice()));
        // Other SDKs read every member as text, so an unknown key is written as an empty one.
        let server_key = self.server_public_key.map(|key| hex::encode(&key.to_bytes()));
        let written = Written {
            app_id: self.user_id,
            session_id: self.session_id,
            server_public_key: server_key.unwrap_or_default(),
            session_private_key: &seed,
            base_url: self.base_url.as_deref(),
        };
        serde_json::to_string_pretty(&written).map(Zeroizing::new).map_err(KeystoreError::from)
    }

    /// Writes a new keystore file that only its owner may read.
    ///
    /// # Errors
    /// When the file exists already (it may hold the only copy of a key) or cannot be written;
    /// a file that was begun is removed again.
    pub fn write_new(&self, path: impl AsRef<Path>) -> Result<(), KeystoreError> {
        let path = path.as_ref();
        let failed = |source| KeystoreError::Write { path: path.to_owned(), source };
        let json = self.to_json()?;
        let mut file = create_private(path).map_err(failed)?;
        let written = writeln!(file, "{}", json.as_str()).and_then(|()| file.sync_all());
        written.map_err(|source| {
            // The half-written file is of no use; the first error is the one to tell.
            let _already_failed = fs::remove_file(path);
            failed(source)
        })
    }
}

impl From<serde_json::Error> for KeystoreError {
    fn from(error: serde_json::Error) -> Self {
        use serde_json::error::Category;

        let problem = match error.classify() {
            Category::Eof => "cut off",
            Category::Syntax | Category::Io => "no JSON",
            Category::Data => "JSON of another shape",
        };
        Self::Json { problem, line: error.line(), column: error.column() }
    }
}

impl fmt::Debug for Keystore {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Keystore")
            .field("user_id", &self.user_id)
            .field("session_id", &self.session_id)
            .field("server_public_key", &self.server_public_key)
            .field("session_private_key", &self.session_private_key)
            .field("base_url", &self.base_url)
            .finish()
    }
}

impl Read {
    fn account(&self) -> Result<UserId, KeystoreError> {
        let mut named = [self.app_id, self.client_id, self.user_id].into_iter().flatten();
        let account = named.next().ok_or(KeystoreError::Missing { member: "app_id" })?;
        if named.all(|other| other == account) {
            Ok(account)
        } else {
            Err(KeystoreError::TwoAccounts)
        }
    }
}

fn is_pem(key: &str) -> bool {
    key.trim_start().starts_with("-----BEGIN")
}

fn signing_key(text: &str) -> Result<SigningKey, KeystoreError> {
    if let Some(seed) = hex::decode(text).map(Zeroizing::new) {
        return Ok(SigningKey::from_seed(&seed));
    }
    let pair = hex::decode::<64>(text).map(Zeroizing::new).ok_or(KeystoreError::PrivateKey)?;
    let (halves, _) = pair.as_chunks();
    let [seed, public] = halves else {
        return Err(KeystoreError::PrivateKey);
    };
    let key = SigningKey::from_seed(seed);
    if key.verifying_key().to_bytes() == *public { Ok(key) } else { Err(KeystoreError::KeyPair) }
}

/// Reads the gateway's key.
pub(crate) fn server_key(text: &str) -> Result<VerifyingKey, KeystoreError> {
    let bytes = hex::decode(text).ok_or(KeystoreError::ServerKeyForm)?;
    VerifyingKey::from_bytes(&bytes).map_err(KeystoreError::ServerKey)
}

#[cfg(unix)]
fn create_private(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;

    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

#[cfg(not(unix))]
fn create_private(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).open(path)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const SEED: &str = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60";
    const PUBLIC: &str = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";

    fn file() -> Value {
        json!({
            "app_id": "00000000-0000-4000-8000-000000000001",
            "session_id": "00000000-0000-4000-8000-000000000002",
            "server_public_key": PUBLIC,
            "session_private_key": SEED,
        })
    }

    fn with(member: &str, value: &str) -> Value {
        let mut file = file();
        file.as_object_mut().unwrap().insert(member.to_owned(), json!(value));
        file
    }

    fn read(file: &Value) -> Result<Keystore, KeystoreError> {
        Keystore::from_json(&file.to_string())
    }

    fn without(mut file: Value, member: &str) -> Value {
        file.as_object_mut().unwrap().remove(member);
        file
    }

    #[test]
    fn the_known_seed_has_the_known_public_key() {
        let keystore = read(&file()).unwrap();
        let public = keystore.session_private_key.verifying_key();
        assert_eq!(hex::encode(&public.to_bytes()), PUBLIC);
        assert_eq!(keystore.server_public_key, Some(public));
        assert_eq!(keystore.base_url, None);
    }

    #[test]
    fn older_names_of_the_account_are_read() {
        let account = "00000000-0000-4000-8000-000000000001";
        for name in ["client_id", "user_id"] {
            let keystore = read(&without(with(name, account), "app_id")).unwrap();
            assert_eq!(keystore.user_id.to_string(), account);
        }
        assert!(read(&with("client_id", account)).is_ok());
        let other = with("client_id", "00000000-0000-4000-8000-000000000009");
        assert!(matches!(read(&other), Err(KeystoreError::TwoAccounts)));
    }

    #[test]
    fn a_seed_with_its_public_key_is_read_when_they_match() {
        let pair = format!("{SEED}{PUBLIC}");
        let keystore = read(&with("session_private_key", &pair)).unwrap();
        assert_eq!(hex::encode(keystore.session_private_key.seed().as_slice()), SEED);
        let wrong = with("session_private_key", &format!("{SEED}{SEED}"));
        assert!(matches!(read(&wrong), Err(KeystoreError::KeyPair)));
    }

    #[test]
    fn rsa_keystores_are_refused_by_name() {
        let pem = "-----BEGIN RSA PRIVATE KEY-----\nMIIC\n-----END RSA PRIVATE KEY-----";
        let newer = with("session_private_key", pem);
        let older = without(with("private_key", pem), "session_private_key");
        for file in [newer, older] {
            assert!(matches!(read(&file), Err(KeystoreError::RsaKey)));
        }
    }

    #[test]
    fn a_missing_member_is_named() {
        for member in ["app_id", "session_id", "session_private_key"] {
            let error = read(&without(file(), member)).unwrap_err();
            assert_eq!(error.to_string(), format!("the keystore has no member {member:?}"));
        }
    }

    #[test]
    fn a_keystore_without_the_gateways_key_survives_both_directions() {
        let keystore = read(&without(file(), "server_public_key")).unwrap();
        let again = Keystore::from_json(&keystore.to_json().unwrap()).unwrap();
        assert_eq!(again.server_public_key, None);
    }

    #[test]
    fn errors_do_not_show_the_private_key() {
        let broken = with("session_private_key", &SEED.replace('9', "x"));
        let error = read(&broken).unwrap_err();
        assert!(matches!(error, KeystoreError::PrivateKey));
        assert!(!format!("{error:?} {error}").contains("d61b1"));
        assert!(!format!("{:?}", read(&file()).unwrap()).contains(SEED));
    }

    #[test]
    fn no_error_shows_a_private_key_that_stands_in_the_wrong_place() {
        let id = "00000000-0000-4000-8000-000000000001";
        for text in [
            format!("\"{SEED}\""),
            format!("[\"{SEED}\"]"),
            format!("{{\"app_id\": \"{SEED}\"}}"),
            format!("{{\"app_id\": \"{id}\", \"session_private_key\": [\"{SEED}\"]}}"),
            format!("{{\"app_id\": \"{id}\", \"base_url\": {{\"x\": \"{SEED}\"}}}}"),
            SEED.to_owned(),
        ] {
            let error = Keystore::from_json(&text).unwrap_err();
            assert!(matches!(error, KeystoreError::Json { line: 1, .. }), "{error:?}");
            assert!(!format!("{error:?} {error}").contains("d61b1"), "{error:?}");
        }
    }

    #[test]
    fn json_survives_both_directions() {
        let keystore = read(&with("base_url", "http://127.0.0.1:8080")).unwrap();
        let again = Keystore::from_json(&keystore.to_json().unwrap()).unwrap();
        assert_eq!(again.to_json().unwrap(), keystore.to_json().unwrap());
        assert_eq!(again.base_url.as_deref(), Some("http://127.0.0.1:8080"));
    }

    #[test]
    fn a_file_is_private_and_never_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bot.json");
        let keystore = read(&file()).unwrap();
        keystore.write_new(&path).unwrap();
        assert_eq!(Keystore::from_file(&path).unwrap().user_id, keystore.user_id);
        let error = keystore.write_new(&path).unwrap_err();
        let KeystoreError::Write { source, .. } = error else { unreachable!("{error}") };
        assert_eq!(source.kind(), io::ErrorKind::AlreadyExists);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;

            let mode = fs::metadata(&path).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
    }
}

//! Who is calling: Basic credentials (RFC 7617) of a number, or of a number and a device.
//!
//! An unknown number, an unknown device and a wrong password are told apart neither by the answer
//! nor by the time that it takes. A password that was found right is remembered for a while, by a
//! digest that is worth nothing elsewhere, so that a request does not pay for its hash each time.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use hmac::{Hmac, KeyInit, Mac};
use moka::sync::Cache;
use sha2::Sha256;
use tokio::sync::Semaphore;
use zeroize::Zeroizing;

use super::TextSecureState;
use crate::domain::error::Fault;
use crate::domain::ids::SessionNumber;
use crate::domain::limits::Visitor;
use crate::domain::measures::Stage;
use crate::domain::password;
use crate::domain::phone::{Device, DeviceNumber, PasswordHash, Phone, PhoneNumber};
use crate::domain::ports::Entropy;
use crate::domain::reader::{Credential, Reader};
use crate::http::problem::Problem;

/// Base64 as this protocol's clients write it: the usual alphabet, with padding or without.
pub const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// The longest password, in bytes: those of known clients have 22 and 24.
const LONGEST_PASSWORD: usize = 256;

/// A password that was found right is remembered for so long.
const REMEMBERED: Duration = Duration::from_secs(600);

/// Credentials as somebody wrote them.
pub struct Credentials {
    /// Whose.
    pub number: PhoneNumber,
    /// Of which device.
    pub device: DeviceNumber,
    /// The password.
    pub password: Zeroizing<Vec<u8>>,
}

impl Credentials {
    /// The credentials in `Authorization: Basic …`.
    ///
    /// # Errors
    /// [`Fault::Unauthorized`] when there are none.
    pub fn of(headers: &HeaderMap) -> Result<Self, Fault> {
        Self::find(headers).ok_or_else(|| Fault::unauthorized("there are no Basic credentials"))
    }

    fn find(headers: &HeaderMap) -> Option<Self> {
        let decoded = basic(headers)?;
        let (name, password) = halves(&decoded)?;
        Self::parse(name, password)
    }

    /// The credentials of a name, `number` or `number.device`, and a password.
    #[must_use]
    pub fn parse(name: &str, password: &[u8]) -> Option<Self> {
        let (number, device) = match name.split_once('.') {
            Some((number, device)) => (number, device.parse().ok()?),
            None => (name, DeviceNumber::PRIMARY.0),
        };
        let fits = (1..=LONGEST_PASSWORD).contains(&password.len());
        let number = PhoneNumber::parse(number).filter(|_| fits)?;
        let password = Zeroizing::new(password.to_vec());
        Some(Self { number, device: DeviceNumber(device), password })
    }
}

/// What stands in `Authorization: Basic …`, decoded.
pub(super) fn basic(headers: &HeaderMap) -> Option<Zeroizing<Vec<u8>>> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, encoded) = value.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    Some(Zeroizing::new(BASE64.decode(encoded.trim()).ok()?))
}

/// A name and a password, which may hold a colon.
pub(super) fn halves(basic: &[u8]) -> Option<(&str, &[u8])> {
    let colon = basic.iter().position(|byte| *byte == b':')?;
    let (name, password) = basic.split_at(colon);
    Some((std::str::from_utf8(name).ok()?, &password[1..]))
}

/// Somebody we know, at one of their devices.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The phone.
    pub phone: Arc<Phone>,
    /// The device.
    pub device: Device,
    /// Whose limits what it does counts against.
    pub visitor: Visitor,
}

impl Caller {
    /// This device as a reader of its inbox.
    #[must_use]
    pub fn reader(&self) -> Reader {
        Reader {
            inbox: self.phone.inbox(&self.device),
            account: self.phone.account,
            user: self.phone.user,
            session: self.device.id,
            credential: Credential::Device(self.device.session),
        }
    }

    /// The number and, behind a dot, the device: how limits name a device.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{}.{}", self.phone.number.as_str(), self.device.number.0)
    }
}

impl FromRequestParts<Arc<TextSecureState>> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(
        parts: &mut Parts,
        state: &Arc<TextSecureState>,
    ) -> Result<Self, Problem> {
        let gate = &state.gate;
        let address = gate.address(&parts.extensions, &parts.headers);
        gate.may_knock(address)?;
        let known = async {
            let credentials = Credentials::of(&parts.headers)?;
            state.verified.check(state, credentials).await
        };
        let known = state.switchboard.gateway.timed(Stage::Auth, known);
        let (phone, device) = gate.judge(known, address).await?;
        let visitor = gate.request(&parts.extensions, phone.account, address)?;
        Ok(Self { phone, device, visitor })
    }
}

/// Passwords that were found right, and room for finding out about others.
pub struct Verified {
    key: Zeroizing<[u8; 32]>,
    right: Cache<SessionNumber, [u8; 32]>,
    /// Hashing takes a processor and much memory.
    hashing: Arc<Semaphore>,
}

impl Verified {
    /// Nothing is known yet.
    #[must_use]
    pub fn new(entropy: &dyn Entropy) -> Self {
        let mut key = Zeroizing::new([0; 32]);
        entropy.fill(key.as_mut_slice());
        let right = Cache::builder().max_capacity(100_000).time_to_live(REMEMBERED).build();
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        Self { key, right, hashing: Arc::new(Semaphore::new(processors)) }
    }

    /// The device that these are the credentials of.
    ///
    /// # Errors
    /// [`Fault::Unauthorized`] when they are nobody's; others when the store fails.
    pub async fn check(
        &self,
        state: &TextSecureState,
        credentials: Credentials,
    ) -> Result<(Arc<Phone>, Device), Fault> {
        let store = &state.switchboard.gateway.store;
        let phone = store.phone(&credentials.number).await?;
        let found = phone.as_ref().and_then(|phone| phone.device(credentials.device)).cloned();
        let digest = found.as_ref().map(|device| (device, self.digest(device, &credentials)));
        if let Some((device, digest)) = &digest
            && self.right.get(&device.session).is_some_and(|right| right == *digest)
        {
            return Ok(phone.zip(found).expect("a device belongs to a phone"));
        }
        let kept = found.as_ref().map(|device| device.password.clone());
        let is_right = self.compare(kept, credentials.password.clone()).await?;
        match (phone, digest) {
            (Some(phone), Some((device, digest))) if is_right => {
                self.right.insert(device.session, digest);
                Ok((phone, device.clone()))
            }
            _ => Err(Fault::unauthorized("the number, the device or the password is wrong")),
        }
    }

    /// Hashes a password for keeping it.
    ///
    /// # Errors
    /// [`Fault::Internal`] when there is no memory for it.
    pub async fn hash(
        &self,
        entropy: Arc<dyn Entropy>,
        password: Zeroizing<Vec<u8>>,
    ) -> Result<PasswordHash, Fault> {
        self.away(move || password::hash(&*entropy, &password)).await?
    }

    async fn compare(
        &self,
        kept: Option<PasswordHash>,
        password: Zeroizing<Vec<u8>>,
    ) -> Result<bool, Fault> {
        self.away(move || password::verify(kept.as_ref(), &password)).await
    }

    /// Runs something heavy where it holds up nobody, as much at a time as there are processors.
    async fn away<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Fault> {
        let turn = self.hashing.clone().acquire_owned().await;
        // Whoever goes away takes nobody's turn: the work goes on without it.
        let done = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            work()
        });
        let done = done.await;
        done.map_err(|error| Fault::internal("hashing a password", error))
    }

    /// What a password is remembered by: it is bound to the device and to the hash on file, so
    /// another password on file is another digest.
    fn digest(&self, device: &Device, credentials: &Credentials) -> [u8; 32] {
        let mut block = Zeroizing::new([0; 64]);
        block[..32].copy_from_slice(self.key.as_slice());
        let mut mac = <Hmac<Sha256> as KeyInit>::new((&*block).into());
        mac.update(&device.session.0.to_le_bytes());
        mac.update(&(device.password.0.len() as u64).to_le_bytes());
        mac.update(device.password.0.as_bytes());
        mac.update(&credentials.password);
        mac.finalize().into_bytes().into()
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn credentials(value: &str) -> Option<(String, u32, Vec<u8>)> {
        let mut headers = HeaderMap::new();
        headers.insert(header::AUTHORIZATION, HeaderValue::from_str(value).unwrap());
        let found = Credentials::of(&headers).ok()?;
        Some((found.number.as_str().to_owned(), found.device.0, found.password.to_vec()))
    }

    fn basic(text: &str) -> String {
        format!("Basic {}", BASE64.encode(text))
    }

    #[test]
    fn a_name_is_a_number_or_a_number_and_a_device() {
        let number = || "+14152222222".to_owned();
        let secret = || b"pass".to_vec();
        assert_eq!(credentials(&basic("+14152222222:pass")), Some((number(), 1, secret())));
        assert_eq!(credentials(&basic("+14152222222.3:pass")), Some((number(), 3, secret())));
        let lower = basic("+14152222222:pass").replace("Basic", "bAsIc");
        assert_eq!(credentials(&lower), Some((number(), 1, secret())));
    }

    #[tokio::test]
    async fn whoever_hangs_up_does_not_make_room_for_more_hashing() {
        let hashing = Arc::new(Semaphore::new(1));
        let verified = Verified { key: Zeroizing::new([0; 32]), right: Cache::new(1), hashing };
        let ((begun, begins), (end, ends)) =
            (std::sync::mpsc::channel(), std::sync::mpsc::channel());
        let mut asked = Box::pin(verified.away(move || {
            begun.send(()).unwrap();
            ends.recv().unwrap();
        }));
        assert!(futures_util::poll!(&mut asked).is_pending());
        begins.recv().unwrap();
        drop(asked);
        assert_eq!(verified.hashing.available_permits(), 0, "the processor is busy");
        end.send(()).unwrap();
        drop(verified.hashing.acquire().await);
    }

    #[test]
    fn a_password_may_hold_a_colon() {
        let found = credentials(&basic("+14152222222:a:b")).unwrap();
        assert_eq!(found.2, b"a:b");
    }

    #[test]
    fn anything_else_is_nobodys() {
        for bad in [
            "Bearer x".to_owned(),
            "Basic".to_owned(),
            "Basic !!!".to_owned(),
            basic("+14152222222"),
            basic("+14152222222:"),
            basic("+14152222222.x:pass"),
            basic("415:pass"),
            basic(&format!("+14152222222:{}", "x".repeat(257))),
        ] {
            assert_eq!(credentials(&bad), None, "{bad}");
        }
    }
}

//! Signed URLs: whoever has one may do what it says, until it expires.
//!
//! `{base}/blobs/{id}?expires={seconds}&size={bytes}&signature={MAC}`. The MAC is HMAC-SHA256 under
//! a key that only the gateway has, over what follows, each part behind its length in four bytes, little
//! endian, so that no two requests are the same bytes:
//!
//! | part | |
//! | --- | --- |
//! | `sealpost blob 1` | so that the key's word for something else is worth nothing here |
//! | method | `PUT` or `GET`, which stands for `HEAD` as well |
//! | id | 16 bytes, whether the URL has them as a UUID or as a number |
//! | expiry | seconds since 1970, 8 bytes, little endian |
//! | size | how many bytes may be uploaded, 8 bytes, little endian; 0 in an URL for reading |
//!
//! An attachment that is known by a number ([`AttachmentNumber`]) has it in decimal where others
//! have their UUID: some clients look for the number there.

use std::fmt;
use std::time::Duration;

use axum::http::Method;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::domain::Fault;
use crate::domain::attachment::AttachmentNumber;
use crate::domain::clock::Timestamp;
use crate::domain::ids::AttachmentId;

/// The key under which URLs are signed, wiped on drop.
#[derive(Clone)]
pub struct UrlKey(Zeroizing<[u8; 32]>);

/// Makes and checks signed URLs.
#[derive(Debug)]
pub struct BlobUrls {
    key: UrlKey,
    view_life: Duration,
}

/// Why a URL is not good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// Parts of it are missing, or it is for something else.
    #[error(
        "the URL's signature does not fit; it is good for one method, one attachment, one expiry \
         and one size, as the gateway gave it"
    )]
    Forged,
    /// It was good once.
    #[error("the URL has expired; ask for the attachment again")]
    Expired,
}

impl From<UrlError> for Fault {
    fn from(error: UrlError) -> Self {
        Self::forbidden(error.to_string())
    }
}

impl UrlKey {
    /// The key that follows from a secret. Nothing of one can be told from the other, and no other
    /// use of the secret gives the same bytes.
    #[must_use]
    pub fn derive(secret: &[u8; 32]) -> Self {
        let mac = keyed(secret).chain_update("sealpost blob urls 1");
        Self(Zeroizing::new(mac.finalize().into_bytes().into()))
    }

    fn mac(&self, method: &Method, id: AttachmentId, expires: u64, size: u64) -> Hmac<Sha256> {
        let mut mac = keyed(&self.0);
        let (expires, size) = (expires.to_le_bytes(), size.to_le_bytes());
        let method = method.as_str().as_bytes();
        for part in [&b"sealpost blob 1"[..], method, id.as_bytes(), &expires, &size] {
            // No part is longer than a few dozen bytes: methods of ours are constants.
            mac.update(&u32::try_from(part.len()).unwrap_or(u32::MAX).to_le_bytes());
            mac.update(part);
        }
        mac
    }
}

fn keyed(key: &[u8; 32]) -> Hmac<Sha256> {
    // HMAC fills a short key up to the hash's block with zeroes (RFC 2104).
    let mut block = Zeroizing::new([0; 64]);
    block[..32].copy_from_slice(key);
    <Hmac<Sha256> as KeyInit>::new((&*block).into())
}

impl fmt::Debug for UrlKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UrlKey(..)")
    }
}

impl BlobUrls {
    /// URLs under this key; those for reading are good for `view_life`.
    #[must_use]
    pub fn new(key: UrlKey, view_life: Duration) -> Self {
        Self { key, view_life }
    }

    /// Where at most `most` bytes may be uploaded until then.
    #[must_use]
    pub fn upload(&self, base: &str, id: AttachmentId, until: Timestamp, most: u64) -> String {
        self.sign(base, &Method::PUT, id, until, most)
    }

    /// Where they can be read, from now on.
    #[must_use]
    pub fn view(&self, base: &str, id: AttachmentId, now: Timestamp) -> String {
        self.view_until(base, id, now.plus(self.view_life))
    }

    /// Where they can be read until then.
    #[must_use]
    pub fn view_until(&self, base: &str, id: AttachmentId, until: Timestamp) -> String {
        self.sign(base, &Method::GET, id, until, 0)
    }

    fn sign(
        &self,
        base: &str,
        method: &Method,
        id: AttachmentId,
        until: Timestamp,
        size: u64,
    ) -> String {
        let expires = u64::try_from(until.as_seconds()).unwrap_or_default();
        let mac = self.key.mac(method, id, expires, size).finalize().into_bytes();
        let signature = BASE64.encode(mac);
        let id = AttachmentNumber::of(id).map_or_else(|| id.to_string(), |it| it.get().to_string());
        format!("{base}/blobs/{id}?expires={expires}&size={size}&signature={signature}")
    }

    /// Checks the parts of a URL; returns the attachment and the size that it is good for.
    ///
    /// # Errors
    /// A refusal; a forged one is never told that it has expired.
    pub fn check(
        &self,
        method: &Method,
        id: &str,
        query: &str,
        now: Timestamp,
    ) -> Result<(AttachmentId, u64), UrlError> {
        let id = attachment(id).ok_or(UrlError::Forged)?;
        let expires = number(query, "expires").ok_or(UrlError::Forged)?;
        let size = number(query, "size").ok_or(UrlError::Forged)?;
        let signature = part(query, "signature").and_then(|text| BASE64.decode(text).ok());
        let signature = signature.ok_or(UrlError::Forged)?;
        // Compares in constant time.
        let mac = self.key.mac(method, id, expires, size);
        mac.verify_slice(&signature).map_err(|_| UrlError::Forged)?;
        if i64::try_from(expires).unwrap_or(i64::MAX) <= now.as_seconds() {
            return Err(UrlError::Expired);
        }
        Ok((id, size))
    }
}

/// The attachment that a part of a path names. Each has one name alone.
fn attachment(text: &str) -> Option<AttachmentId> {
    let named = AttachmentId::parse(text).ok().filter(|id| AttachmentNumber::of(*id).is_none());
    named.or_else(|| AttachmentNumber::parse(text).map(AttachmentNumber::id))
}

/// The first part of a query with that name. None of ours needs an escape.
fn part<'query>(query: &'query str, name: &str) -> Option<&'query str> {
    let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    pairs.find(|(found, _)| *found == name).map(|(_, value)| value)
}

fn number(query: &str, name: &str) -> Option<u64> {
    part(query, name)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: AttachmentId = AttachmentId::from_bytes([0xab; 16]);

    fn urls() -> BlobUrls {
        BlobUrls::new(UrlKey::derive(&[7; 32]), Duration::from_secs(100))
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_micros(seconds * 1_000_000)
    }

    /// Id and query of a URL.
    fn parts(url: &str) -> (&str, &str) {
        url.strip_prefix("http://x/blobs/").and_then(|rest| rest.split_once('?')).unwrap()
    }

    #[test]
    fn a_url_is_good_for_what_it_says_until_it_expires() {
        let urls = urls();
        let upload = urls.upload("http://x", ID, at(50), 10);
        let (id, query) = parts(&upload);
        assert_eq!(urls.check(&Method::PUT, id, query, at(49)), Ok((ID, 10)));
        assert_eq!(urls.check(&Method::PUT, id, query, at(50)), Err(UrlError::Expired));
        let view = urls.view("http://x", ID, at(50));
        let (id, query) = parts(&view);
        assert_eq!(urls.check(&Method::GET, id, query, at(149)), Ok((ID, 0)));
        assert_eq!(urls.check(&Method::GET, id, query, at(150)), Err(UrlError::Expired));
    }

    #[test]
    fn a_numbered_attachment_has_its_number_in_the_path() {
        let numbered = AttachmentNumber::parse("17").unwrap().id();
        let upload = urls().upload("http://x", numbered, at(50), 10);
        let (id, query) = parts(&upload);
        assert_eq!(id, "17");
        let check = |id: &str| urls().check(&Method::PUT, id, query, at(49));
        assert_eq!(check("17"), Ok((numbered, 10)));
        for other in ["18", "017", "-17", &numbered.to_string(), &ID.to_string()] {
            assert_eq!(check(other), Err(UrlError::Forged), "{other}");
        }
    }

    #[test]
    fn nothing_of_a_url_can_be_changed() {
        let urls = urls();
        let upload = urls.upload("http://x", ID, at(50), 10);
        let (id, query) = parts(&upload);
        let other = AttachmentId::from_bytes([0xac; 16]).to_string();
        let longer = query.replace("expires=50", "expires=51");
        let larger = query.replace("size=10", "size=11");
        let shifted = query.replace("expires=50", "expires=5").replace("size=10", "size=010");
        let cut = &query[..query.len() - 1];
        let twice = format!("{query}A");
        for (method, id, query) in [
            (Method::GET, id, query),
            (Method::DELETE, id, query),
            (Method::PUT, other.as_str(), query),
            (Method::PUT, "../../gateway.lock", query),
            (Method::PUT, "", query),
            (Method::PUT, id, longer.as_str()),
            (Method::PUT, id, larger.as_str()),
            (Method::PUT, id, shifted.as_str()),
            (Method::PUT, id, cut),
            (Method::PUT, id, twice.as_str()),
            (Method::PUT, id, ""),
            (Method::PUT, id, "expires=50&size=10&signature="),
            (Method::PUT, id, "expires=-1&size=10&signature=AA"),
        ] {
            // Also long after it expired: a forged URL learns nothing.
            for now in [0, 1000] {
                let checked = urls.check(&method, id, query, at(now));
                assert_eq!(checked, Err(UrlError::Forged), "{method} {id} {query}");
            }
        }
        let stranger = BlobUrls::new(UrlKey::derive(&[8; 32]), Duration::from_secs(100));
        assert_eq!(stranger.check(&Method::PUT, id, query, at(0)), Err(UrlError::Forged));
    }

    #[test]
    fn a_printed_key_shows_nothing() {
        let shown = format!("{:?}", urls());
        assert!(shown.contains("UrlKey(..)") && !shown.contains('7'), "{shown}");
    }
}

//! Messages for Web Push: RFC 8291 on top of RFC 8188, one record.
//!
//! ```text
//! salt(16) ‖ record size(4) ‖ 65 ‖ the gateway's fresh public key(65) ‖ AES-128-GCM(text ‖ 0x02)
//! ```

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use ring::aead::{AES_128_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::agreement::{ECDH_P256, EphemeralPrivateKey, UnparsedPublicKey, agree_ephemeral};
use ring::error::Unspecified;
use ring::hkdf::{HKDF_SHA256, KeyType, Prk, Salt};
use ring::rand::SystemRandom;
use zeroize::Zeroizing;

use crate::domain::phone::push_address::EndpointKeys;

/// Clients write keys with padding and without.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::URL_SAFE,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The largest body that a push service has to take (RFC 8030, section 7.2).
pub(super) const LARGEST_BODY: usize = 4096;

const PUBLIC_KEY_BYTES: usize = 65;
const SALT_BYTES: usize = 16;
const HEADER_BYTES: usize = SALT_BYTES + 4 + 1 + PUBLIC_KEY_BYTES;

/// What is added to a text: the header, the mark of the last record, the tag.
pub(super) const OVERHEAD: usize = HEADER_BYTES + 1 + 16;

/// The mark of the last record (RFC 8188, section 2).
const LAST_RECORD: u8 = 2;

/// The keys of a subscription, read.
pub(super) struct SubscriptionKeys {
    /// The device's public key, an uncompressed point.
    public: [u8; PUBLIC_KEY_BYTES],
    /// What the device shares with whoever may write to it.
    auth: [u8; 16],
}

impl SubscriptionKeys {
    /// The keys that these texts are. Whether the point is one of the curve shows when it is used.
    pub(super) fn read(keys: &EndpointKeys) -> Option<Self> {
        let public = BASE64.decode(&keys.p256dh).ok()?.try_into().ok()?;
        let auth = BASE64.decode(&keys.auth).ok()?.try_into().ok()?;
        Some(Self { public, auth })
    }
}

/// Encrypts a text for a subscription. The salt must be fresh.
pub(super) fn encrypt(
    text: &[u8],
    keys: &SubscriptionKeys,
    salt: [u8; SALT_BYTES],
) -> Result<Vec<u8>, Unspecified> {
    let own = EphemeralPrivateKey::generate(&ECDH_P256, &SystemRandom::new())?;
    let own_public = own.compute_public_key()?;
    let theirs = UnparsedPublicKey::new(&ECDH_P256, &keys.public);
    agree_ephemeral(own, &theirs, |secret| {
        let material = key_material(secret, keys, own_public.as_ref())?;
        seal(text, &material, salt, own_public.as_ref())
    })?
}

/// Where the keys of the one record come from (RFC 8291, section 3.3).
fn key_material(
    secret: &[u8],
    keys: &SubscriptionKeys,
    own_public: &[u8],
) -> Result<Zeroizing<[u8; 32]>, Unspecified> {
    let key = Salt::new(HKDF_SHA256, &keys.auth).extract(secret);
    derived(&key, &[b"WebPush: info\0", &keys.public, own_public])
}

/// The header and the record (RFC 8188, section 2).
fn seal(
    text: &[u8],
    material: &[u8; 32],
    salt: [u8; SALT_BYTES],
    own_public: &[u8],
) -> Result<Vec<u8>, Unspecified> {
    let key = Salt::new(HKDF_SHA256, &salt).extract(material);
    let content_key: Zeroizing<[u8; 16]> = derived(&key, &[b"Content-Encoding: aes128gcm\0"])?;
    let nonce: Zeroizing<[u8; NONCE_LEN]> = derived(&key, &[b"Content-Encoding: nonce\0"])?;
    let cipher = LessSafeKey::new(UnboundKey::new(&AES_128_GCM, &*content_key)?);
    let mut record = Vec::with_capacity(text.len() + OVERHEAD);
    record.extend_from_slice(text);
    record.push(LAST_RECORD);
    // The key is used once, so its first nonce is never used twice.
    let nonce = Nonce::assume_unique_for_key(*nonce);
    cipher.seal_in_place_append_tag(nonce, Aad::empty(), &mut record)?;
    let size = u32::try_from(LARGEST_BODY).map_err(|_| Unspecified)?.to_be_bytes();
    let key_length = u8::try_from(own_public.len()).map_err(|_| Unspecified)?;
    Ok([&salt[..], &size, &[key_length], own_public, &record].concat())
}

fn derived<const LENGTH: usize>(
    key: &Prk,
    info: &[&[u8]],
) -> Result<Zeroizing<[u8; LENGTH]>, Unspecified> {
    let mut bytes = Zeroizing::new([0; LENGTH]);
    key.expand(info, Length(LENGTH))?.fill(&mut *bytes)?;
    Ok(bytes)
}

struct Length(usize);

impl KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use base64::prelude::BASE64_URL_SAFE_NO_PAD;

    use super::*;

    fn bytes(text: &str) -> Vec<u8> {
        BASE64.decode(text).unwrap()
    }

    /// The example of RFC 8291, section 5 and appendix A.
    #[test]
    fn the_example_of_the_standard_comes_out() {
        let keys = SubscriptionKeys::read(&EndpointKeys {
            p256dh:
                "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkN\
                     toIAiw4"
                    .to_owned(),
            auth: "BTBZMqHH6r4Tts7J_aSIgg".to_owned(),
        })
        .unwrap();
        let secret = bytes("kyrL1jIIOHEzg3sM2ZWRHDRB62YACZhhSlknJ672kSs");
        let own_public = bytes(
            "BP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A8",
        );
        let material = key_material(&secret, &keys, &own_public).unwrap();
        assert_eq!(material[..], bytes("S4lYMb_L0FxCeq0WhDx813KgSYqU26kOyzWUdsXYyrg"));
        let salt = bytes("DGv6ra1nlYgDCS1FRnbzlw").try_into().unwrap();
        let text = b"When I grow up, I want to be a watermelon";
        let sealed = seal(text, &material, salt, &own_public).unwrap();
        assert_eq!(sealed.len(), text.len() + OVERHEAD);
        assert_eq!(
            BASE64_URL_SAFE_NO_PAD.encode(sealed),
            "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmY\
             WAmS6TlzAC8wEqKK6PBru3jl7A_yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexS\
             gSxsj_Qulcy4a-fN"
        );
    }

    #[test]
    fn whoever_has_the_subscription_reads_it() {
        let random = SystemRandom::new();
        let theirs = EphemeralPrivateKey::generate(&ECDH_P256, &random).unwrap();
        let public = theirs.compute_public_key().unwrap().as_ref().try_into().unwrap();
        let keys = SubscriptionKeys { public, auth: [7; 16] };
        let sealed = encrypt(b"hello", &keys, [9; 16]).unwrap();
        let own_public = &sealed[HEADER_BYTES - PUBLIC_KEY_BYTES..HEADER_BYTES];
        let peer = UnparsedPublicKey::new(&ECDH_P256, own_public);
        let again = agree_ephemeral(theirs, &peer, |secret| {
            let material = key_material(secret, &keys, own_public).unwrap();
            seal(b"hello", &material, [9; 16], own_public).unwrap()
        });
        assert_eq!(again.unwrap(), sealed);
    }

    #[test]
    fn a_public_key_that_is_none_is_refused() {
        let keys = SubscriptionKeys { public: [4; 65], auth: [7; 16] };
        assert!(encrypt(b"hello", &keys, [9; 16]).is_err());
    }
}

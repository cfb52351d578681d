//! As much DER (X.690) as an RSA public key needs.
//!
//! ```text
//! SubjectPublicKeyInfo: SEQUENCE { SEQUENCE { OID rsaEncryption, NULL },
//!                                 BIT STRING 00 RSAPublicKey }
//! RSAPublicKey:         SEQUENCE { INTEGER modulus, INTEGER exponent }
//! ```

const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const SEQUENCE: u8 = 0x30;

/// The object identifier 1.2.840.113549.1.1.1 (rsaEncryption) and NULL.
const RSA_ENCRYPTION: [u8; 13] =
    [0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00];

/// Modulus and exponent of a SubjectPublicKeyInfo (RFC 5280, RFC 3279).
pub(super) fn subject_public_key_info(bytes: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    let fields = only(bytes, SEQUENCE)?;
    let (algorithm, fields) = take(fields, SEQUENCE)?;
    let key = only(fields, BIT_STRING)?.strip_prefix(&[0])?;
    if algorithm == RSA_ENCRYPTION { rsa_public_key(key) } else { None }
}

/// Modulus and exponent of an RSAPublicKey (RFC 8017, A.1.1).
pub(super) fn rsa_public_key(bytes: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    let (modulus, rest) = take(only(bytes, SEQUENCE)?, INTEGER)?;
    let exponent = only(rest, INTEGER)?;
    Some((positive(modulus)?.to_vec(), positive(exponent)?.to_vec()))
}

/// The one value that `bytes` consists of.
fn only(bytes: &[u8], tag: u8) -> Option<&[u8]> {
    take(bytes, tag).and_then(|(value, rest)| rest.is_empty().then_some(value))
}

/// The first value of `bytes`, and what follows it.
fn take(bytes: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (length, rest) = match *bytes.strip_prefix(&[tag])? {
        [short @ 0..=0x7f, ref rest @ ..] => (usize::from(short), rest),
        // Lengths are written as short as they can be.
        [0x81, length @ 0x80..=0xff, ref rest @ ..] => (usize::from(length), rest),
        [0x82, high @ 1..=0xff, low, ref rest @ ..] => {
            (usize::from(u16::from_be_bytes([high, low])), rest)
        }
        _ => return None,
    };
    rest.split_at_checked(length)
}

/// The bytes of a number above zero, which has a zero in front only if it would be negative else.
fn positive(integer: &[u8]) -> Option<&[u8]> {
    match integer {
        [0, 0x80..=0xff, ..] => integer.get(1..),
        [0x01..=0x7f, ..] => Some(integer),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_read_and_no_byte_may_be_left_over() {
        let key = [0x30, 0x06, 0x02, 0x01, 0x23, 0x02, 0x01, 0x03];
        assert_eq!(rsa_public_key(&key), Some((vec![0x23], vec![3])));
        assert_eq!(rsa_public_key(&[&key[..], &[0]].concat()), None);
        for length in 0..key.len() {
            assert_eq!(rsa_public_key(&key[..length]), None);
        }
    }

    #[test]
    fn lengths_and_numbers_have_one_spelling() {
        for bytes in [
            &[0x30, 0x81, 0x06, 0x02, 0x01, 0x23, 0x02, 0x01, 0x03][..],
            &[0x30, 0x82, 0x00, 0x06, 0x02, 0x01, 0x23, 0x02, 0x01, 0x03],
            &[0x30, 0x80, 0x02, 0x01, 0x23, 0x02, 0x01, 0x03, 0x00, 0x00],
            &[0x30, 0x07, 0x02, 0x02, 0x00, 0x23, 0x02, 0x01, 0x03],
            &[0x30, 0x06, 0x02, 0x01, 0xa3, 0x02, 0x01, 0x03],
            &[0x30, 0x05, 0x02, 0x00, 0x02, 0x01, 0x03],
        ] {
            assert_eq!(rsa_public_key(bytes), None, "{bytes:x?}");
        }
    }
}

//! Public keys in PEM (RFC 7468), in either of the two frames that programs write.

use super::super::base64_text;
use super::der;

/// Modulus and exponent of a `PUBLIC KEY` or an `RSA PUBLIC KEY`; nothing for any other text.
pub(super) fn parse(text: &str) -> Option<(Vec<u8>, Vec<u8>)> {
    let text = text.trim();
    if let Some(body) = between(text, "PUBLIC KEY") {
        return der::subject_public_key_info(&base64_text::decode_base64(body)?);
    }
    der::rsa_public_key(&base64_text::decode_base64(between(text, "RSA PUBLIC KEY")?)?)
}

/// What stands between the lines that begin and end `label`.
fn between<'text>(text: &'text str, label: &str) -> Option<&'text str> {
    text.strip_prefix("-----BEGIN ")?
        .strip_prefix(label)?
        .strip_prefix("-----")?
        .strip_suffix("-----")?
        .strip_suffix(label)?
        .strip_suffix("-----END ")
}

#[cfg(test)]
mod tests {
    use super::super::super::tests::recorded;
    use super::super::PublicKey;
    use super::*;

    /// The recorded key as SubjectPublicKeyInfo, written by OpenSSL.
    const FRAMED: &str = "\
-----BEGIN PUBLIC KEY-----
MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQCELhBlVEYYSVUV0KlW+UDx5xPL
crxv6aSl2h0A9yJy3JZK8jU1ipdiBRj7YNtXatR5EJlB7kCdNIQhdS9Sg950uHjS
FlZTwRZpQoTcJxPe+oBxJsmL/YlegU0l2vKuaNqfq68WFpY1SmXWFr49Ewnyz6/F
lKfi8ItpqHhKF5M7mQIDAQAB
-----END PUBLIC KEY-----
";
    /// The recorded key as RSAPublicKey, written by OpenSSL.
    const BARE: &str = "\
-----BEGIN RSA PUBLIC KEY-----
MIGJAoGBAIQuEGVURhhJVRXQqVb5QPHnE8tyvG/ppKXaHQD3InLclkryNTWKl2IF
GPtg21dq1HkQmUHuQJ00hCF1L1KD3nS4eNIWVlPBFmlChNwnE976gHEmyYv9iV6B
TSXa8q5o2p+rrxYWljVKZdYWvj0TCfLPr8WUp+Lwi2moeEoXkzuZAgMBAAE=
-----END RSA PUBLIC KEY-----
";

    #[test]
    fn both_frames_are_the_key_in_xml() {
        for pem in [FRAMED, BARE, &FRAMED.replace('\n', "\r\n")] {
            assert_eq!(PublicKey::parse(pem).unwrap().to_xml(), recorded("public_key_xml"));
        }
    }

    #[test]
    fn other_labels_and_broken_frames_are_refused() {
        for pem in [
            "",
            "-----BEGIN PUBLIC KEY----------END PUBLIC KEY-----",
            &FRAMED.replace("END PUBLIC", "END RSA PUBLIC"),
            &FRAMED.replace("PUBLIC", "PRIVATE"),
            &FRAMED.replace("PUBLIC", "RSA PUBLIC"),
            &BARE.replace("RSA PUBLIC", "PUBLIC"),
            &format!("{FRAMED}{BARE}"),
        ] {
            assert_eq!(parse(pem), None, "{pem}");
        }
    }
}

//! Members of a query as sockets' addresses have them: not a form, so a `+` is one.

use zeroize::Zeroizing;

/// A member of a query, as it was written.
#[must_use]
pub fn member<'a>(query: &'a str, name: &str) -> Option<&'a str> {
    let mut members = query.split('&').filter_map(|member| member.split_once('='));
    members.find(|(found, _)| *found == name).map(|(_, value)| value)
}

/// A value without its percent-encoding (RFC 3986, section 2.1). A `+` stays one: telephone numbers
/// begin with it, and base64 has some.
#[must_use]
pub fn decode(value: &str) -> Option<Zeroizing<Vec<u8>>> {
    let mut decoded = Zeroizing::new(Vec::with_capacity(value.len()));
    let mut rest = value.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let byte = match (first, after) {
            (b'%', [high, low, after @ ..]) => {
                rest = after;
                digit(*high)? << 4 | digit(*low)?
            }
            (b'%', _) => return None,
            (byte, after) => {
                rest = after;
                *byte
            }
        };
        decoded.push(byte);
    }
    Some(decoded)
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_is_found_by_its_whole_name_and_decoded() {
        let query = "aik=1&ik=a%2bb+c%3D&ts";
        assert_eq!(member(query, "ik"), Some("a%2bb+c%3D"));
        assert_eq!(decode("a%2bb+c%3D").unwrap().as_slice(), b"a+b+c=");
        assert_eq!(member(query, "ts"), None);
        for broken in ["%", "%2", "%zz", "a%"] {
            assert!(decode(broken).is_none(), "{broken}");
        }
    }
}

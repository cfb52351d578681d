//! What a drop box is found by.

use std::fmt;

/// Of which version of the protocol something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Version {
    /// The original's.
    One,
    /// In which the gateway never sees a passphrase.
    Two,
}

/// The token of a drop box: 16 lower-case hexadecimal digits in version 1, 32 in version 2. Whoever
/// knows it may write to the box, so it is shown nowhere but to clients.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct BoxToken {
    version: Version,
    bytes: [u8; 16],
}

impl BoxToken {
    /// A token of version 1.
    #[must_use]
    pub fn one(bytes: [u8; 8]) -> Self {
        let mut all = [0; 16];
        all[..8].copy_from_slice(&bytes);
        Self { version: Version::One, bytes: all }
    }

    /// A token of version 2.
    #[must_use]
    pub fn two(bytes: [u8; 16]) -> Self {
        Self { version: Version::Two, bytes }
    }

    /// The token with this text; `None` when no token looks like that.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let is_lower = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        if !text.bytes().all(is_lower) {
            return None;
        }
        let value = u128::from_str_radix(text, 16).ok()?.to_be_bytes();
        match text.len() {
            16 => {
                let mut bytes = [0; 8];
                bytes.copy_from_slice(&value[8..]);
                Some(Self::one(bytes))
            }
            32 => Some(Self::two(value)),
            _ => None,
        }
    }

    /// The token with these bytes, 8 or 16 of them, as a store keeps them.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        match bytes.len() {
            8 => bytes.try_into().ok().map(Self::one),
            16 => bytes.try_into().ok().map(Self::two),
            _ => None,
        }
    }

    /// Its bytes, 8 or 16 of them.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        match self.version {
            Version::One => &self.bytes[..8],
            Version::Two => &self.bytes,
        }
    }

    /// Of which version its box is.
    #[must_use]
    pub fn version(&self) -> Version {
        self.version
    }
}

impl fmt::Display for BoxToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_bytes().iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for BoxToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BoxToken(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_has_sixteen_or_thirty_two_digits() {
        for (text, version) in
            [("00ff00ff00ff00ff", Version::One), ("0123456789abcdef0123456789abcdef", Version::Two)]
        {
            let token = BoxToken::parse(text).unwrap();
            assert_eq!((token.to_string().as_str(), token.version()), (text, version));
            assert_eq!(BoxToken::from_bytes(token.as_bytes()), Some(token));
        }
        for bad in ["", "00ff", "00FF00ff00ff00ff", "+0ff00ff00ff00ff", "00ff00ff00ff00f "] {
            assert!(BoxToken::parse(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn it_is_not_shown() {
        assert_eq!(format!("{:?}", BoxToken::one([7; 8])), "BoxToken(..)");
    }
}

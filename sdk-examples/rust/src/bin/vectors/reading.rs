//! How vectors are written, and what is insisted on.

use std::error::Error;
use std::fmt::{Debug, Display};
use std::ops::Deref;

use sealpost_sdk::base64url::{self, Base64Error};
use sealpost_sdk::keys::SigningKey;
use serde::Deserialize;

/// Why a vector does not hold, or cannot be read.
pub type Wrong = Box<dyn Error>;

/// Bytes that are written in lower-case hexadecimal.
#[derive(Deserialize)]
#[serde(try_from = "String")]
pub struct Hex(Vec<u8>);

/// Bytes that are written in base64url.
#[derive(Deserialize)]
#[serde(try_from = "String")]
pub struct Base64(Vec<u8>);

impl Hex {
    /// The same as so many bytes.
    pub fn array<const N: usize>(&self) -> Result<[u8; N], Wrong> {
        Ok(self.0.as_slice().try_into()?)
    }

    /// The key with this seed.
    pub fn key(&self) -> Result<SigningKey, Wrong> {
        Ok(SigningKey::from_seed(&self.array()?))
    }
}

impl TryFrom<String> for Hex {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let (pairs, []) = text.as_bytes().as_chunks::<2>() else {
            return Err("hexadecimal has two digits for each byte");
        };
        let bytes = pairs.iter().map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?));
        bytes.collect::<Option<_>>().map(Self).ok_or("no lower-case hexadecimal")
    }
}

fn digit(character: u8) -> Option<u8> {
    match character {
        b'0'..=b'9' => Some(character - b'0'),
        b'a'..=b'f' => Some(character - b'a' + 10),
        _ => None,
    }
}

impl TryFrom<String> for Base64 {
    type Error = Base64Error;

    fn try_from(text: String) -> Result<Self, Base64Error> {
        base64url::decode(&text).map(Self)
    }
}

impl Deref for Hex {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl Deref for Base64 {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

/// Checks the cases of a list, which is not empty, and gives their number.
pub fn each<Case>(
    list: &str,
    cases: &[Case],
    check: impl Fn(&Case) -> Result<(), Wrong>,
) -> Result<usize, Wrong> {
    if cases.is_empty() {
        return Err(format!("{list} is empty").into());
    }
    for (at, case) in cases.iter().enumerate() {
        check(case).map_err(|error| format!("{list}[{at}]: {error}"))?;
    }
    Ok(cases.len())
}

/// Insists that both are the same.
pub fn same<Found, Expected>(found: &Found, expected: &Expected) -> Result<(), Wrong>
where
    Found: PartialEq<Expected> + Debug + ?Sized,
    Expected: Debug + ?Sized,
{
    match found == expected {
        true => Ok(()),
        false => Err(format!("{found:?} where {expected:?} is right").into()),
    }
}

/// Insists on an error, and gives it.
pub fn refused<T, E>(result: Result<T, E>) -> Result<E, Wrong> {
    result.err().ok_or_else(|| "what has to be refused was not".into())
}

/// Insists on an error for this reason, which the files have in the SDK's own words.
pub fn refused_since<T, E: Display>(result: Result<T, E>, reason: &str) -> Result<(), Wrong> {
    same(refused(result)?.to_string().as_str(), reason)
}

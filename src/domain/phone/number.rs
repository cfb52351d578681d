//! Telephone numbers.

use std::fmt;

/// A telephone number as it is written internationally (E.164): `+` and at least ten digits. It
/// never shows in a log: its debug form has the last two digits alone.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PhoneNumber(String);

/// The fewest digits, as the first servers of the TextSecure protocol asked for.
const FEWEST_DIGITS: usize = 10;

/// The most digits that E.164 knows is 15; some more leave room for what operators make up.
const MOST_DIGITS: usize = 20;

impl PhoneNumber {
    /// The number that a text is, if it is one.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix('+')?;
        let fits = (FEWEST_DIGITS..=MOST_DIGITS).contains(&digits.len());
        let plain = digits.bytes().all(|byte| byte.is_ascii_digit());
        (fits && plain).then(|| Self(text.to_owned()))
    }

    /// A number that was checked when it was stored.
    #[must_use]
    pub fn from_stored(text: String) -> Self {
        Self(text)
    }

    /// The number with its `+`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for PhoneNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = self.0.len().saturating_sub(2);
        write!(f, "PhoneNumber(..{})", self.0.get(shown..).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_a_plus_and_digits() {
        for good in ["+14152222222", "+1234567890"] {
            assert_eq!(PhoneNumber::parse(good).unwrap().as_str(), good);
        }
        for bad in
            ["", "+", "+123456789", "14152222222", "+1415222222a", "+1 4152222222", "++14152222222"]
        {
            assert_eq!(PhoneNumber::parse(bad), None, "{bad}");
        }
        assert_eq!(PhoneNumber::parse(&format!("+{}", "1".repeat(21))), None);
    }

    #[test]
    fn a_debug_print_hides_it() {
        let number = PhoneNumber::parse("+14152222287").unwrap();
        assert_eq!(format!("{number:?}"), "PhoneNumber(..87)");
    }
}

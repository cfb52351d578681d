//! Texts of keys. The gateway keeps them as their owners wrote them and does not read most of them,
//! so all that it asks is that they are short: some stand in keys of the database.

use crate::domain::error::Fault;

/// The longest text of a key, in bytes. Those of known clients have 44.
pub const LONGEST_KEY: usize = 256;

/// Whether a text can be kept where a key is, whatever it says: others may write theirs as they like.
///
/// # Errors
/// [`Fault::Invalid`] with the field.
pub fn check_kept(field: &'static str, text: &str) -> Result<(), Fault> {
    check_length(field, text)?;
    match text.contains('\0') {
        true => Err(Fault::invalid(field, "holds a NUL character")),
        false => Ok(()),
    }
}

/// Whether a text is no longer than that of a key.
///
/// # Errors
/// [`Fault::Invalid`] with the field.
pub fn check_length(field: &'static str, text: &str) -> Result<(), Fault> {
    match text.len() {
        0..=LONGEST_KEY => Ok(()),
        actual => {
            let reason = format!("has {actual} bytes, the limit is {LONGEST_KEY}");
            Err(Fault::invalid(field, reason))
        }
    }
}

/// Whether a text may be that of a key: it is there, short, and prints.
///
/// # Errors
/// [`Fault::Invalid`] with the field.
pub fn check(field: &'static str, text: &str) -> Result<(), Fault> {
    check_length(field, text)?;
    match text {
        "" => Err(Fault::invalid(field, "is empty")),
        text if text.bytes().all(|byte| byte.is_ascii_graphic()) => Ok(()),
        _ => Err(Fault::invalid(field, "holds something else than visible ASCII")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_keys_are_short_and_print() {
        for good in ["base64_encoded_key", "3p7bfXt9wbTTW2HC7OQ1Nz+DQ8hbeGdNrfx+FG+IK08="] {
            assert!(check("x", good).is_ok(), "{good}");
        }
        assert!(check("x", &"x".repeat(LONGEST_KEY)).is_ok());
        for bad in ["", "a b", "a\0", "ä", &"x".repeat(LONGEST_KEY + 1)] {
            let fault = check("x", bad).unwrap_err();
            assert!(matches!(fault, Fault::Invalid { field, .. } if field == "x"), "{bad:?}");
        }
        assert!(check_kept("x", "a key, as somebody else writes it").is_ok());
        assert!(check_kept("x", "a\0").is_err());
    }
}

//! The token under which a key is found.

use rand_core::CryptoRng;

/// A new `KeyToken`: 16 lower-case hexadecimal digits, 64 bits of entropy, zeroes in front kept.
///
/// The original's were the product of a GUID's bytes minus the clock, and every sixteenth of them
/// was shorter than the 16 digits that its own Windows app asks for. 64 bits do not rule out that
/// a token is taken: whoever stores it keeps it unique.
pub fn key_token(rng: &mut (impl CryptoRng + ?Sized)) -> String {
    format!("{:016x}", rng.next_u64())
}

#[cfg(test)]
mod tests {
    use super::super::FillRng;
    use super::*;

    #[test]
    fn a_token_has_sixteen_digits_even_if_it_begins_with_zeroes() {
        let fill = |bytes: &mut [u8]| {
            bytes.fill(0);
            bytes[0] = 0xab;
        };
        assert_eq!(key_token(&mut FillRng::new(&fill)), "00000000000000ab");
    }
}

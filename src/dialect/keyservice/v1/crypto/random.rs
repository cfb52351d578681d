//! Whoever has a source of random bytes has an rng for this module.

use std::convert::Infallible;
use std::fmt;

use rand_core::{TryCryptoRng, TryRng};

/// A random number generator over a function that fills bytes.
///
/// The function must give randomness fit for keys, every time.
#[derive(Clone, Copy)]
pub struct FillRng<'fill>(&'fill dyn Fn(&mut [u8]));

impl<'fill> FillRng<'fill> {
    /// Takes its bytes from `fill`.
    #[must_use]
    pub fn new(fill: &'fill dyn Fn(&mut [u8])) -> Self {
        Self(fill)
    }
}

impl TryRng for FillRng<'_> {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut bytes = [0; 4];
        (self.0)(&mut bytes);
        Ok(u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut bytes = [0; 8];
        (self.0)(&mut bytes);
        Ok(u64::from_le_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        (self.0)(bytes);
        Ok(())
    }
}

// The caller of `new` promises it.
impl TryCryptoRng for FillRng<'_> {}

impl fmt::Debug for FillRng<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("FillRng(..)")
    }
}

#[cfg(test)]
mod tests {
    use rand_core::Rng;

    use super::*;

    #[test]
    fn the_bytes_are_those_of_the_function() {
        let fill = |bytes: &mut [u8]| bytes.fill(7);
        let mut rng = FillRng::new(&fill);
        let mut bytes = [0; 3];
        rng.fill_bytes(&mut bytes);
        assert_eq!(bytes, [7; 3]);
        assert_eq!(rng.next_u32(), 0x0707_0707);
        assert_eq!(rng.next_u64(), 0x0707_0707_0707_0707);
    }
}

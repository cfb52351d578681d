//! Times as both contracts write them: the server without a zone, though it means UTC, the
//! documentation with `Z`.

use super::contract::Contract;
use crate::domain::clock::Timestamp;

/// A moment as a contract writes it.
#[must_use]
pub fn written(at: Timestamp, contract: Contract) -> String {
    match contract {
        Contract::Server => naive(at),
        Contract::Document => utc(at),
    }
}

/// Without a zone: `2026-11-20T13:52:08.258565`.
#[must_use]
pub fn naive(at: Timestamp) -> String {
    let text = utc(at);
    text.strip_suffix('Z').map_or_else(|| text.clone(), ToOwned::to_owned)
}

/// With a zone: `2026-11-20T13:52:08.258565Z`.
#[must_use]
pub fn utc(at: Timestamp) -> String {
    at.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_has_a_zone_in_one_contract_alone() {
        let at = Timestamp::from_micros(1_700_000_000_123_456);
        assert_eq!(written(at, Contract::Server), "2023-11-14T22:13:20.123456");
        assert_eq!(written(at, Contract::Document), "2023-11-14T22:13:20.123456Z");
    }
}

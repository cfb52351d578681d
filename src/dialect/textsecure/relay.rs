//! Relays: other gateways that a phone may be at. A request names them in its query or its body.

use crate::domain::error::Fault;

/// The relay that a query names; a name without letters is none.
pub(super) fn in_query(query: Option<&str>) -> Option<&str> {
    let pairs = query.unwrap_or_default().split('&').filter_map(|pair| pair.split_once('='));
    pairs
        .filter(|(name, _)| *name == "relay")
        .map(|(_, relay)| relay)
        .find(|relay| !relay.is_empty())
}

/// Refuses what is for a relay: this gateway knows none.
///
/// # Errors
/// [`Fault::NotFound`].
pub(super) fn require_none(relay: Option<&str>) -> Result<(), Fault> {
    match relay {
        None | Some("") => Ok(()),
        Some(_) => Err(Fault::NotFound { what: "relay" }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_relay_is_none() {
        for (query, relay) in [
            (None, None),
            (Some(""), None),
            (Some("relay="), None),
            (Some("relay"), None),
            (Some("a=b&relay=there"), Some("there")),
        ] {
            assert_eq!(in_query(query), relay, "{query:?}");
        }
        assert!(require_none(None).is_ok() && require_none(Some("")).is_ok());
        assert!(require_none(Some("there")).is_err());
    }
}

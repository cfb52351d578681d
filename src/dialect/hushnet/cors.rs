//! Pages that may use this protocol: those of the origins that the operator lists.

use crate::http::cors::{Cors, Origins};

/// What pages of these origins may do.
pub(super) fn pages(origins: Origins) -> Cors {
    Cors {
        origins,
        methods: "GET, POST, PUT, PATCH, DELETE, OPTIONS",
        headers: "Content-Type, X-Identity-Key, X-Timestamp, X-Signature, X-Signature-Version, \
                  X-Nonce",
        exposed: "Retry-After, X-Request-Id",
        max_age: "600",
    }
}

//! Pages that may use the key service: those of the origins that the operator lists, any by default,
//! as the original has it.

use crate::http::cors::{Cors, Origins};

/// What pages of these origins may do.
pub(super) fn pages(origins: Origins) -> Cors {
    Cors {
        origins,
        methods: "GET, POST, PUT, DELETE",
        headers: "token, passphrase, privatekeyhash, authkey, content-type, v, prefer, accept",
        exposed: "X-More-Messages, Retry-After, X-Request-Id",
        max_age: "600",
    }
}

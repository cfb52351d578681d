//! What progenitor makes of the document; build.rs says of which parts.

include!(concat!(env!("OUT_DIR"), "/client.rs"));

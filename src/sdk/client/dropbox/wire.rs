//! The JSON of version 2. Binary members are base64url without padding, times RFC 3339.

use serde::{Deserialize, Serialize};

use crate::dropbox::{BoxToken, LetterId};

use super::message::BoxMessageId;

#[derive(Serialize)]
pub(super) struct Create<'a> {
    pub(super) publickey: String,
    pub(super) kdf: String,
    pub(super) privatekey: String,
    pub(super) authdigest: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) releasedate: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) lockdate: Option<&'a str>,
    pub(super) deletemessagesafterreading: bool,
    pub(super) deletekeyafterreading: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) email: Option<&'a str>,
}

#[derive(Deserialize)]
pub(super) struct Created {
    pub(super) token: BoxToken,
    pub(super) createdat: String,
    #[serde(default)]
    pub(super) releasedate: Option<String>,
    #[serde(default)]
    pub(super) lockdate: Option<String>,
    #[serde(default)]
    pub(super) expiresat: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct Record {
    pub(super) publickey: String,
    pub(super) kdf: String,
    #[serde(default)]
    pub(super) releasedate: Option<String>,
    #[serde(default)]
    pub(super) lockdate: Option<String>,
    #[serde(default)]
    pub(super) expiresat: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct List {
    pub(super) privatekey: String,
    pub(super) messages: Vec<Listed>,
    #[serde(default)]
    pub(super) more: bool,
    #[serde(default)]
    pub(super) deletemessagesafterreading: bool,
}

/// A message; what belongs to the other kind is missing.
#[derive(Deserialize)]
pub(super) struct Listed {
    pub(super) messageid: BoxMessageId,
    pub(super) kind: String,
    pub(super) createdat: String,
    #[serde(default)]
    pub(super) expiresat: Option<String>,
    #[serde(default)]
    pub(super) encryptionkey: String,
    #[serde(default)]
    pub(super) message: String,
    #[serde(default)]
    pub(super) name: String,
    #[serde(default)]
    pub(super) length: u64,
}

#[derive(Serialize)]
pub(super) struct PutText {
    pub(super) token: BoxToken,
    pub(super) message: String,
    pub(super) encryptionkey: String,
}

#[derive(Deserialize)]
pub(super) struct Stored {
    pub(super) messageid: BoxMessageId,
    pub(super) createdat: String,
    #[serde(default)]
    pub(super) expiresat: Option<String>,
}

/// An answer whose status says it all.
#[derive(Deserialize)]
pub(super) struct Done {}

#[derive(Serialize)]
pub(super) struct Leave {
    pub(super) message: String,
    pub(super) authdigest: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) expiresin: Option<u64>,
}

#[derive(Deserialize)]
pub(super) struct Left {
    pub(super) messageid: LetterId,
    #[serde(default)]
    pub(super) expiresat: Option<String>,
}

#[derive(Serialize)]
pub(super) struct Take {
    pub(super) messageid: LetterId,
}

#[derive(Deserialize)]
pub(super) struct Taken {
    pub(super) message: String,
    pub(super) createdat: String,
}

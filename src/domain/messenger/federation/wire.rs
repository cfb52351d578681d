//! What gateways say to each other, in HushNet's words.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::domain::ids::SessionId;

/// `POST /s2s/sessions`.
#[derive(Serialize)]
pub(super) struct Introductions<'a> {
    pub(super) from_federated_address: String,
    pub(super) from_device_id: SessionId,
    pub(super) from_identity_pubkey: &'a str,
    pub(super) to_user: &'a str,
    pub(super) sessions_init: Vec<Init<'a>>,
}

/// One of its introductions.
#[derive(Serialize)]
pub(super) struct Init<'a> {
    pub(super) recipient_device_id: SessionId,
    pub(super) ephemeral_pubkey: &'a str,
    pub(super) sender_prekey_pub: &'a str,
    pub(super) otpk_used: &'a str,
    pub(super) ciphertext: &'a str,
}

/// `POST /s2s/messages`.
#[derive(Serialize)]
pub(super) struct Message<'a> {
    pub(super) logical_msg_id: &'a str,
    pub(super) from_federated_address: String,
    pub(super) from_device_id: SessionId,
    pub(super) from_identity_pubkey: &'a str,
    pub(super) to_user: &'a str,
    pub(super) payloads: Vec<Payload<'a>>,
}

/// Whom a message is for.
#[derive(Deserialize)]
pub(super) struct Addressed {
    pub(super) to_user: String,
}

/// What one device gets of it.
#[derive(Serialize)]
pub(super) struct Payload<'a> {
    pub(super) to_device_id: SessionId,
    pub(super) header: &'a RawValue,
    pub(super) ciphertext: &'a str,
}

/// What another gateway says about a device of one of its members.
#[derive(Deserialize)]
pub(super) struct Device {
    pub(super) id: SessionId,
    pub(super) identity_pubkey: String,
}

/// The prekeys of one device, for whoever wants to write to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bundle {
    /// The device.
    pub device_id: SessionId,
    /// Its identity key, base64.
    pub identity_pubkey: String,
    /// The key that others agree with, base64.
    pub prekey_pubkey: String,
    /// Its signed prekey, base64.
    pub signed_prekey_pub: String,
    /// The identity key's signature over it, base64.
    pub signed_prekey_sig: String,
    /// A one-time prekey that nobody else gets; none when there is none left.
    #[serde(default)]
    pub one_time_prekeys: Vec<String>,
}

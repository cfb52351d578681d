//! What gateways say to each other, as this one reads and answers it.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::super::times;
use crate::domain::ids::{SessionId, UserId};
use crate::domain::messenger::federation::{
    Bundle, ForeignGreeting, ForeignMessage, ForeignSender,
};
use crate::domain::messenger::{Member, MemberDevice};

/// A gateway, as it tells others about itself.
#[derive(Serialize, ToSchema)]
#[schema(as = HushNetNode)]
pub(super) struct Info {
    /// Its name.
    #[schema(example = "node-a.example")]
    pub(super) node_id: String,
    /// Where it is asked.
    #[schema(example = "https://node-a.example/hushnet")]
    pub(super) api_url: String,
    /// The Ed25519 key that signs its requests, base64.
    #[schema(example = "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=")]
    pub(super) public_key_b64: String,
    /// The version of what it speaks.
    #[schema(example = "0.0.2")]
    pub(super) protocol_version: &'static str,
    /// That it signs the bodies of its requests too. HushNet's own nodes do not, and do not say so.
    pub(super) signs_bodies: bool,
}

/// The prekeys of one device, for whoever wants to write to it.
#[derive(Serialize, ToSchema)]
#[schema(as = HushNetFederatedBundle)]
pub(super) struct BundleBody {
    /// The device.
    device_id: SessionId,
    /// Its identity key, base64.
    identity_pubkey: String,
    /// The key that others agree with, base64.
    prekey_pubkey: String,
    /// Its signed prekey, base64.
    signed_prekey_pub: String,
    /// The identity key's signature over it, base64.
    signed_prekey_sig: String,
    /// A one-time prekey that nobody else gets; none when there is none left.
    one_time_prekeys: Vec<String>,
}

impl From<Bundle> for BundleBody {
    fn from(bundle: Bundle) -> Self {
        let Bundle { device_id, identity_pubkey, prekey_pubkey, .. } = bundle;
        let Bundle { signed_prekey_pub, signed_prekey_sig, one_time_prekeys, .. } = bundle;
        Self {
            device_id,
            identity_pubkey,
            prekey_pubkey,
            signed_prekey_pub,
            signed_prekey_sig,
            one_time_prekeys,
        }
    }
}

/// A device of a member, as other gateways see it.
#[derive(Serialize, ToSchema)]
#[schema(as = HushNetFederatedDevice)]
pub(super) struct DeviceBody {
    /// Its id.
    id: SessionId,
    /// Its owner.
    user_id: UserId,
    /// Its identity key, base64.
    identity_pubkey: String,
    /// The key that others agree with, base64.
    prekey_pubkey: String,
    /// Its signed prekey, base64.
    signed_prekey_pub: String,
    /// The identity key's signature over it, base64.
    signed_prekey_sig: String,
    /// Always empty: each is given out once, with the prekeys.
    one_time_prekeys: [String; 0],
    /// Always null: nobody else's business.
    device_label: Option<String>,
    /// Always null.
    push_token: Option<String>,
    /// Always null.
    last_seen: Option<String>,
    /// When it was made, without a zone.
    #[schema(example = "2025-11-02T10:30:00.000000")]
    created_at: String,
}

impl DeviceBody {
    pub(super) fn of(member: &Member, device: &MemberDevice) -> Self {
        Self {
            id: device.id,
            user_id: member.user,
            identity_pubkey: device.identity_key.clone(),
            prekey_pubkey: device.agreement_key.clone(),
            signed_prekey_pub: device.signed.key.clone(),
            signed_prekey_sig: device.signed.signature.clone(),
            one_time_prekeys: [],
            device_label: None,
            push_token: None,
            last_seen: None,
            created_at: times::naive(device.created_at),
        }
    }
}

/// Introductions that another gateway brings.
#[derive(Deserialize, ToSchema)]
#[schema(as = HushNetBroughtIntroductions)]
pub(super) struct Introductions {
    /// Who introduces itself: a name, `@`, and the gateway that brings it.
    #[schema(example = "alice@node-a.example")]
    from_federated_address: String,
    /// Its device, by the id there.
    from_device_id: SessionId,
    /// The device's identity key, base64.
    from_identity_pubkey: String,
    /// The name of the member here.
    #[schema(example = "bob")]
    pub(super) to_user: String,
    /// One for each device.
    sessions_init: Vec<Init>,
}

/// The introduction for one device.
#[derive(Deserialize, ToSchema)]
#[schema(as = HushNetBroughtIntroduction)]
struct Init {
    /// The device.
    recipient_device_id: SessionId,
    /// The sender's ephemeral key.
    ephemeral_pubkey: String,
    /// The sender's own agreement key.
    sender_prekey_pub: String,
    /// The one-time prekey that was used; empty for none.
    otpk_used: String,
    /// The first message.
    ciphertext: String,
}

impl Introductions {
    pub(super) fn split(self) -> (ForeignSender, Vec<ForeignGreeting>) {
        let sender = ForeignSender {
            address: self.from_federated_address,
            device: self.from_device_id,
            identity_key: self.from_identity_pubkey,
        };
        let greeting = |init: Init| ForeignGreeting {
            to: init.recipient_device_id,
            ephemeral_key: init.ephemeral_pubkey,
            sender_key: init.sender_prekey_pub,
            one_time_key: init.otpk_used,
            ciphertext: init.ciphertext,
        };
        (sender, self.sessions_init.into_iter().map(greeting).collect())
    }
}

/// A message that another gateway brings.
#[derive(Deserialize, ToSchema)]
#[schema(as = HushNetBroughtMessage)]
pub(super) struct Message {
    /// The sender's own id for it.
    #[schema(example = "m-1")]
    pub(super) logical_msg_id: String,
    /// Who sends it: a name, `@`, and the gateway that brings it.
    #[schema(example = "alice@node-a.example")]
    from_federated_address: String,
    /// Its device, by the id there.
    from_device_id: SessionId,
    /// The device's identity key, base64.
    from_identity_pubkey: String,
    /// The name of the member here.
    #[schema(example = "bob")]
    pub(super) to_user: String,
    /// A part for each device.
    payloads: Vec<Payload>,
}

/// What one device gets.
#[derive(Deserialize, ToSchema)]
#[schema(as = HushNetBroughtPayload)]
struct Payload {
    /// The device.
    to_device_id: SessionId,
    /// Any JSON. It is returned byte for byte.
    #[schema(value_type = Value)]
    header: Box<RawValue>,
    /// What only the device can read.
    ciphertext: String,
}

impl Message {
    pub(super) fn split(self) -> (ForeignSender, ForeignMessage) {
        let sender = ForeignSender {
            address: self.from_federated_address,
            device: self.from_device_id,
            identity_key: self.from_identity_pubkey,
        };
        let part = |payload: Payload| {
            let header = String::from(Box::<str>::from(payload.header));
            (payload.to_device_id, Bytes::from(header), Bytes::from(payload.ciphertext))
        };
        let parts = self.payloads.into_iter().map(part).collect();
        (sender, ForeignMessage { logical: self.logical_msg_id, parts })
    }
}

/// What became of a message, between gateways.
#[derive(Serialize, Deserialize, ToSchema)]
#[schema(as = HushNetArrival)]
pub(super) struct Acknowledgement {
    /// The sender's own id for it.
    #[schema(example = "m-1")]
    pub(super) logical_msg_id: String,
    /// `delivered`, or `duplicate` when it was there before.
    #[schema(example = "delivered")]
    pub(super) status: String,
}

/// That something was done.
#[derive(Serialize, ToSchema)]
#[schema(as = HushNetFederationStatus)]
pub(in super::super) struct Done {
    /// What.
    #[schema(example = "ok")]
    pub(super) status: &'static str,
}

//! Slots that are added to a message which is on its way already.

use serde::{Deserialize, Serialize};

use crate::ids::SessionId;

/// The body of `POST /encrypted_messages/{message_id}/slots`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TopUp {
    /// Checksum over all live sessions of the message's recipients, those that have it included.
    #[cfg_attr(feature = "openapi", schema(example = "02433e6c68af77773104b0840f3ed1c4"))]
    pub checksum: String,
    /// A slot for each session that is to get the message too.
    pub slots: Vec<TopUpSlot>,
}

/// One session's slot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TopUpSlot {
    /// The session.
    pub session_id: SessionId,
    /// The message's key, wrapped for this session: the 64 bytes of an envelope's slot, session id
    /// first, base64url without padding.
    #[cfg_attr(
        feature = "openapi",
        schema(
            example = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
        )
    )]
    pub slot_base64: String,
}

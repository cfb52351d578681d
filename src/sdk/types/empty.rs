//! Optional ids that the wire writes as an empty string.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::ids::Id;

/// Writes `None` as the empty string, for members that clients expect to be there.
pub(super) fn serialize<Kind, S: Serializer>(
    id: &Option<Id<Kind>>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match id {
        Some(id) => id.serialize(serializer),
        None => serializer.serialize_str(""),
    }
}

/// Reads a missing value, `null` and the empty string as `None`.
pub(super) fn deserialize<'de, Kind, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Id<Kind>>, D::Error> {
    let text = Option::<std::borrow::Cow<'_, str>>::deserialize(deserializer)?;
    match text.as_deref() {
        None | Some("") => Ok(None),
        Some(text) => Id::parse(text).map(Some).map_err(D::Error::custom),
    }
}

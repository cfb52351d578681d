//! Who does something: a member at one of its devices.

use super::member::{DeviceOwner, Member, MemberDevice};
use crate::domain::ids::{AccountNumber, SessionId, SessionNumber, UserId};
use crate::domain::inbox::InboxKey;

/// A member at one of its devices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Actor {
    /// The account inside the store.
    pub account: AccountNumber,
    /// Its public id.
    pub user: UserId,
    /// The device's session inside the store.
    pub session: SessionNumber,
    /// The device's public id.
    pub device: SessionId,
}

impl Actor {
    /// This member at this device.
    #[must_use]
    pub fn new(member: &Member, device: &MemberDevice) -> Self {
        let Member { account, user, .. } = *member;
        Self { account, user, session: device.session, device: device.id }
    }

    /// Where the device's messages wait.
    #[must_use]
    pub fn inbox(&self) -> InboxKey {
        InboxKey { shard: self.account.shard(), session: self.session }
    }
}

impl From<&DeviceOwner> for Actor {
    fn from(owner: &DeviceOwner) -> Self {
        Self::new(&owner.member, &owner.device)
    }
}

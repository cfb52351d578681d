//! What to tell a member whose events were lost: whatever there may be to look for.

use super::Messenger;
use super::event::MemberEvent;
use crate::domain::error::Fault;
use crate::domain::ids::{SessionNumber, UserId};

/// How many chats, and introductions to a device, are told of.
const MOST: u32 = 1_000;

impl Messenger {
    /// Events that make a member look at all that it may have missed: every chat, every introduction
    /// that waits, and its devices. `None` when the device that asks, or its account, is no more.
    ///
    /// # Errors
    /// The store's.
    pub async fn missed(
        &self,
        user: UserId,
        device: SessionNumber,
    ) -> Result<Option<Vec<MemberEvent>>, Fault> {
        let store = &self.gateway.store;
        let Some(member) = store.member(user).await? else { return Ok(None) };
        if !store.member_device_is_live(device).await? {
            return Ok(None);
        }
        let now = self.gateway.clock.now();
        let mut events = vec![MemberEvent::Device { user }];
        for device in &member.devices {
            let waiting = store.introduction_heads(device.session, now, MOST).await?;
            events.extend(waiting.into_iter().map(|it| MemberEvent::Introduction {
                user,
                id: it.id,
                from: it.from,
                to: it.to,
                at: it.at,
            }));
        }
        let chats = store.chats(member.account, MOST).await?;
        events.extend(chats.iter().map(|chat| MemberEvent::Message { chat: chat.id, user }));
        Ok(Some(events))
    }
}

//! Reading: what waits is held for its reader, until it says that it has it (`taking`).

use bytes::Bytes;

use super::Messenger;
use super::actor::Actor;
use super::content::{HUSHNET, Sealed, Shared};
use super::handed_out::{Ticket, Way};
use crate::domain::clock::Timestamp;
use crate::domain::error::{Fault, chain};
use crate::domain::ids::{ConversationId, MessageId, SessionId, UserId};
use crate::domain::inbox::{Isolation, LeaseRequest, Leased, Release, Returned, Waiting};

/// The messages that one look is given at most.
pub const MOST_AT_ONCE: u32 = 1_000;

/// What a reader wants.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Look {
    /// At most so many messages; all that fit into an answer otherwise.
    pub limit: Option<u32>,
    /// Only those that came after this moment; the others stay where they are.
    pub after: Option<Timestamp>,
}

/// A message as its reader gets it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    /// Its id.
    pub id: MessageId,
    /// Its sender's own id for it.
    pub logical: String,
    /// Where it belongs.
    pub chat: Option<ConversationId>,
    /// Who sent it.
    pub from: UserId,
    /// With which device.
    pub from_device: SessionId,
    /// The member that it is for.
    pub to: UserId,
    /// JSON, as its sender wrote it.
    pub header: Bytes,
    /// The text that is meant for this device alone.
    pub ciphertext: Bytes,
    /// When it came.
    pub at: Timestamp,
    /// When it was handed out first, if that was before and is still known.
    pub handed_out_at: Option<Timestamp>,
}

/// What a reader holds from now on.
#[derive(Debug, Default)]
pub struct Handful {
    /// The oldest first.
    pub messages: Vec<Received>,
    /// Names the answer that they go into; nothing when there are none.
    pub ticket: Option<Ticket>,
    /// How to let go of them.
    pub leases: Vec<Returned>,
}

impl Messenger {
    /// Hands out what waits for a device, and holds it for a while. What an earlier answer held goes
    /// now, if the device has read that ([`HandedOut`](super::handed_out::HandedOut)).
    ///
    /// # Errors
    /// Only when the store fails.
    pub async fn fetch(&self, reader: Actor, way: Way, look: Look) -> Result<Handful, Fault> {
        let earlier = self.handed_out.read_by(reader.session, &way);
        if !earlier.is_empty() {
            self.take_read(reader, &earlier).await?;
            let taken = earlier.iter().map(|(id, _)| *id).collect();
            self.handed_out.taken(reader.session, &taken);
        }
        self.gateway.note_seen(reader.session).await;
        self.hold(reader, way, look).await
    }

    async fn hold(&self, reader: Actor, way: Way, look: Look) -> Result<Handful, Fault> {
        let mut handful = Handful::default();
        let mut room = look.limit.unwrap_or(MOST_AT_ONCE).min(MOST_AT_ONCE);
        let mut bytes = self.gateway.limits.inbox_page_bytes;
        while room > 0 && bytes > 0 {
            let leased = match self.lease(reader, room, bytes, look.after).await {
                Ok(leased) => leased,
                // What is held already is worth an answer.
                Err(_) if !handful.leases.is_empty() => break,
                Err(fault) => return Err(fault),
            };
            let size = leased.messages.iter().map(Waiting::size).sum();
            bytes = bytes.saturating_sub(size);
            let ours = self.sort_out(reader, &leased).await;
            room = room.saturating_sub(u32::try_from(ours.len()).unwrap_or(u32::MAX));
            if !ours.is_empty() {
                let orders = ours.iter().map(|(waiting, _)| waiting.order).collect();
                let how = Release::Unacknowledged;
                handful.leases.push(Returned { orders, until: leased.until, how });
                handful.messages.extend(ours.into_iter().map(|(_, received)| received));
            }
            if leased.messages.is_empty() || !leased.more {
                break;
            }
        }
        if !handful.messages.is_empty() {
            let given = handful.messages.iter().map(|message| (message.id, message.from)).collect();
            let (ticket, before) = self.handed_out.note(reader.session, given, way);
            handful.ticket = Some(ticket);
            for message in &mut handful.messages {
                message.handed_out_at = before.get(&message.id).copied();
            }
        }
        Ok(handful)
    }

    /// Nothing is ever handed out alone or set aside: a reader of this protocol passes over what it
    /// cannot read.
    async fn lease(
        &self,
        reader: Actor,
        limit: u32,
        max_bytes: u64,
        after: Option<Timestamp>,
    ) -> Result<Leased, Fault> {
        let gateway = &self.gateway;
        let now = gateway.clock.now();
        let never =
            Isolation { after: u32::MAX, set_aside_after: u32::MAX, gap_id: gateway.random_id() };
        let request = LeaseRequest {
            inbox: reader.inbox(),
            limit: limit.min(gateway.limits.inbox_page),
            max_bytes,
            now,
            until: now.plus(gateway.limits.lease),
            not_before: after
                .map(|after| Timestamp::from_micros(after.as_micros().saturating_add(1))),
            isolation: never,
        };
        let leased = gateway.store.lease(request).await?;
        gateway.count_deliveries(&leased);
        Ok(leased)
    }

    /// The messages of members among what was handed out; the rest means nothing to this reader and
    /// goes.
    async fn sort_out<'a>(
        &self,
        reader: Actor,
        leased: &'a Leased,
    ) -> Vec<(&'a Waiting, Received)> {
        let mut ours = Vec::with_capacity(leased.messages.len());
        let mut others = Vec::new();
        for waiting in &leased.messages {
            match received(waiting) {
                Some(received) => ours.push((waiting, received)),
                None => {
                    if waiting.category == HUSHNET {
                        let message = waiting.message_id;
                        tracing::error!(%message, "dropped a message that nobody can read");
                    }
                    others.push(waiting.message_id);
                }
            }
        }
        if let Err(fault) = self.gateway.take_out(reader.inbox(), others).await {
            tracing::warn!("the next look drops what is not for it: {}", chain(&fault));
        }
        ours
    }

    /// Lets go of what an answer held that was not written to its end, so that it comes again at
    /// once.
    ///
    /// # Errors
    /// Only when the store fails.
    pub async fn give_back(
        &self,
        reader: Actor,
        ticket: Ticket,
        leases: Vec<Returned>,
    ) -> Result<(), Fault> {
        self.handed_out.cut_off(ticket);
        for lease in leases {
            self.gateway.release(reader.inbox(), lease).await?;
        }
        Ok(())
    }
}

fn received(waiting: &Waiting) -> Option<Received> {
    if waiting.category != HUSHNET {
        return None;
    }
    let Shared { logical, to } = Shared::from_bytes(&waiting.body)?;
    let Sealed { header, ciphertext } = Sealed::from_bytes(&waiting.slot)?;
    Some(Received {
        id: waiting.message_id,
        logical,
        chat: waiting.conversation,
        from: waiting.sender,
        from_device: waiting.sender_session,
        to,
        header,
        ciphertext,
        at: waiting.accepted_at,
        handed_out_at: None,
    })
}

//! Several introductions at once: whether all of them can be kept, decided before any is.

use crate::domain::Fault;
use crate::domain::clock::Timestamp;
use crate::domain::ids::{AccountNumber, SessionNumber, UserId};
use crate::domain::messenger::introduction::{IntroductionId, Room};
use crate::domain::messenger::{Introduced, NewIntroduction};

/// What is on file about an introduction whose recipient is a live device of this gateway.
pub(super) struct OnFile {
    /// The recipient's session.
    pub to: SessionNumber,
    /// Its account.
    pub account: AccountNumber,
    /// That account's public id.
    pub user: UserId,
    /// How many introductions wait for it.
    pub waiting: u64,
    /// How many of these are by the device that introduces itself.
    pub of_one: u64,
    /// Whether the prekey that is named is there.
    pub has_key: bool,
    /// The earlier introduction that this one repeats.
    pub same: Option<(IntroductionId, Timestamp)>,
}

/// What to do about an introduction.
pub(super) struct Plan {
    /// The answer.
    pub introduced: Introduced,
    /// How to keep it, if it has to be.
    pub keep: Option<Keep>,
}

/// How to keep an introduction.
#[derive(Clone, Copy)]
pub(super) struct Keep {
    /// The recipient's session.
    pub to: SessionNumber,
    /// How many of the same device's earlier ones, the newest, stay.
    pub beside: u32,
}

/// Decides on introductions to different devices; `None` stands for a recipient that is no live
/// device.
///
/// # Errors
/// As those of [`introduce`](crate::domain::ports::Introductions::introduce).
pub(super) fn plan(
    introductions: &[NewIntroduction],
    on_file: &[Option<OnFile>],
    room: Room,
) -> Result<Vec<Plan>, Fault> {
    let decide = |(new, found): (&NewIntroduction, &Option<OnFile>)| {
        let Some(found) = found else { return Err(Fault::NotFound { what: "device" }) };
        let OnFile { to, account, user, .. } = *found;
        let introduced = |id, at, is_new| Introduced { id, at, is_new, account, user };
        if let Some((id, at)) = found.same {
            return Ok(Plan { introduced: introduced(id, at, false), keep: None });
        }
        let beside = room.check(found.waiting, found.of_one)?;
        if !new.one_time_key.is_empty() && !found.has_key {
            return Err(NewIntroduction::key_is_gone());
        }
        let introduced = introduced(new.id, new.at, true);
        Ok(Plan { introduced, keep: Some(Keep { to, beside }) })
    };
    introductions.iter().zip(on_file).map(decide).collect()
}

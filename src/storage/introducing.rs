//! Several introductions at once: whether all of them can be kept, decided before any is.

use std::collections::{HashMap, HashSet};

use crate::domain::Fault;
use crate::domain::clock::Timestamp;
use crate::domain::ids::{AccountNumber, SessionNumber, UserId};
use crate::domain::messenger::introduction::IntroductionId;
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
    /// Whether the prekey that is named is there.
    pub has_key: bool,
    /// The earlier introduction that this one repeats.
    pub same: Option<(IntroductionId, Timestamp)>,
}

/// What to do about an introduction.
pub(super) struct Plan {
    /// The answer.
    pub introduced: Introduced,
    /// The recipient's session, if it has to be kept.
    pub keep_for: Option<SessionNumber>,
}

/// Decides on introductions; `None` stands for a recipient that is no live device.
///
/// # Errors
/// As those of [`introduce`](crate::domain::ports::Introductions::introduce).
pub(super) fn plan(
    introductions: &[NewIntroduction],
    on_file: &[Option<OnFile>],
    most: u32,
) -> Result<Vec<Plan>, Fault> {
    let mut plans = Vec::with_capacity(introductions.len());
    let mut kept = HashMap::new();
    let mut more: HashMap<SessionNumber, u64> = HashMap::new();
    let mut used = HashSet::new();
    for (new, found) in introductions.iter().zip(on_file) {
        let Some(found) = found else { return Err(Fault::NotFound { what: "device" }) };
        let OnFile { to, account, user, .. } = *found;
        let key = (new.from, to, new.ephemeral_key.as_str());
        let introduced = |id, at, is_new| Introduced { id, at, is_new, account, user };
        if let Some((id, at)) = found.same.or_else(|| kept.get(&key).copied()) {
            plans.push(Plan { introduced: introduced(id, at, false), keep_for: None });
            continue;
        }
        let more = more.entry(to).or_default();
        NewIntroduction::check_room(found.waiting + *more, most)?;
        *more += 1;
        let one_time_key = new.one_time_key.as_str();
        let uses_one = !one_time_key.is_empty();
        if uses_one && (!found.has_key || !used.insert((to, one_time_key))) {
            return Err(NewIntroduction::key_is_gone());
        }
        kept.insert(key, (new.id, new.at));
        plans.push(Plan { introduced: introduced(new.id, new.at, true), keep_for: Some(to) });
    }
    Ok(plans)
}

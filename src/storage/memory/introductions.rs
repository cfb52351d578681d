//! Introductions in memory.

use async_trait::async_trait;

use super::{MemoryStore, State};
use crate::domain::Fault;
use crate::domain::clock::Timestamp;
use crate::domain::ids::{AccountNumber, SessionId, SessionNumber};
use crate::domain::messenger::introduction::{IntroductionHead, IntroductionId, Page, Room};
use crate::domain::messenger::member::KEYS_REMEMBERED;
use crate::domain::messenger::{
    Confirmation, Confirmed, Introduced, Introduction, NewIntroduction,
};
use crate::domain::ports::Introductions;
use crate::storage::introducing::{Keep, OnFile, plan};

/// An introduction that waits.
pub(super) struct Kept {
    pub from: SessionNumber,
    pub to: SessionNumber,
    new: NewIntroduction,
}

impl NewIntroduction {
    /// The bytes of its texts.
    fn size(&self) -> u64 {
        let texts = [&self.ephemeral_key, &self.sender_key, &self.one_time_key, &self.ciphertext];
        texts.iter().map(|text| text.len() as u64).sum()
    }
}

/// What is left of the one that made two devices a pair.
pub(super) struct Pair {
    id: IntroductionId,
    ephemeral_key: String,
    at: Timestamp,
}

#[async_trait]
impl Introductions for MemoryStore {
    async fn introduce(
        &self,
        introductions: Vec<NewIntroduction>,
        room: Room,
    ) -> Result<Vec<Introduced>, Fault> {
        self.change().introduce(introductions, room)
    }

    async fn introductions(
        &self,
        to: SessionNumber,
        page: Page,
    ) -> Result<Vec<Introduction>, Fault> {
        let state = self.state();
        let mut bytes = 0;
        let waiting = state.introduced_to(to, page.now);
        let fitting = waiting.take_while(|kept| {
            let fits = bytes == 0 || bytes < page.max_bytes;
            bytes += kept.new.size();
            fits
        });
        Ok(fitting.take(page.limit as usize).map(|kept| state.introduction(kept)).collect())
    }

    async fn introduction_heads(
        &self,
        to: SessionNumber,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<IntroductionHead>, Fault> {
        let state = self.state();
        let waiting = state.introduced_to(to, now);
        Ok(waiting.take(limit as usize).map(|kept| state.introduction_head(kept)).collect())
    }

    async fn introduction(
        &self,
        to: SessionNumber,
        now: Timestamp,
        id: IntroductionId,
    ) -> Result<Option<IntroductionHead>, Fault> {
        let state = self.state();
        let found = state.introduced_to(to, now).find(|it| it.new.id == id);
        Ok(found.map(|kept| state.introduction_head(kept)))
    }

    async fn has_introduced(
        &self,
        from: AccountNumber,
        to: &[SessionNumber],
        now: Timestamp,
    ) -> Result<bool, Fault> {
        let state = self.state();
        let devices = &state.messenger.devices;
        let is_theirs =
            |it: &Kept| devices.get(&it.from).is_some_and(|device| device.account == from);
        Ok(to.iter().any(|to| state.introduced_to(*to, now).any(is_theirs)))
    }

    async fn confirm(&self, confirmation: Confirmation) -> Result<Confirmed, Fault> {
        self.change().confirm(&confirmation)
    }

    async fn forget_introductions(&self, now: Timestamp, limit: u32) -> Result<u64, Fault> {
        let mut state = self.change();
        let waiting = &mut state.messenger.introductions;
        let over = waiting.extract_if(.., |it| it.new.expires_at <= now);
        Ok(over.take(limit as usize).count() as u64)
    }
}

impl State {
    fn live_member_device(&self, id: SessionId) -> Option<SessionNumber> {
        let mut live = self.messenger.devices.values();
        let found = live.find(|kept| kept.device.id == id && kept.id_there.is_none());
        found.map(|kept| kept.device.session)
    }

    fn introduced_to(&self, to: SessionNumber, now: Timestamp) -> impl Iterator<Item = &Kept> {
        let waiting = self.messenger.introductions.iter();
        waiting.filter(move |it| it.to == to && it.new.expires_at > now)
    }

    fn introduction_head(&self, kept: &Kept) -> IntroductionHead {
        let (new, from) = (&kept.new, self.seats[&kept.from]);
        IntroductionHead { id: new.id, from: from.id, to: new.to, at: new.at }
    }

    fn introduction(&self, kept: &Kept) -> Introduction {
        let (new, from) = (kept.new.clone(), self.seats[&kept.from]);
        Introduction {
            id: new.id,
            from: from.id,
            sender: from.user,
            to: new.to,
            ephemeral_key: new.ephemeral_key,
            sender_key: new.sender_key,
            one_time_key: new.one_time_key,
            ciphertext: new.ciphertext,
            at: new.at,
        }
    }

    fn introduce(
        &mut self,
        introductions: Vec<NewIntroduction>,
        room: Room,
    ) -> Result<Vec<Introduced>, Fault> {
        let mut senders = introductions.iter().map(|new| new.from);
        if !senders.all(|from| self.messenger.devices.contains_key(&from)) {
            return Err(NewIntroduction::sender_is_gone());
        }
        // Those whose time is over are in nobody's way.
        if let Some(first) = introductions.first() {
            let now = first.at;
            self.messenger.introductions.retain(|it| it.new.expires_at > now);
        }
        let on_file: Vec<_> = introductions.iter().map(|new| self.on_file(new)).collect();
        let plans = plan(&introductions, &on_file, room)?;
        for (new, plan) in introductions.into_iter().zip(&plans) {
            let Some(Keep { to, beside }) = plan.keep else { continue };
            self.drop_surplus(new.from, to, beside as usize);
            self.use_one_time_key(to, &new.one_time_key, new.at);
            self.messenger.introductions.push(Kept { from: new.from, to, new });
        }
        Ok(plans.into_iter().map(|plan| plan.introduced).collect())
    }

    /// Drops a device's introductions to another one but the newest.
    fn drop_surplus(&mut self, from: SessionNumber, to: SessionNumber, kept: usize) {
        let introductions = &mut self.messenger.introductions;
        let is_theirs = |it: &Kept| (it.from, it.to) == (from, to);
        let count = introductions.iter().filter(|it| is_theirs(it)).count();
        let surplus = introductions.extract_if(.., |it| is_theirs(it));
        drop(surplus.take(count.saturating_sub(kept)).collect::<Vec<_>>());
    }

    fn on_file(&self, new: &NewIntroduction) -> Option<OnFile> {
        let to = self.live_member_device(new.to)?;
        let account = self.messenger.devices[&to].account;
        let records = &self.messenger;
        let keys = records.one_time_keys.get(&to);
        let has_key = keys.is_some_and(|keys| keys.contains(&new.one_time_key))
            || records
                .taken_keys
                .get(&(to, new.one_time_key.clone()))
                .is_some_and(|(usable_until, _)| *usable_until > new.at);
        let waiting = || records.introductions.iter().filter(|it| it.to == to);
        Some(OnFile {
            to,
            account,
            user: self.accounts[&account].id,
            waiting: waiting().count() as u64,
            of_one: waiting().filter(|it| it.from == new.from).count() as u64,
            has_key,
            same: self.same_introduction(new, to),
        })
    }

    /// An earlier one that is the same.
    fn same_introduction(
        &self,
        new: &NewIntroduction,
        to: SessionNumber,
    ) -> Option<(IntroductionId, Timestamp)> {
        let mut waiting = self.messenger.introductions.iter();
        let waiting = waiting.find(|kept| {
            (kept.from, kept.to) == (new.from, to) && kept.new.ephemeral_key == new.ephemeral_key
        });
        let pair = self.messenger.pairs.get(&(new.from, to));
        let pair = pair.filter(|pair| pair.ephemeral_key == new.ephemeral_key);
        waiting.map(|kept| (kept.new.id, kept.new.at)).or(pair.map(|pair| (pair.id, pair.at)))
    }

    /// Uses a prekey up, whether it was given out or not.
    fn use_one_time_key(&mut self, session: SessionNumber, key: &str, at: Timestamp) {
        if key.is_empty() {
            return;
        }
        let records = &mut self.messenger;
        if let Some(waiting) = records.one_time_keys.get_mut(&session) {
            waiting.retain(|waiting| waiting != key);
        }
        let life = (Timestamp::from_micros(0), at.plus(KEYS_REMEMBERED));
        records.taken_keys.insert((session, key.to_owned()), life);
    }

    fn confirm(&mut self, confirmation: &Confirmation) -> Result<Confirmed, Fault> {
        let mut waiting = self.messenger.introductions.iter();
        let place = waiting.position(|kept| {
            kept.new.id == confirmation.introduction
                && kept.to == confirmation.to
                && kept.new.expires_at > confirmation.at
        });
        let place = place.ok_or(Fault::NotFound { what: "introduction" })?;
        let kept = &self.messenger.introductions[place];
        let (from, to) = (kept.from, kept.to);
        let devices = &self.messenger.devices;
        let both = devices.get(&from).zip(devices.get(&to));
        let (sender, owner) = both.ok_or(Fault::NotFound { what: "introduction" })?;
        let (sender, owner) = (sender.account, owner.account);
        let seat = self.seats[&from];
        let (id, at) = (confirmation.chat, confirmation.at);
        let chat = self.ensure_chat(id, owner, sender, at, confirmation.insists)?;
        let kept = self.messenger.introductions.remove(place);
        let pair = Pair { id: kept.new.id, ephemeral_key: kept.new.ephemeral_key, at };
        let is_first = self.messenger.pairs.insert((from, to), pair).is_none();
        Ok(Confirmed { chat, is_first, from: (seat.id, sender, seat.user) })
    }
}

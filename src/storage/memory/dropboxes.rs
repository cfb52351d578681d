//! Drop boxes in memory.

use std::collections::BTreeMap;
use std::ops::Bound;

use async_trait::async_trait;

use super::{FREE, MemoryStore};
use crate::domain::Fault;
use crate::domain::clock::Timestamp;
use crate::domain::dropbox::file::NewDropFile;
use crate::domain::dropbox::letter::TakeLetter;
use crate::domain::dropbox::message::NewDropMessage;
use crate::domain::dropbox::{
    BoxNumber, BoxToken, CreatedBox, DropBox, DropId, DropMessage, DropPage, Ending, Letter,
    NewDropBox, Put, PutOutcome, ReadDrop, Taking,
};
use crate::domain::ids::AttachmentId;
use crate::domain::ports::DropBoxes;
use crate::storage::dropping::{Filling, Standing, ending};

/// What a box or a letter counts for, whatever is in it.
const FOR_ONE: u64 = 1024;

/// All that is kept of drop boxes.
#[derive(Default)]
pub(super) struct Kept {
    last_box: i64,
    boxes: BTreeMap<BoxNumber, Filled>,
    letters: Vec<Letter>,
    files: BTreeMap<AttachmentId, Bytes>,
}

/// The bytes of a file, which are elsewhere.
struct Bytes {
    /// When they are over; 0 while they are being removed.
    ends_at: Timestamp,
    is_kept: bool,
}

/// A box and what is in it.
struct Filled {
    content: NewDropBox,
    is_closed: bool,
    last_message: i64,
    messages: BTreeMap<i64, NewDropMessage>,
}

#[async_trait]
impl DropBoxes for MemoryStore {
    async fn create_drop_box(&self, new: NewDropBox) -> Result<CreatedBox, Fault> {
        let mut state = self.change();
        let kept = &mut state.dropboxes;
        if let Some(taken) = kept.by_token(&new.token) {
            return Ok(CreatedBox::Taken(taken));
        }
        kept.last_box += 1;
        let number = BoxNumber(kept.last_box);
        kept.boxes.insert(number, Filled::with_nothing(new.clone()));
        Ok(CreatedBox::New(DropBox { number, content: new }))
    }

    async fn drop_box(&self, token: &BoxToken) -> Result<Option<DropBox>, Fault> {
        Ok(self.state().dropboxes.by_token(token))
    }

    async fn put_drop_messages(&self, put: Put) -> Result<PutOutcome, Fault> {
        let mut state = self.change();
        let Kept { boxes, files, .. } = &mut state.dropboxes;
        let Some(to) = boxes.get_mut(&put.to) else { return Ok(PutOutcome::Gone) };
        if let Some(refusal) = to.standing().refusal(&put) {
            return Ok(refusal);
        }
        let of_files = put.messages.iter().filter_map(|new| Some((new.file?.id, new.ends_at)));
        let of_files: Vec<_> = of_files.collect();
        let is_live = |id| files.get(id).is_some_and(|file| file.ends_at > put.now);
        if !of_files.iter().all(|(id, _)| is_live(id)) {
            return Err(Fault::NotFound { what: "file" });
        }
        files.extend(
            of_files.into_iter().map(|(id, ends_at)| (id, Bytes { ends_at, is_kept: true })),
        );
        let first = to.last_message + 1;
        for new in put.messages {
            to.last_message += 1;
            to.messages.insert(to.last_message, new);
        }
        Ok(PutOutcome::Stored(first))
    }

    async fn drop_messages(&self, read: ReadDrop) -> Result<DropPage, Fault> {
        let mut state = self.change();
        let kept = &mut state.dropboxes;
        let mut filling = Filling::new(read);
        let Some(from) = kept.boxes.get_mut(&read.from) else { return Ok(filling.finish().0) };
        let later = from.messages.range((Bound::Excluded(read.after), Bound::Unbounded));
        for (number, content) in later.filter(|(_, content)| content.ends_at > read.now) {
            if !filling.add(DropMessage { number: *number, content: content.clone() }) {
                break;
            }
        }
        let (page, gone) = filling.finish();
        match read.taking {
            Taking::Nothing => {}
            Taking::Texts => {
                let texts = page.messages.iter().filter(|one| one.content.file.is_none());
                texts.for_each(|one| drop(from.messages.remove(&one.number)));
            }
            Taking::All { .. } => {
                page.messages.iter().for_each(|one| drop(from.messages.remove(&one.number)));
            }
        }
        if let Some(ending) = ending(&read, &page).filter(|_| read.after <= from.last_message) {
            from.end(ending, read.now);
        }
        if let Taking::All { files_until } = read.taking {
            kept.end_files(&gone.files, files_until);
        }
        Ok(page)
    }

    async fn drop_message(&self, of: BoxNumber, id: DropId) -> Result<Option<DropMessage>, Fault> {
        let state = self.state();
        let kept = &state.dropboxes;
        let messages = kept.boxes.get(&of).into_iter().flat_map(|filled| &filled.messages);
        let found = messages.into_iter().find(|(_, content)| content.id == id);
        Ok(found.map(|(number, content)| DropMessage { number: *number, content: content.clone() }))
    }

    async fn delete_drop_message(
        &self,
        of: BoxNumber,
        number: i64,
        now: Timestamp,
    ) -> Result<bool, Fault> {
        let mut state = self.change();
        let kept = &mut state.dropboxes;
        let filled = kept.boxes.get_mut(&of);
        let Some(deleted) = filled.and_then(|filled| filled.messages.remove(&number)) else {
            return Ok(false);
        };
        kept.end_files(&files_of([&deleted]), now);
        Ok(true)
    }

    async fn end_drop_message(
        &self,
        of: BoxNumber,
        number: i64,
        ends_at: Timestamp,
    ) -> Result<(), Fault> {
        let mut state = self.change();
        let filled = state.dropboxes.boxes.get_mut(&of);
        if let Some(message) = filled.and_then(|filled| filled.messages.get_mut(&number)) {
            message.ends_at = message.ends_at.min(ends_at);
        }
        Ok(())
    }

    async fn delete_drop_box(&self, number: BoxNumber, now: Timestamp) -> Result<bool, Fault> {
        let mut state = self.change();
        let kept = &mut state.dropboxes;
        let live = kept.boxes.get(&number).is_some_and(|filled| filled.content.ends_at > FREE);
        let Some(deleted) = live.then(|| kept.boxes.remove(&number)).flatten() else {
            return Ok(false);
        };
        kept.end_files(&files_of(deleted.messages.values()), now);
        Ok(true)
    }

    async fn keep_letter(&self, letter: Letter) -> Result<(), Fault> {
        let mut state = self.change();
        let kept = &mut state.dropboxes;
        if let Some(file) = letter.file {
            let found = kept.files.get_mut(&file.id);
            let live = found.filter(|found| found.ends_at > letter.created_at);
            let live = live.ok_or(Fault::NotFound { what: "file" })?;
            *live = Bytes { ends_at: letter.ends_at, is_kept: true };
        }
        kept.letters.push(letter);
        Ok(())
    }

    async fn take_letter(&self, take: TakeLetter) -> Result<Option<Letter>, Fault> {
        let mut state = self.change();
        let kept = &mut state.dropboxes;
        let is_it = |one: &Letter| {
            (one.id, one.version, one.secret) == (take.id, take.version, take.secret)
                && one.ends_at > take.now
        };
        let Some(place) = kept.letters.iter().position(is_it) else { return Ok(None) };
        let taken = kept.letters.remove(place);
        kept.end_files(taken.file.map(|file| file.id).as_slice(), take.file_until);
        Ok(Some(taken))
    }

    async fn open_drop_file(&self, file: NewDropFile) -> Result<(), Fault> {
        let bytes = Bytes { ends_at: file.ends_at, is_kept: false };
        self.change().dropboxes.files.insert(file.id, bytes);
        Ok(())
    }

    async fn end_drop_file(&self, id: AttachmentId) -> Result<(), Fault> {
        let mut state = self.change();
        if let Some(file) = state.dropboxes.files.get_mut(&id).filter(|file| !file.is_kept) {
            file.ends_at = FREE;
        }
        Ok(())
    }

    async fn over_drop_files(
        &self,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<AttachmentId>, Fault> {
        let mut state = self.change();
        let kept = &mut state.dropboxes;
        let over = kept.files.iter_mut().filter(|(_, file)| file.ends_at <= now);
        let ended = over.take(limit as usize).map(|(id, file)| {
            file.ends_at = FREE;
            *id
        });
        Ok(ended.collect())
    }

    async fn forget_drop_files(&self, ids: Vec<AttachmentId>) -> Result<(), Fault> {
        let mut state = self.change();
        let files = &mut state.dropboxes.files;
        files.retain(|id, file| file.ends_at > FREE || !ids.contains(id));
        Ok(())
    }

    async fn drop_files_among(&self, ids: &[AttachmentId]) -> Result<Vec<AttachmentId>, Fault> {
        let state = self.state();
        let files = &state.dropboxes.files;
        Ok(ids.iter().copied().filter(|id| files.contains_key(id)).collect())
    }

    async fn forget_drops(&self, now: Timestamp, limit: u32) -> Result<u64, Fault> {
        let mut state = self.change();
        let kept = &mut state.dropboxes;
        let mut left = limit;
        let mut files = Vec::new();
        for filled in kept.boxes.values_mut() {
            let is_over = filled.content.ends_at <= now;
            filled.messages.retain(|_, message| {
                let goes = (is_over || message.ends_at <= now) && spend(&mut left);
                files.extend(message.file.filter(|_| goes).map(|file| file.id));
                !goes
            });
        }
        kept.letters.retain(|letter| {
            let goes = letter.ends_at <= now && spend(&mut left);
            files.extend(letter.file.filter(|_| goes).map(|file| file.id));
            !goes
        });
        kept.boxes.retain(|_, filled| {
            let is_over = filled.content.ends_at <= now && filled.messages.is_empty();
            !(is_over && spend(&mut left))
        });
        kept.end_files(&files, now);
        Ok(u64::from(limit - left))
    }

    async fn drop_bytes(&self) -> Result<u64, Fault> {
        let state = self.state();
        let kept = &state.dropboxes;
        let boxes = kept.boxes.values().map(|filled| filled.standing().bytes + FOR_ONE);
        let letter = |one: &Letter| one.data.len() as u64 + one.file.map_or(0, |file| file.length);
        Ok(boxes.chain(kept.letters.iter().map(|one| letter(one) + FOR_ONE)).sum())
    }
}

impl Kept {
    fn by_token(&self, token: &BoxToken) -> Option<DropBox> {
        let found = self.boxes.iter().find(|(_, filled)| filled.content.token == *token);
        found.map(|(number, filled)| DropBox { number: *number, content: filled.content.clone() })
    }

    fn end_files(&mut self, ids: &[AttachmentId], at: Timestamp) {
        for (id, file) in &mut self.files {
            if ids.contains(id) && file.ends_at > FREE {
                file.ends_at = at;
            }
        }
    }
}

impl Filled {
    fn with_nothing(content: NewDropBox) -> Self {
        Self { content, is_closed: false, last_message: 0, messages: BTreeMap::default() }
    }

    /// Ends it, if it may end.
    fn end(&mut self, ending: Ending, now: Timestamp) {
        let ends_at = match ending {
            Ending::Now if self.messages.values().any(|message| message.ends_at > now) => return,
            Ending::Now => FREE,
            Ending::At(ends_at) => ends_at,
        };
        self.is_closed = true;
        self.content.lock_at = self.content.lock_at.min(now);
        self.content.ends_at = self.content.ends_at.min(ends_at);
    }

    fn standing(&self) -> Standing {
        Standing {
            lock_at: self.content.lock_at,
            ends_at: self.content.ends_at,
            is_closed: self.is_closed,
            messages: self.messages.len() as u64,
            bytes: self.messages.values().map(NewDropMessage::bytes).sum(),
        }
    }
}

fn files_of<'a>(messages: impl IntoIterator<Item = &'a NewDropMessage>) -> Vec<AttachmentId> {
    messages.into_iter().filter_map(|message| Some(message.file?.id)).collect()
}

/// Whether one more may go.
fn spend(left: &mut u32) -> bool {
    let may_go = *left > 0;
    *left = left.saturating_sub(1);
    may_go
}

//! The rules of drop boxes, on a store in memory.

mod rules;
mod upkeep;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use sealpost::bus::LocalBus;
use sealpost::domain::attachment::Content;
use sealpost::domain::clock::{TestClock, Timestamp};
use sealpost::domain::dropbox::depot::{Drop, NewLetter, Stretch};
use sealpost::domain::dropbox::notifying::Notices;
use sealpost::domain::dropbox::{
    AfterReading, BoxToken, CreatedBox, Depot, DropBox, DropBoxPolicy, Form, NewDropBox,
    SecretDigest, StoredFile, Version,
};
use sealpost::domain::ids::AttachmentId;
use sealpost::domain::measures::Measures;
use sealpost::domain::ports::{Blobs, ByteStream, Incoming, Written};
use sealpost::domain::{Fault, Gateway, Limits};
use sealpost::storage::MemoryStore;

use crate::harness::entropy::TestEntropy;

const START: Timestamp = Timestamp::from_micros(1_700_000_000_000_000);

/// All of a box.
const ALL: Stretch = Stretch { after: 0, limit: 100, bytes: 1 << 20 };

/// Bytes in memory, of which some cannot be removed.
#[derive(Default)]
struct Disk {
    files: Mutex<BTreeMap<AttachmentId, Vec<u8>>>,
    stuck: Mutex<BTreeSet<AttachmentId>>,
}

#[async_trait]
impl Blobs for Disk {
    async fn write(&self, id: AttachmentId, mut incoming: Incoming) -> Result<Written, Fault> {
        let mut bytes = Vec::new();
        while let Some(piece) = incoming.bytes.next().await {
            bytes.extend_from_slice(&piece?);
        }
        let content = Content { length: bytes.len() as u64, digest: [0; 32] };
        self.files.lock().unwrap().insert(id, bytes);
        Ok(Written { given: content, kept: content })
    }

    async fn read(
        &self,
        id: AttachmentId,
        _start: u64,
        _length: u64,
    ) -> Result<Option<ByteStream>, Fault> {
        let bytes = self.files.lock().unwrap().get(&id).cloned();
        Ok(bytes.map(|bytes| stream::iter([Ok(Bytes::from(bytes))]).boxed()))
    }

    async fn remove(&self, ids: &[AttachmentId]) -> Result<(), Fault> {
        for id in ids {
            if self.stuck.lock().unwrap().contains(id) {
                return Err(Fault::unavailable("the disk is old", None));
            }
            self.files.lock().unwrap().remove(id);
        }
        Ok(())
    }

    async fn stored(&self, _part: u16) -> Result<Vec<AttachmentId>, Fault> {
        Ok(self.files.lock().unwrap().keys().copied().collect())
    }
}

/// A depot, its clock and its disk.
struct Scene {
    depot: Depot,
    clock: Arc<TestClock>,
    disk: Arc<Disk>,
}

impl Scene {
    fn new() -> Self {
        Self::with(DropBoxPolicy::default())
    }

    fn with(policy: DropBoxPolicy) -> Self {
        let (clock, disk) = (Arc::new(TestClock::at(START)), Arc::new(Disk::default()));
        let gateway = Gateway {
            store: Arc::new(MemoryStore::new()),
            bus: Arc::new(LocalBus::new()),
            clock: clock.clone(),
            entropy: Arc::new(TestEntropy::new(1)),
            limits: Limits::default(),
            measures: Measures::default(),
        };
        let depot = Depot::new(Arc::new(gateway), disk.clone(), policy, Notices::none());
        Self { depot, clock, disk }
    }

    async fn make(&self, token: BoxToken, after_reading: AfterReading) -> Result<DropBox, Fault> {
        let times = self.depot.times(None, None).unwrap();
        let new = NewDropBox {
            token,
            public_key: vec![1; 44],
            private_key: None,
            kdf: None,
            secret: Some(SecretDigest::of(b"right")),
            created_at: self.depot.now(),
            release_at: None,
            lock_at: times.lock_at,
            ends_at: times.ends_at,
            after_reading,
            notify: None,
        };
        match self.depot.create(new).await? {
            CreatedBox::New(made) => Ok(made),
            CreatedBox::Taken(_) => panic!("the token is taken"),
        }
    }

    async fn receives(&self, from: Option<IpAddr>, bytes: Vec<u8>) -> Result<StoredFile, Fault> {
        let pieces: Vec<_> =
            bytes.chunks(1024).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
        let bytes = stream::iter(pieces).boxed();
        self.depot.receive(Incoming { bytes, announced: None, most: u64::MAX }, from).await
    }
}

fn text(bytes: usize) -> Drop {
    let (encryption_key, data) = (vec![1; 4], vec![2; bytes - 4]);
    let (hash, name) = (None, Vec::new());
    Drop { form: Form::Sealed, encryption_key, data, hash, name, file: None }
}

fn file(stored: StoredFile) -> Drop {
    Drop { form: Form::File, data: Vec::new(), file: Some(stored), ..text(10) }
}

fn letter() -> NewLetter {
    NewLetter {
        version: Version::Two,
        secret: SecretDigest::of(b"right"),
        form: Form::Sealed,
        data: vec![1; 10],
        file: None,
        life: None,
    }
}

fn one() -> BoxToken {
    BoxToken::one([1; 8])
}

fn two() -> BoxToken {
    BoxToken::two([2; 16])
}

fn from(last: u8) -> Option<IpAddr> {
    Some(IpAddr::from([203, 0, 113, last]))
}

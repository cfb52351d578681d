//! Many at once, on two gateways that work on one database: what is counted is counted right, and
//! what there may be once is there once.

use std::collections::HashSet;
use std::sync::Arc;

use futures_util::future::join_all;
use sealpost::domain::Fault;
use sealpost::domain::account::{FirstSession, NewAccount};
use sealpost::domain::attachment::{Allowance, Content, Finished, Kept, NewAttachment, Upload};
use sealpost::domain::conversation::change::{Change, Changed, Edits};
use sealpost::domain::conversation::group::NewGroup;
use sealpost::domain::conversation::notice::Notices;
use sealpost::domain::conversation::{ContactPair, Role};
use sealpost::domain::idempotency::{
    AnswerQuota, Claimed, RequestClaim, RequestKey, RunningRequest,
};
use sealpost::domain::ids::{AttachmentId, CodeId, ConversationId, UserId};
use sealpost::domain::phone::{CodePurpose, NewPhone};
use sealpost::domain::ports::Store;
use sealpost::domain::prekeys::NewPrekeys;
use sealpost::domain::session::Session;
use sealpost::domain::sign_up::{Invite, InviteHash, InviteId, NewInvite, UsedToken};
use sealpost::storage::PostgresStore;
use sealpost::storage::conformance::phone_scene::{
    code_use, is_forbidden, new_code, new_device, new_phone, prekey, prekeys,
};
use sealpost::storage::conformance::scene::{START, Scene, at, key, message_id};
use sealpost_sdk::conversation::contact_conversation_id;

use crate::harness::postgres::Schema;

/// Two gateways' stores.
pub struct Two {
    pub scenes: [Scene; 2],
    _schema: Schema,
}

impl Two {
    pub async fn open() -> Self {
        let schema = Schema::create();
        let open = async || {
            let store = PostgresStore::open(&schema.config()).await.unwrap();
            Scene::new(Arc::new(store) as Arc<dyn Store>)
        };
        Self { scenes: [open().await, open().await], _schema: schema }
    }

    pub fn one(&self) -> &Scene {
        &self.scenes[0]
    }

    /// The store that the `n`th of many asks.
    pub fn of(&self, n: u16) -> &Arc<dyn Store> {
        &self.scenes[usize::from(n % 2)].store
    }

    /// Does `each` for all these numbers at once; returns how many it was done for, and the others'
    /// faults.
    pub async fn at_once<T>(
        &self,
        numbers: std::ops::Range<u16>,
        each: impl AsyncFn(u16) -> Result<T, Fault>,
    ) -> (Vec<T>, Vec<Fault>) {
        let mut done = (Vec::new(), Vec::new());
        for outcome in join_all(numbers.map(|n| each(n))).await {
            match outcome {
                Ok(outcome) => done.0.push(outcome),
                Err(fault) => done.1.push(fault),
            }
        }
        done
    }

    pub async fn close(self) {
        for scene in &self.scenes {
            scene.store.close().await;
        }
    }
}

pub fn all_conflict(faults: &[Fault], with: &str) -> bool {
    faults.iter().all(|fault| matches!(fault, Fault::Conflict { field, .. } if *field == with))
}

fn newcomer(n: u16, signing_key: u16) -> NewAccount {
    let session = FirstSession { signing_key: key(signing_key), ..Scene::first_session(n) };
    NewAccount { sessions: vec![session], ..Scene::new_account(n) }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the PostgreSQL server that scripts/test.sh starts"]
async fn an_account_has_no_more_sessions_than_its_limit_however_many_sign_in_at_once() {
    let two = Two::open().await;
    let account = two.one().account(1).await;
    let sign_in =
        async |n| two.of(n).sign_in(Scene::new_session(&account, n), 16, message_id(n)).await;
    let (signed_in, refused) = two.at_once(1..21, sign_in).await;
    assert!(all_conflict(&refused, "sessions"), "{refused:?}");
    assert_eq!((signed_in.len(), refused.len()), (16, 4));
    let roster = two.one().roster(account.id).await;
    assert_eq!((roster.members.len(), roster.generation), (16, 16));
    two.close().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the PostgreSQL server that scripts/test.sh starts"]
async fn a_key_and_a_name_belong_to_the_first_of_many_at_once() {
    let two = Two::open().await;
    let (_, refused) =
        two.at_once(1..11, async |n| two.of(n).create_account(newcomer(n, 1)).await).await;
    assert!(all_conflict(&refused, "public_key"), "{refused:?}");
    assert_eq!(refused.len(), 9);

    let named = async |n| {
        let account = Scene::new_account(n);
        let external_name = "7000000001".to_owned();
        two.of(n).create_account(NewAccount { external_name, ..account }).await
    };
    let (_, refused) = two.at_once(100..110, named).await;
    assert!(all_conflict(&refused, "identity_number"), "{refused:?}");
    assert_eq!(refused.len(), 9);
    two.close().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the PostgreSQL server that scripts/test.sh starts"]
async fn an_invitation_lets_in_as_many_as_it_says_of_many_at_once() {
    let two = Two::open().await;
    let (id, hash) = (InviteId::from_bytes([1; 16]), InviteHash::of("code"));
    let invite = Invite { id, uses: 10, used: 0, created_at: START, expires_at: at(10) };
    two.one().store.add_invite(NewInvite { invite, hash }).await.unwrap();
    let sign_up = async |n| {
        let token = UsedToken::new(&key(n), "one", "this", at(60));
        two.of(n).sign_up(newcomer(n, n), token, Some(InviteHash::of("code"))).await
    };
    let (made, refused) = two.at_once(1..51, sign_up).await;
    assert_eq!((made.len(), refused.len()), (10, 40));
    assert!(refused.iter().all(|it| matches!(it, Fault::Forbidden { .. })), "{refused:?}");
    assert_eq!(two.one().store.invites(None, 2).await.unwrap()[0].used, 10);
    assert_eq!(two.one().store.list_accounts(None, 50).await.unwrap().len(), 10);
    two.close().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the PostgreSQL server that scripts/test.sh starts"]
async fn a_token_is_accepted_once_however_many_bring_it_at_once() {
    let two = Two::open().await;
    let token = UsedToken::new(&key(1), "one", "this", at(60));
    let (accepted, refused) = two.at_once(0..20, async |n| two.of(n).use_token(token).await).await;
    assert_eq!((accepted.len(), refused.len()), (1, 19));
    assert!(refused.iter().all(|it| matches!(it, Fault::Unauthorized { .. })), "{refused:?}");
    two.close().await;
}

/// A group of one.
async fn group(two: &Two, owner: &Session) -> Change {
    let notices = || Notices {
        sender: owner.account,
        sender_session: owner.number,
        at: START,
        expires_at: at(100),
        list: Vec::new(),
        quota: Scene::quota(10_000, START),
    };
    let id = ConversationId::from_bytes([5; 16]);
    let new = NewGroup {
        id,
        creator: owner.account,
        name: "Team".to_owned(),
        announcement: String::new(),
        code: CodeId::from_bytes([1; 16]),
        participants: vec![(owner.account, Role::Owner)],
        notices: notices(),
    };
    assert_eq!(two.one().store.create_group(new).await.unwrap(), Changed::Made(Vec::new()));
    let found = two.one().store.fresh_conversations(&[id]).await.unwrap().remove(0);
    let (conversation, generation) = (found.number, found.generation);
    Change { conversation, id, generation, edits: Edits::default(), notices: notices() }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the PostgreSQL server that scripts/test.sh starts"]
async fn of_many_changes_that_were_decided_at_one_moment_one_is_made() {
    let two = Two::open().await;
    let owner = two.one().device(1).await;
    let mut others = Vec::new();
    for n in 2..12 {
        others.push(two.one().device(n).await);
    }
    let change = group(&two, &owner).await;
    let adding = async |n: u16| {
        let mut change = change.clone();
        change.edits.add = vec![(others[usize::from(n)].account, Role::Member)];
        two.of(n).change_conversation(change).await
    };
    let (outcomes, faults) = two.at_once(0..10, adding).await;
    assert!(faults.is_empty(), "{faults:?}");
    let made = outcomes.iter().filter(|it| matches!(it, Changed::Made(_))).count();
    assert_eq!((made, outcomes.len()), (1, 10), "{outcomes:?}");
    let found = two.one().store.fresh_conversations(&[change.id]).await.unwrap().remove(0);
    assert_eq!((found.participants.len(), found.generation), (2, change.generation + 1));
    two.close().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the PostgreSQL server that scripts/test.sh starts"]
async fn contacts_are_made_once_whoever_asks_and_in_whatever_order() {
    let two = Two::open().await;
    let bot = two.one().account(1).await;
    let mut pairs = Vec::new();
    for n in 2..22 {
        let other = two.one().account(n).await;
        let id = contact_conversation_id(bot.id, other.id);
        pairs.push(ContactPair { id, creator: bot.number, other: other.number });
    }
    let ensure = async |n: u16| {
        let mut asked = pairs.clone();
        asked.rotate_left(usize::from(n));
        let mut numbers = two.of(n).ensure_contacts(&asked, START).await?;
        numbers.rotate_right(usize::from(n));
        Ok(numbers)
    };
    let (made, faults) = two.at_once(0..16, ensure).await;
    assert!(faults.is_empty(), "{faults:?}");
    assert!(made.iter().all(|numbers| *numbers == made[0]), "{made:?}");
    let different: HashSet<_> = made[0].iter().collect();
    assert_eq!(different.len(), 20);
    two.close().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the PostgreSQL server that scripts/test.sh starts"]
async fn a_request_is_claimed_by_one_of_many_at_once() {
    let two = Two::open().await;
    let account = two.one().account(1).await.number;
    let claim = async |n: u16| {
        let key = RequestKey { account, hash: [1; 32] };
        let running = RunningRequest { key, claim: [n.to_le_bytes()[0]; 16] };
        let (claimed_until, expires_at) = (at(10), at(100));
        let (digest, now) = ([1; 32], START);
        let quota = AnswerQuota { requests: 20, bytes: 1 << 30 };
        let claim = RequestClaim { running, digest, now, claimed_until, expires_at, quota };
        two.of(n).claim_request(claim).await
    };
    let (outcomes, faults) = two.at_once(0..20, claim).await;
    assert!(faults.is_empty(), "{faults:?}");
    let first = outcomes.iter().filter(|it| **it == Claimed::First).count();
    let running = outcomes.iter().filter(|it| **it == Claimed::Running).count();
    assert_eq!((first, running), (1, 19));
    two.close().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the PostgreSQL server that scripts/test.sh starts"]
async fn uploads_that_end_at_once_share_their_accounts_room() {
    let two = Two::open().await;
    let owner = two.one().account(1).await.number;
    let id = |n: u16| AttachmentId::from_bytes([n.to_le_bytes()[0]; 16]);
    let open = async |n| {
        let new = NewAttachment { id: id(n), owner, created_at: START, expires_at: at(60) };
        two.of(n).open_attachment(new, 12).await
    };
    let (opened, refused) = two.at_once(0..20, open).await;
    assert_eq!((opened.len(), refused.len()), (12, 8), "{refused:?}");

    let finish = async |n: u16| {
        let content = Content { length: 100, digest: [1; 32] };
        let (id, expires_at) = (opened[usize::from(n)].id, at(3600));
        let allowance = Allowance { files: 100, bytes: Some(500) };
        let upload = Upload { id, content, now: START, expires_at, allowance };
        two.of(n).finish_attachment(upload).await
    };
    let (finished, faults) = two.at_once(0..12, finish).await;
    assert!(faults.is_empty(), "{faults:?}");
    let kept = finished.iter().filter(|it| matches!(it, Finished::Kept(_))).count();
    assert_eq!((kept, finished.len()), (5, 12));
    let kept = two.one().store.attachments_kept(owner, 100).await.unwrap();
    assert_eq!(kept, Kept { files: 5, bytes: 500 });
    two.close().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the PostgreSQL server that scripts/test.sh starts"]
async fn who_follows_the_changes_of_rosters_misses_none_of_many_at_once() {
    let two = Two::open().await;
    let bot = two.one().device(1).await;
    let mut accounts = Vec::new();
    for n in 2..22 {
        let account = two.one().account(n).await;
        let id = contact_conversation_id(bot.user, account.id);
        let pair = ContactPair { id, creator: bot.account, other: account.number };
        two.one().store.ensure_contacts(&[pair], START).await.unwrap();
        accounts.push(account);
    }
    let start = two.one().store.newest_change().await.unwrap();
    let sign_in = async |n: u16| {
        let session = Scene::new_session(&accounts[usize::from(n)], 100 + n);
        two.of(n).sign_in(session, 16, message_id(n)).await
    };
    let follow = async {
        let (mut cursor, mut users) = (start, Vec::<UserId>::new());
        while users.len() < accounts.len() {
            let found = two.one().store.changed_contacts(bot.account, cursor, 3).await.unwrap();
            cursor = found.cursor;
            users.extend(found.users);
        }
        users
    };
    let follow = tokio::time::timeout(std::time::Duration::from_secs(60), follow);
    let ((signed_in, faults), users) = tokio::join!(two.at_once(0..20, sign_in), follow);
    assert!(faults.is_empty(), "{faults:?}");
    let mut users = users.expect("everybody is told of");
    users.sort_unstable();
    let mut all: Vec<UserId> = accounts.iter().map(|account| account.id).collect();
    all.sort_unstable();
    assert_eq!((users, signed_in.len()), (all, 20));
    two.close().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the PostgreSQL server that scripts/test.sh starts"]
async fn a_code_registers_one_phone_however_many_try_it_at_once() {
    let two = Two::open().await;
    two.one().store.put_code(new_code(CodePurpose::Register, 1, 7)).await.unwrap();
    let register = async |n| {
        let code = Some(code_use(CodePurpose::Register, 1, 7));
        let new = NewPhone { device: new_device(n), code, ..new_phone(1) };
        two.of(n).register_phone(new).await
    };
    let (registered, refused) = two.at_once(1..17, register).await;
    assert_eq!((registered.len(), refused.len()), (1, 15));
    assert!(refused.into_iter().all(|fault| is_forbidden::<()>(&Err(fault))));
    assert_eq!(two.one().known_phone(1).await.devices.len(), 1);
    two.close().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the PostgreSQL server that scripts/test.sh starts"]
async fn a_prekey_is_given_out_once_by_whichever_gateway() {
    let two = Two::open().await;
    let device = two.one().phone(1).await.devices[0].session;
    let last_resort = Some(prekey(0xff_ffff));
    let left = NewPrekeys { last_resort, ..prekeys(device, 1..101) };
    two.one().store.replace_prekeys(left).await.unwrap();
    let take = async |n| two.of(n).take_prekeys(&[device]).await;
    let (taken, refused) = two.at_once(1..129, take).await;
    assert!(refused.is_empty(), "{refused:?}");
    let taken = taken.iter().flatten().filter_map(|it| it.prekey.as_ref());
    let mut ids: Vec<i64> = taken.map(|prekey| prekey.id).collect();
    ids.sort_unstable();
    assert_eq!((ids.len(), &ids[100..]), (128, &[0xff_ffff; 28][..]));
    assert!(ids[..100].iter().copied().eq(1..101), "{ids:?}");
    two.close().await;
}

/// Whoever registers again and whoever leaves prekeys, or takes some, wait for each other.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the PostgreSQL server that scripts/test.sh starts"]
async fn prekeys_never_outlive_their_device_whatever_happens_at_once() {
    let two = Two::open().await;
    for round in 0..8 {
        let device = two.one().phone(round * 100).await.devices[0].session;
        let act = async |n: u16| match n % 4 {
            0 if n == 4 => {
                let new =
                    NewPhone { device: new_device(round * 100 + n), ..new_phone(round * 100) };
                two.of(n / 4).register_phone(new).await.map(drop)
            }
            0 | 1 => two.of(n / 4).replace_prekeys(prekeys(device, 1..20)).await,
            _ => two.of(n / 4).take_prekeys(&[device]).await.map(drop),
        };
        let (_, refused) = two.at_once(1..17, act).await;
        assert!(refused.is_empty(), "{refused:?}");
        assert_eq!(two.one().store.count_prekeys(device).await.unwrap(), 0);
    }
    two.close().await;
}

//! Work in the background: dropping what nobody waits for or what was not read in time, a little at
//! a time.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::domain::ids::Order;
use crate::domain::inbox::{IDS_REMEMBERED, OLDEST_MESSAGE};
use crate::domain::{Fault, Gateway};
use crate::http::fault_log::chain;

/// Between two rounds.
const PAUSE: Duration = Duration::from_secs(5);

/// Between two rounds when the first has not come to an end.
const SHORT_PAUSE: Duration = Duration::from_millis(100);

/// After a step the background rests so many times as long as the step took. So it has at most a
/// quarter of the writer, of the server and of the disk, however slow they are; and whoever comes
/// meanwhile waits for one step, not for all of a round.
const REST: u32 = 3;

/// Rows in one transaction: few enough that requests beside it notice nothing.
const STEP: u32 = 500;

/// Transactions of each kind in one round.
const STEPS: u32 = 20;

/// The longest time for which the settings let a member without a device have its name.
const IDLE_LIFE: Duration = Duration::from_secs(24 * 60 * 60);

/// Sweeps for ever; the caller ends it by dropping it.
pub async fn run(gateway: Arc<Gateway>) {
    let mut walk = None;
    let mut pause = PAUSE;
    loop {
        // Before the first round as well: a command that is done in a moment never gets further.
        sleep(pause).await;
        pause = match round(&gateway, &mut walk).await {
            Progress::Behind => SHORT_PAUSE,
            Progress::Done => PAUSE,
        };
    }
}

/// Does a step, and rests. What fails is not waited for: a database that was out of reach for long
/// would be left alone for as long again.
async fn step<T>(work: impl Future<Output = Result<T, Fault>>) -> Result<T, Fault> {
    let began = Instant::now();
    let outcome = work.await?;
    sleep(began.elapsed() * REST).await;
    Ok(outcome)
}

/// How far a round came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Progress {
    /// There was more to drop than a round may.
    Behind,
    /// Nothing is urgent.
    Done,
}

async fn round(gateway: &Gateway, walk: &mut Option<Order>) -> Progress {
    let parts = [
        ("sweep the oldest messages", sweep_oldest(gateway).await),
        ("clear the inboxes of ended sessions", clear_ended(gateway).await),
        ("sweep messages", sweep_on(gateway, walk).await),
        ("forget old message ids", forget_seen(gateway).await),
        ("close top-ups", close_top_ups(gateway).await),
        ("forget answered requests", forget_requests(gateway).await),
        ("forget used tokens", forget_used_tokens(gateway).await),
        ("forget old codes", forget_codes(gateway).await),
        ("forget what members left", forget_members_things(gateway).await),
    ];
    let progress = parts.map(|(part, outcome)| {
        // Nothing is lost, and nothing else waits for it: the next round begins where this one did.
        outcome.unwrap_or_else(|fault| {
            tracing::warn!("upkeep could not {part}: {}", chain(&fault));
            Progress::Done
        })
    });
    if progress.contains(&Progress::Behind) { Progress::Behind } else { Progress::Done }
}

/// The oldest messages first: they are those that expire, and most of those that were read.
async fn sweep_oldest(gateway: &Gateway) -> Result<Progress, Fault> {
    let mut place = Some(OLDEST_MESSAGE);
    for _ in 0..STEPS {
        let swept = step(gateway.sweep(place, STEP)).await?;
        if swept.next.is_none() || !swept.did_something() {
            return Ok(Progress::Done);
        }
        place = swept.next;
    }
    Ok(Progress::Behind)
}

/// Then some steps of a walk along all of them, which ends where it began. It is behind only if it
/// finds much: a walk past messages that still wait has time.
async fn sweep_on(gateway: &Gateway, walk: &mut Option<Order>) -> Result<Progress, Fault> {
    let mut progress = Progress::Behind;
    for _ in 0..STEPS {
        let swept = step(gateway.sweep(*walk, STEP)).await?;
        *walk = swept.next;
        if !swept.did_something() {
            progress = Progress::Done;
        }
        if walk.is_none() {
            return Ok(Progress::Done);
        }
    }
    Ok(progress)
}

async fn clear_ended(gateway: &Gateway) -> Result<Progress, Fault> {
    for _ in 0..STEPS {
        if !step(gateway.clear_ended(STEP)).await? {
            return Ok(Progress::Done);
        }
    }
    Ok(Progress::Behind)
}

async fn close_top_ups(gateway: &Gateway) -> Result<Progress, Fault> {
    for _ in 0..STEPS {
        if step(gateway.close_top_ups(STEP)).await? < u64::from(STEP) {
            return Ok(Progress::Done);
        }
    }
    Ok(Progress::Behind)
}

async fn forget_requests(gateway: &Gateway) -> Result<Progress, Fault> {
    for _ in 0..STEPS {
        if step(gateway.forget_requests(STEP)).await? < u64::from(STEP) {
            return Ok(Progress::Done);
        }
    }
    Ok(Progress::Behind)
}

async fn forget_seen(gateway: &Gateway) -> Result<Progress, Fault> {
    let life = gateway.limits.message_life.max(IDS_REMEMBERED);
    let before = gateway.clock.now().minus(life);
    for _ in 0..STEPS {
        if step(gateway.store.forget_seen(before, STEP)).await? < u64::from(STEP) {
            return Ok(Progress::Done);
        }
    }
    Ok(Progress::Behind)
}

async fn forget_used_tokens(gateway: &Gateway) -> Result<Progress, Fault> {
    for _ in 0..STEPS {
        let now = gateway.clock.now();
        if step(gateway.store.forget_used_tokens(now, STEP)).await? < u64::from(STEP) {
            return Ok(Progress::Done);
        }
    }
    Ok(Progress::Behind)
}

async fn forget_codes(gateway: &Gateway) -> Result<Progress, Fault> {
    for _ in 0..STEPS {
        let now = gateway.clock.now();
        if step(gateway.store.forget_codes(now, STEP)).await? < u64::from(STEP) {
            return Ok(Progress::Done);
        }
    }
    Ok(Progress::Behind)
}

/// Members that never had a device; tokens, prekeys, introductions and receipts whose time is over;
/// numbers of other gateways, letters for them, and members there who have come to nothing: these go
/// whether there still are any others or not.
async fn forget_members_things(gateway: &Gateway) -> Result<Progress, Fault> {
    let store = &gateway.store;
    for _ in 0..STEPS {
        let now = gateway.clock.now();
        let forgotten = [
            step(store.forget_enrolments(now, STEP)).await?,
            step(store.forget_idle_members(now.minus(IDLE_LIFE), STEP)).await?,
            step(store.forget_taken_keys(now, STEP)).await?,
            step(store.forget_introductions(now, STEP)).await?,
            step(store.forget_nonces(now, STEP)).await?,
            step(store.forget_letters(now, STEP)).await?,
            step(store.forget_guests(now, STEP)).await?.len() as u64,
            step(store.forget_receipts(now.minus(gateway.limits.message_life), STEP)).await?,
        ];
        if forgotten.iter().all(|forgotten| *forgotten < u64::from(STEP)) {
            return Ok(Progress::Done);
        }
    }
    Ok(Progress::Behind)
}

#[cfg(test)]
mod tests {
    use futures_util::StreamExt;

    use super::*;
    use crate::app::entropy::SystemEntropy;
    use crate::bus::LocalBus;
    use crate::domain::Limits;
    use crate::domain::clock::TestClock;
    use crate::domain::inbox::SYSTEM_GAP;
    use crate::domain::measures::Measures;
    use crate::domain::phone::{CodePurpose, CodeTry, NewCode, PhoneNumber, Window};
    use crate::domain::ports::Hint;
    use crate::domain::session::Session;
    use crate::domain::sign_up::UsedToken;
    use crate::domain::vault::Sealed;
    use crate::storage::MemoryStore;
    use crate::storage::conformance::scene::{START, Scene, inbox_of};

    const LIFE: Duration = Duration::from_secs(7 * 24 * 3600);

    /// A gateway in which so many messages wait for a phone.
    async fn gateway(messages: u16) -> (Gateway, Arc<TestClock>, Session) {
        gateway_on(Arc::new(MemoryStore::new()), messages).await
    }

    async fn gateway_on(
        store: Arc<MemoryStore>,
        messages: u16,
    ) -> (Gateway, Arc<TestClock>, Session) {
        let scene = Scene::new(store.clone());
        let (bot, phone) = (scene.device(1).await, scene.device(2).await);
        for n in 1..=messages {
            scene.send(&bot, &[&phone], n).await;
        }
        let clock = Arc::new(TestClock::at(START));
        let gateway = Gateway {
            store,
            bus: Arc::new(LocalBus::new()),
            clock: clock.clone(),
            entropy: Arc::new(SystemEntropy::new().unwrap()),
            limits: Limits::default(),
            measures: Measures::default(),
        };
        (gateway, clock, phone)
    }

    #[tokio::test(start_paused = true)]
    async fn the_background_rests_three_times_as_long_as_it_works() {
        let began = Instant::now();
        let work = |outcome| async move {
            sleep(Duration::from_secs(4)).await;
            outcome
        };
        step(work(Ok(()))).await.unwrap();
        assert_eq!(began.elapsed(), Duration::from_secs(16));
        step(work(Err(Fault::Malformed { reason: String::new() }))).await.unwrap_err();
        assert_eq!(began.elapsed(), Duration::from_secs(20), "nor does it after a failure");
    }

    #[tokio::test]
    async fn the_oldest_messages_expire_wherever_the_walk_is() {
        let (gateway, clock, phone) = gateway(3).await;
        let mut walk = Some(Order(1_000_000));
        clock.advance(LIFE);
        assert_eq!(round(&gateway, &mut walk).await, Progress::Done);
        let waiting = gateway.lease(inbox_of(&phone), 10, None).await.unwrap();
        assert_eq!((waiting.len(), waiting[0].category.as_str()), (1, SYSTEM_GAP));
    }

    #[tokio::test]
    async fn who_waits_is_told_of_the_marker() {
        let (gateway, clock, phone) = gateway(1).await;
        let mut hints = gateway.bus.subscribe();
        clock.advance(LIFE);
        round(&gateway, &mut None).await;
        assert_eq!(hints.next().await, Some(Hint::Wake([phone.number].into())));
    }

    #[tokio::test]
    async fn a_used_token_is_kept_until_it_is_worth_nothing() {
        let (gateway, clock, phone) = gateway(0).await;
        let end = START.plus(Duration::from_secs(60));
        let token = UsedToken::new(&phone.signing_key, "one", "request", end);
        gateway.store.use_token(token).await.unwrap();
        round(&gateway, &mut None).await;
        assert!(gateway.store.use_token(token).await.is_err());
        clock.advance(Duration::from_secs(60));
        round(&gateway, &mut None).await;
        assert!(gateway.store.use_token(token).await.is_ok());
    }

    #[tokio::test]
    async fn what_fails_keeps_nothing_else_from_being_done() {
        let store = Arc::new(MemoryStore::new());
        let (gateway, clock, phone) = gateway_on(store.clone(), 0).await;
        let token = UsedToken::new(
            &phone.signing_key,
            "one",
            "request",
            START.plus(Duration::from_secs(1)),
        );
        gateway.store.use_token(token).await.unwrap();
        store.fail_to_clear();
        clock.advance(Duration::from_secs(1));
        assert_eq!(round(&gateway, &mut None).await, Progress::Done);
        assert!(gateway.store.use_token(token).await.is_ok(), "it was forgotten");
    }

    #[tokio::test]
    async fn a_code_is_forgotten_when_its_time_is_over() {
        let (gateway, clock, _) = gateway(0).await;
        let number = PhoneNumber::parse("+14152222222").unwrap();
        let code = NewCode {
            purpose: CodePurpose::Register,
            number: number.clone(),
            code: Sealed(vec![1]),
            outbox: None,
            created_at: START,
            expires_at: START.plus(Duration::from_secs(60)),
            window: Window { ends_at: START.plus(Duration::from_secs(90)), most: 1 },
        };
        gateway.store.put_code(code).await.unwrap();
        // As if no time had passed: whether it is still on file.
        let is_kept = async || {
            let purpose = CodePurpose::Register;
            let (number, now) = (number.clone(), START);
            let window = Window { ends_at: START, most: 9 };
            let attempt = CodeTry { purpose, number, now, most: 9, window };
            gateway.store.try_code(attempt).await.unwrap().is_some()
        };
        round(&gateway, &mut None).await;
        assert!(is_kept().await);
        clock.advance(Duration::from_secs(89));
        round(&gateway, &mut None).await;
        assert!(is_kept().await, "what was counted is not over");
        clock.advance(Duration::from_secs(1));
        round(&gateway, &mut None).await;
        assert!(!is_kept().await);
    }

    #[tokio::test]
    async fn a_quiet_gateway_is_left_alone() {
        let (gateway, _, phone) = gateway(3).await;
        assert_eq!(round(&gateway, &mut None).await, Progress::Done);
        assert_eq!(gateway.lease(inbox_of(&phone), 10, None).await.unwrap().len(), 3);
    }
}

//! Stories about prekeys.

use std::collections::BTreeSet;

use futures_util::future::join_all;

use super::phone_scene::{prekey, prekeys, signed_prekey};
use super::scene::{Scene, at};
use crate::domain::ids::SessionNumber;
use crate::domain::phone::DeviceNumber;
use crate::domain::prekeys::{Identity, NewPrekeys, Prekey, TakenPrekey};

impl Scene {
    /// The first device of the phone numbered `n`, which registers.
    async fn first_device(&self, n: u16) -> SessionNumber {
        self.phone(n).await.devices[0].session
    }

    async fn take(&self, session: SessionNumber) -> TakenPrekey {
        let mut taken = self.store.take_prekeys(&[session]).await.unwrap();
        assert_eq!(taken.len(), 1);
        taken.remove(0)
    }

    async fn take_id(&self, session: SessionNumber) -> Option<i64> {
        self.take(session).await.prekey.map(|prekey| prekey.id)
    }
}

fn with_last_resort(session: SessionNumber, ids: &[i64]) -> NewPrekeys {
    let last_resort = Some(prekey(0xff_ffff));
    NewPrekeys { last_resort, ..prekeys(session, ids.iter().copied()) }
}

pub(super) async fn prekeys_are_given_out_in_order_and_then_the_last_resort(scene: Scene) {
    let session = scene.first_device(1).await;
    assert_eq!(scene.take_id(session).await, None);
    // The last resort is what was left as such, whatever the numbers are.
    let left = with_last_resort(session, &[0x100_0000, 7, 30, -2]);
    scene.store.replace_prekeys(left).await.unwrap();
    assert_eq!(scene.store.count_prekeys(session).await.unwrap(), 4);
    assert_eq!(scene.take(session).await.prekey, Some(prekey(-2)));
    assert_eq!(scene.store.count_prekeys(session).await.unwrap(), 3);
    for expected in [7, 30, 0x100_0000, 0xff_ffff, 0xff_ffff] {
        assert_eq!(scene.take_id(session).await, Some(expected));
    }
    assert_eq!(scene.store.count_prekeys(session).await.unwrap(), 0);
}

pub(super) async fn of_two_with_one_number_both_are_given_out(scene: Scene) {
    let session = scene.first_device(1).await;
    let mut left = with_last_resort(session, &[5, 5, 4]);
    left.ordinary[0].public_key = "first".to_owned();
    left.ordinary[1].public_key = "second".to_owned();
    scene.store.replace_prekeys(left).await.unwrap();
    assert_eq!(scene.take_id(session).await, Some(4));
    for key in ["first", "second"] {
        let expected = Prekey { id: 5, public_key: key.to_owned() };
        assert_eq!(scene.take(session).await.prekey, Some(expected));
    }
    assert_eq!(scene.take_id(session).await, Some(0xff_ffff));
}

pub(super) async fn prekeys_take_the_place_of_the_earlier_ones(scene: Scene) {
    let phone = scene.phone(1).await;
    let session = phone.devices[0].session;
    let identity = |key: &str| Some(Identity { account: phone.account, key: key.to_owned() });
    let mut left = with_last_resort(session, &[1, 2, 3]);
    left.identity = identity("first");
    scene.store.replace_prekeys(left).await.unwrap();
    let known = scene.known_phone(1).await;
    assert_eq!(known.identity_key.as_deref(), Some("first"));
    scene.store.replace_prekeys(prekeys(session, 1000..1300)).await.unwrap();
    assert_eq!(scene.store.count_prekeys(session).await.unwrap(), 300);
    assert_eq!(scene.take_id(session).await, Some(1000));
    assert_eq!(scene.known_phone(1).await.identity_key.as_deref(), Some("first"), "it stays");
    let mut none = prekeys(session, []);
    none.identity = identity("second");
    scene.store.replace_prekeys(none).await.unwrap();
    assert_eq!(scene.known_phone(1).await.identity_key.as_deref(), Some("second"));
    assert_eq!(scene.take(session).await.identity.as_deref(), Some("second"));
    assert_eq!(scene.take_id(session).await, None, "the last resort went as well");
}

pub(super) async fn prekeys_of_several_devices_come_in_their_order(scene: Scene) {
    let (one, other) = (scene.first_device(1).await, scene.first_device(2).await);
    scene.store.replace_prekeys(prekeys(one, [1, 2])).await.unwrap();
    scene.store.replace_prekeys(prekeys(other, [11])).await.unwrap();
    let nobody = SessionNumber(99);
    let taken = scene.store.take_prekeys(&[other, nobody, one, one]).await.unwrap();
    let taken: Vec<_> =
        taken.into_iter().map(|it| (it.session, it.prekey.map(|prekey| prekey.id))).collect();
    assert_eq!(taken, [(other, Some(11)), (nobody, None), (one, Some(1)), (one, Some(2))]);
    assert!(scene.store.take_prekeys(&[]).await.unwrap().is_empty());
}

pub(super) async fn no_prekey_is_given_out_twice(scene: Scene) {
    let session = scene.first_device(1).await;
    let ordinary: Vec<i64> = (1..=100).collect();
    scene.store.replace_prekeys(with_last_resort(session, &ordinary)).await.unwrap();
    let taker = async || [scene.take_id(session).await, scene.take_id(session).await];
    let taken = join_all((0..64).map(|_| taker())).await;
    let taken: Vec<i64> = taken.into_iter().flatten().flatten().collect();
    assert_eq!(taken.len(), 128, "everybody got one each time");
    let last_resort = taken.iter().filter(|id| **id == 0xff_ffff).count();
    assert_eq!(last_resort, 28);
    let distinct: BTreeSet<i64> = taken.into_iter().filter(|id| *id <= 100).collect();
    assert_eq!(distinct.len(), 100);
}

pub(super) async fn a_signed_prekey_is_kept_until_there_is_another(scene: Scene) {
    let session = scene.first_device(1).await;
    assert_eq!(scene.store.signed_prekey(session).await.unwrap(), None);
    let mut left = prekeys(session, [1]);
    left.signed = Some(signed_prekey(1));
    scene.store.replace_prekeys(left).await.unwrap();
    scene.store.replace_prekeys(prekeys(session, [2, 3])).await.unwrap();
    assert_eq!(scene.store.signed_prekey(session).await.unwrap(), Some(signed_prekey(1)));
    scene.store.put_signed_prekey(session, signed_prekey(2)).await.unwrap();
    assert_eq!(scene.store.signed_prekey(session).await.unwrap(), Some(signed_prekey(2)));
    let taken = scene.take(session).await;
    assert_eq!((taken.prekey, taken.signed), (Some(prekey(2)), Some(signed_prekey(2))));
    assert_eq!(scene.take(session).await.signed, Some(signed_prekey(2)), "it is never used up");
}

pub(super) async fn an_ended_device_keeps_no_prekeys(scene: Scene) {
    let phone = scene.phone(1).await;
    scene.link(1, 2).await.unwrap();
    let linked = scene.known_phone(1).await.devices[1].session;
    let left = |identity| {
        let signed = Some(signed_prekey(1));
        NewPrekeys { signed, identity, ..with_last_resort(linked, &[1, 2]) }
    };
    scene.store.replace_prekeys(left(None)).await.unwrap();
    let first = phone.devices[0].session;
    scene.store.unlink_device(phone.account, DeviceNumber(2), first, at(1)).await.unwrap();
    for _ in ["after its end", "and nothing comes back"] {
        assert_eq!(scene.store.count_prekeys(linked).await.unwrap(), 0);
        assert_eq!(scene.store.signed_prekey(linked).await.unwrap(), None);
        let taken = scene.take(linked).await;
        assert_eq!((taken.prekey, taken.signed), (None, None));
        let identity = Identity { account: phone.account, key: "late".to_owned() };
        scene.store.replace_prekeys(left(Some(identity))).await.unwrap();
        scene.store.put_signed_prekey(linked, signed_prekey(2)).await.unwrap();
    }
    assert_eq!(scene.known_phone(1).await.identity_key, None);
}

//! A story of two people with phones, told in every way in which phones are reached: at one gateway,
//! and with each of them at a gateway of their own.

mod handset;
mod sealing;
mod wire;

use axum::http::Method;

use self::handset::{Contact, Habits, Handset, KeyEdition};
use self::sealing::{AttachmentPointer, Keys, PushMessageContent};
use self::wire::{Way, go};
use super::federation::{Pair, pair};
use super::letters::{ANNA, BERT, unlimited};
use crate::harness::TestApp;

/// Where the two are.
enum World {
    One(Box<TestApp>),
    Two(Box<Pair>),
}

impl World {
    fn of_anna(&self) -> &TestApp {
        match self {
            Self::One(app) => app,
            Self::Two(pair) => &pair.here,
        }
    }

    fn of_bert(&self) -> &TestApp {
        match self {
            Self::One(app) => app,
            Self::Two(pair) => &pair.there,
        }
    }

    /// A number as the other one writes to it.
    fn contact(&self, number: &'static str) -> Contact {
        let gateway = if number == ANNA { "here" } else { "there" };
        Contact { number, relay: matches!(self, Self::Two(_)).then_some(gateway) }
    }
}

/// Somebody with all the devices of their phone.
struct Person<'a>(&'static str, Vec<Handset<'a>>);

/// A message from the device at `place` of one to all of another: the statuses of the attempts, the
/// kinds in which the devices get it, and what it says. No receipt leaves a gateway.
async fn tell(
    world: &World,
    from: (&mut Person<'_>, usize),
    to: &mut Person<'_>,
    content: &PushMessageContent,
) -> (Vec<u16>, Vec<i32>) {
    let (speaker, place) = from;
    let statuses = speaker.1[place].send(world.contact(to.0), content).await;
    let (mut kinds, mut times) = (Vec::new(), Vec::new());
    for device in &mut to.1 {
        let heard = device.hear().await;
        assert_eq!(heard.relay.as_deref(), world.contact(speaker.0).relay);
        assert_eq!(&heard.content, content);
        kinds.push(heard.kind);
        times.push(heard.timestamp);
    }
    for device in speaker.1.iter_mut().filter(|_| matches!(world, World::One(_))) {
        for time in &times {
            device.see_receipt(to.0, *time).await;
        }
    }
    (statuses, kinds)
}

fn text(body: &str) -> PushMessageContent {
    PushMessageContent { body: Some(body.to_owned()), attachments: Vec::new() }
}

async fn story(world: World, anna: Habits, bert: Habits) {
    let mut ann = Person(ANNA, vec![Handset::register(world.of_anna(), ANNA, anna, 11).await]);
    let mut ber = Person(BERT, vec![Handset::register(world.of_bert(), BERT, bert, 12).await]);
    let world = &world;

    let first = tell(world, (&mut ann, 0), &mut ber, &text("hello")).await;
    assert_eq!(first, (vec![200], vec![3]), "it brings a prekey");
    let answer = tell(world, (&mut ber, 0), &mut ann, &text("who is it?")).await;
    assert_eq!(answer, (vec![200], vec![1]));
    let next = tell(world, (&mut ann, 0), &mut ber, &text("it is me")).await;
    assert_eq!(next, (vec![200], vec![1]));

    let tablet = ber.1[0].link(13).await;
    assert_eq!(tablet.phone.device, 2);
    ber.1.push(tablet);
    let both = tell(world, (&mut ann, 0), &mut ber, &text("two of you?")).await;
    assert_eq!(both, (vec![409, 200], vec![1, 3]));
    let tablet = tell(world, (&mut ber, 1), &mut ann, &text("yes")).await;
    assert_eq!(tablet, (vec![200], vec![1]));

    // The phone is as new: it knows nobody.
    ann.1 = vec![Handset::register(world.of_anna(), ANNA, anna, 14).await];
    let stale = tell(world, (&mut ber, 0), &mut ann, &text("still there?")).await;
    assert_eq!(stale, (vec![410, 200], vec![3]));
    let again = tell(world, (&mut ann, 0), &mut ber, &text("yes, again")).await;
    assert_eq!(again, (vec![409, 200], vec![1, 3]), "the tablet was not heard of yet");

    share(world, &mut ann, &mut ber).await;

    // Of two devices one is left, and that is another installation.
    ber.1 = vec![Handset::register(world.of_bert(), BERT, bert, 15).await];
    let changed = tell(world, (&mut ann, 0), &mut ber, &text("and you?")).await;
    assert_eq!(changed, (vec![409, 410, 200], vec![3]));
}

/// A file goes from one to the other.
async fn share(world: &World, from: &mut Person<'_>, to: &mut Person<'_>) {
    let file: Vec<u8> = (0..100_000_u32).map(|place| place.to_le_bytes()[0] ^ 0x5a).collect();
    let (keys, iv) = (Keys::of_file(&from.1[0].random::<64>()), from.1[0].random());
    let sealed = keys.seal(iv, &file);
    assert_eq!((&sealed[..16], sealed.len()), (&iv[..], 16 + 100_000 + 16 + 32));
    let (status, given) = from.1[0].get("/v1/attachments/").await;
    assert_eq!(status, 200);
    go(Method::PUT, given["location"].as_str().unwrap(), sealed.clone()).await;

    let pointer = AttachmentPointer {
        id: given["id"].as_u64(),
        content_type: Some("image/jpeg".to_owned()),
        key: Some(keys.to_bytes()),
    };
    let content = PushMessageContent { body: None, attachments: vec![pointer.clone()] };
    assert_eq!(tell(world, (&mut *from, 0), to, &content).await.0, [200]);

    let relay = world.contact(from.0).relay.map_or(String::new(), |it| format!("?relay={it}"));
    let path = format!("/v1/attachments/{}{relay}", pointer.id.unwrap());
    for device in &to.1 {
        let location = device.get(&path).await.1["location"].as_str().unwrap().to_owned();
        let bytes = go(Method::GET, &location, Vec::new()).await;
        assert!(bytes == sealed, "byte for byte");
        assert!(Keys::of_file(pointer.key.as_ref().unwrap()).open(&bytes) == file);
    }
}

const JSON: Habits = Habits { way: Way::JsonSocket, keys: KeyEdition::First };
const PROTOBUF: Habits = Habits { way: Way::ProtobufSocket, keys: KeyEdition::Second };
const PULL: Habits = Habits { way: Way::Pull, keys: KeyEdition::First };
const LATER_PULL: Habits = Habits { way: Way::Pull, keys: KeyEdition::Second };

async fn at_one(anna: Habits, bert: Habits) {
    story(World::One(unlimited().await.into()), anna, bert).await;
}

async fn across(anna: Habits, bert: Habits) {
    story(World::Two(pair().await.into()), anna, bert).await;
}

#[tokio::test]
async fn two_phones_with_json_sockets() {
    at_one(JSON, JSON).await;
}

#[tokio::test]
async fn two_phones_with_protobuf_sockets() {
    at_one(PROTOBUF, PROTOBUF).await;
}

#[tokio::test]
async fn two_phones_without_sockets() {
    at_one(PULL, LATER_PULL).await;
}

#[tokio::test]
async fn two_phones_at_two_gateways_with_json_sockets() {
    across(JSON, JSON).await;
}

#[tokio::test]
async fn two_phones_at_two_gateways_with_protobuf_sockets() {
    across(PROTOBUF, PROTOBUF).await;
}

#[tokio::test]
async fn two_phones_at_two_gateways_without_sockets() {
    across(LATER_PULL, PULL).await;
}

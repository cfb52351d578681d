//! A group as large as groups get: what one post costs each of its devices.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use sealpost::sdk::base64url;
use serde_json::{Value, json};

use crate::harness::blaze::Blaze;
use crate::harness::group::{Group, group};
use crate::harness::{Actor, Person, TestApp};

/// What a device downloads for a text of 1 KiB.
const LARGEST_FRAME: usize = 1843;

/// The header of an envelope and one slot of it.
const BEFORE_THE_BODY: usize = 35 + 64;

/// A text of 1 KiB.
fn text() -> String {
    let digits = (0_u32..200).map(|place| format!("{:08x}", place.wrapping_mul(2_654_435_761)));
    digits.collect::<String>()[..1024].to_owned()
}

/// An owner and 255 others of two devices each, in a group, and one more who is outside.
struct Crowd {
    app: TestApp,
    owner: Person,
    others: Vec<Person>,
    outsider: Person,
    group: Group,
}

impl Crowd {
    async fn gather() -> Self {
        let app = TestApp::start().await;
        let names: Vec<String> = (0..257).map(|number| format!("Person {number}")).collect();
        let mut people = join_all(names.iter().map(|name| app.person(name, 2))).await;
        let (outsider, owner) = (people.pop().unwrap(), people.pop().unwrap());
        let first: Vec<&Person> = people.iter().take(200).collect();
        let group = group(&app, &owner.devices[0], &first).await;
        let crowd = Self { app, owner, others: people, outsider, group };
        let named: Vec<Value> =
            crowd.others[200..255].iter().map(|one| json!({"user_id": one.user})).collect();
        let added = crowd.change("/participants/ADD", &Value::from(named)).await;
        assert_eq!(added["participants"].as_array().unwrap().len(), 256);
        crowd
    }

    fn sender(&self) -> &Actor {
        &self.owner.devices[0]
    }

    async fn change(&self, path: &str, body: &Value) -> Value {
        let path = format!("/conversations/{}{path}", self.group.id);
        let answer = self.sender().post(&self.app, &path, body).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json["data"].clone()
    }

    async fn posts(&self, people: &[&Person], number: u8, text: &str) {
        let item = self.group.seal(self.sender(), people, number, text);
        let answer = self.sender().send(&self.app, &[item]).await;
        let receipt = answer.only();
        assert_eq!(receipt["outcome"], "accepted", "{receipt}");
        let reached = receipt["sessions"].as_array().unwrap().iter();
        let reached: BTreeSet<_> = reached.map(|one| one["session_id"].to_string()).collect();
        let devices = people.iter().flat_map(|one| &one.devices);
        let expected: BTreeSet<_> = devices.map(|one| json!(one.session).to_string()).collect();
        assert_eq!(reached, expected);
    }
}

/// Reads over a new socket up to the first text; returns it and the size of its frame.
async fn reads(app: &TestApp, device: &Actor) -> (Value, usize) {
    let mut socket: Blaze = app.socket(device).await;
    socket.listen().await;
    loop {
        let (message, size) = socket.sized_message().await;
        if message["category"] == "ENCRYPTED_TEXT" {
            socket.acknowledge(&message).await;
            return (message, size);
        }
    }
}

/// The texts that wait for a device, opened; each is an envelope of this one session.
async fn opens(app: &TestApp, device: &Actor, length: usize) -> Vec<String> {
    let answer = device.get(app, "/inbox").await;
    let texts = answer.list().iter().filter(|one| one["category"] == "ENCRYPTED_TEXT");
    let open = |message: &Value| {
        let data = base64url::decode(message["data_base64"].as_str().unwrap()).unwrap();
        assert_eq!(data[1..3], [1, 0], "more slots than one");
        assert!(data.len() <= BEFORE_THE_BODY + 12 + length + 16, "{} bytes", data.len());
        device.open(message)
    };
    texts.map(open).collect()
}

fn median(mut sizes: Vec<usize>) -> usize {
    sizes.sort_unstable();
    sizes[sizes.len() / 2]
}

#[tokio::test]
async fn a_post_to_everybody_costs_each_device_as_much_as_one_to_it_alone() {
    let crowd = Crowd::gather().await;
    let (app, text) = (&crowd.app, text());
    let others: Vec<&Person> = crowd.others.iter().collect();
    assert_eq!(others.iter().map(|one| one.devices.len()).sum::<usize>(), 510);
    crowd.posts(&others, 1, &text).await;

    let mut sizes = Vec::new();
    for place in [0, 1, 2, 254, 255, 508, 509] {
        let device = &crowd.others[place / 2].devices[place % 2];
        let (message, size) = reads(app, device).await;
        assert_eq!(device.open(&message), text);
        sizes.push(size);
    }
    // The same text for one device alone. Random bytes are compressed to some bytes more or less.
    let lone = app.person("Lone", 1).await;
    let mut alone = Vec::new();
    for number in 2..9 {
        crowd.sender().sends(app, &lone, number, &text).await;
        alone.push(reads(app, &lone.devices[0]).await.1);
    }
    assert!(sizes.iter().all(|size| *size <= LARGEST_FRAME), "{sizes:?}");
    let (among_all, alone) = (median(sizes), median(alone));
    assert!(among_all.abs_diff(alone) <= 16, "{among_all}, alone {alone}");

    for place in (3..254).chain(256..508) {
        let device = &crowd.others[place / 2].devices[place % 2];
        assert_eq!(opens(app, device, 1024).await, [text.as_str()], "device {place}");
    }
    for device in &crowd.owner.devices {
        assert!(opens(app, device, 1024).await.is_empty());
    }
}

#[tokio::test]
async fn who_joins_a_full_group_waits_for_a_place_and_gets_the_next_message_alone() {
    let crowd = Crowd::gather().await;
    let app = &crowd.app;
    let mut others: Vec<&Person> = crowd.others.iter().collect();
    crowd.posts(&others, 1, "the last one").await;
    let code = crowd.change("", &json!({"name": "Everybody"})).await["code_id"].clone();
    let join = format!("/conversations/{}/join", code.as_str().unwrap());
    let newcomer = &crowd.outsider.devices[0];
    let answer = newcomer.post_bytes(app, &join, b"").await;
    assert_eq!(answer.json["error"]["code"], 20116, "{answer:?}");

    let gone = others.remove(100);
    crowd.group.remove(app, crowd.sender(), gone.user).await;
    let answer = newcomer.post_bytes(app, &join, b"").await;
    assert_eq!(answer.json["data"]["participants"].as_array().unwrap().len(), 256, "{answer:?}");

    // Who does not know yet is told whom to seal for, and only that.
    let stale = crowd.group.seal(crowd.sender(), &others, 2, "the next one");
    let answer = crowd.sender().send(app, &[stale]).await;
    let missing: BTreeSet<_> =
        answer.only()["missing"].as_array().unwrap().iter().map(Value::to_string).collect();
    let devices = crowd.outsider.devices.iter();
    let expected: BTreeSet<_> = devices.map(|one| json!(one.session).to_string()).collect();
    assert_eq!(missing, expected);

    others.push(&crowd.outsider);
    crowd.posts(&others, 2, "the next one").await;
    for device in &crowd.outsider.devices {
        assert_eq!(opens(app, device, 100).await, ["the next one"]);
    }
    assert_eq!(opens(app, &gone.devices[1], 100).await, ["the last one"]);
    let waits = [&crowd.others[0].devices[0], &crowd.others[254].devices[1]];
    for device in waits {
        assert_eq!(opens(app, device, 100).await, ["the last one", "the next one"]);
    }
}

#[tokio::test]
async fn a_batch_that_takes_several_transactions_is_answered_and_read_as_one() {
    let crowd = Crowd::gather().await;
    let others: Vec<&Person> = crowd.others.iter().collect();
    let text = |number: u8| format!("number {number}");
    let seal = |number| crowd.group.seal(crowd.sender(), &others, number, &text(number));
    let mut items: Vec<Value> = (1..=34).map(seal).collect();
    items[20] = items[2].clone();
    let answer = crowd.sender().send(&crowd.app, &items).await;
    let outcomes = answer.list().iter().map(|one| one["outcome"].as_str().unwrap());
    let mut expected = vec!["accepted"; 34];
    expected[20] = "duplicate";
    assert_eq!(outcomes.collect::<Vec<_>>(), expected);
    let texts: Vec<String> = (1..=34).filter(|number| *number != 21).map(text).collect();
    for device in [&others[0].devices[0], &others[254].devices[1]] {
        assert_eq!(opens(&crowd.app, device, 100).await, texts);
    }
}

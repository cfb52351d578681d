//! Stories of people who have the app: they find each other, agree on keys and talk, over real
//! connections, and read what was meant for them and nothing else.

use std::collections::BTreeSet;

use axum::http::Method;
use sealpost::config::Config;
use sealpost::config::dialects::hushnet::Limits;
use serde_json::{Value, json};

use super::app::App;
use super::app::wire::{self, Node, Wire, serve};
use crate::harness::TestApp;

const HOME: &str = "203.0.113.1";
const OFFICE: &str = "203.0.113.2";

/// A gateway at an address of its own, which believes the proxy in front of it.
async fn own_address(limits: Limits) -> TestApp {
    gateway(limits, |config| config.dialects.hushnet.listen = "127.0.0.1:0".to_owned()).await
}

async fn gateway(limits: Limits, change: impl FnOnce(&mut Config)) -> TestApp {
    TestApp::start_with(|config| {
        config.dialects.hushnet.enabled = true;
        config.dialects.hushnet.limits = limits;
        config.http.trusted_proxies = "127.0.0.0/8".into();
        change(config);
    })
    .await
}

/// Whether the people of a story have sockets, or look again and again.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Socket,
    Polling,
}

/// Two people, of whom one has two devices, and a chat.
struct Cast<'n> {
    anna: App<'n>,
    bert: App<'n>,
    tablet: App<'n>,
}

impl<'n> Cast<'n> {
    async fn meet(node: &'n Node, way: Way) -> Self {
        let anna = App::install(node, "anna", HOME, 1).await;
        let mut bert = App::install(node, "bert", OFFICE, 2).await;
        let tablet = bert.install_beside(3).await;
        bert.wait_for("device").await;
        let mut cast = Self { anna, bert, tablet };
        if way == Way::Polling {
            for app in [&mut cast.anna, &mut cast.bert, &mut cast.tablet] {
                app.line = None;
            }
        }
        assert_eq!(cast.anna.begin("bert").await, 2, "with each device");
        for device in [&mut cast.bert, &mut cast.tablet] {
            device.wait_for("pending_session").await;
            assert_eq!(device.confirm().await, ["anna"]);
            device.wait_for("session").await;
            cast.anna.wait_for("session").await;
        }
        cast
    }
}

async fn story(node: &Node, way: Way) {
    let Cast { mut anna, mut bert, mut tablet } = Cast::meet(node, way).await;
    let chat = anna.chat_with("bert").await;
    assert_eq!(bert.chat_with("anna").await.id, chat.id);

    node.app.clock.advance(std::time::Duration::from_secs(1));
    let sent = anna.say("bert", "hello").await;
    assert_eq!(sent.json["success"], "true");
    assert!(anna.chat_with("bert").await.updated_at > chat.updated_at, "something happened");
    assert_eq!(bert.hear().await, ["hello"]);
    assert_eq!(tablet.hear().await, ["hello"], "a copy of its own");
    assert_eq!((bert.look().await, tablet.look().await), (Vec::new(), Vec::new()));

    bert.say("anna", "who is it?").await;
    assert_eq!(anna.hear().await, ["who is it?"]);
    tablet.say("anna", "and where?").await;
    assert_eq!(anna.hear().await, ["and where?"]);

    // The later one is sent first, and one of them twice.
    let (one, two) = (anna.write("bert", "one").await, anna.write("bert", "two").await);
    for message in [&two, &one, &two] {
        assert_eq!(anna.post("/messages", message).await.status, 200);
    }
    assert_eq!(bert.hear().await, ["two", "one"]);
    assert_eq!(bert.look().await, []);

    // One device says what it has, and the other one looks again: it is the same to the sender.
    let said = tablet.look().await;
    let texts: Vec<_> = said.iter().map(|one| one.text.as_str()).collect();
    assert_eq!((texts, &said[0].chat), (vec!["two", "one"], &chat.id));
    assert_eq!(tablet.acknowledge(&[&said[0].id, &said[1].id]).await, 2);
    assert_eq!(tablet.look().await, []);
    let receipts = anna.get(&format!("/messages/{}/receipts", said[0].id)).await;
    let receipts = receipts.json.as_array().unwrap().clone();
    let have: BTreeSet<_> = receipts.iter().map(|it| it["device_id"].as_str().unwrap()).collect();
    assert_eq!(have, BTreeSet::from([&*bert.own_device().await, &*tablet.own_device().await]));

    bert.say("anna", "good night").await;
    tablet.say("anna", "and good night from here").await;
    let mut last = anna.hear().await;
    if last.len() < 2 {
        last.extend(anna.hear().await);
    }
    assert_eq!(last, ["good night", "and good night from here"]);
}

#[tokio::test]
async fn two_apps_at_an_address_of_the_dialects_own() {
    serve(own_address(Limits::Relaxed).await, async |node| story(node, Way::Socket).await).await;
}

#[tokio::test]
async fn two_apps_without_sockets() {
    serve(own_address(Limits::Relaxed).await, async |node| story(node, Way::Polling).await).await;
}

#[tokio::test]
async fn two_apps_within_the_documented_limits() {
    serve(own_address(Limits::Documented).await, async |node| {
        story(node, Way::Socket).await;
        // Two devices that were enrolled and have logged in, and one user: there is no more.
        let body = json!({ "username": "carl" });
        let too_many =
            Wire::new(node, OFFICE).ask(Method::POST, "/users/create", None, &body).await;
        assert_eq!(too_many.status, 429, "{too_many:?}");
    })
    .await;
}

#[tokio::test]
async fn two_apps_below_a_path_have_their_sockets_at_the_root() {
    let app = gateway(Limits::Relaxed, |_| ()).await;
    serve(app, async |node| story(node, Way::Socket).await).await;
}

#[tokio::test]
async fn two_apps_at_two_gateways() {
    let [here, there] = wire::two().await;
    let mut anna = App::install(&here, "anna", HOME, 1).await;
    let mut bert = App::install(&there, "bert", OFFICE, 2).await;
    let (to_bert, to_anna) = ("bert@node-b.test", "anna@node-a.test");
    assert_eq!(anna.begin(to_bert).await, 1);
    bert.wait_for("pending_session").await;
    assert_eq!(bert.confirm().await, [to_anna]);
    for round in 0..3 {
        let (question, answer) = (format!("question {round}"), format!("answer {round}"));
        assert_eq!(anna.say(to_bert, &question).await.status, 202);
        assert_eq!(bert.hear().await, [question]);
        assert_eq!(bert.say(to_anna, &answer).await.status, 202);
        assert_eq!(anna.hear().await, [answer]);
    }
}

#[tokio::test]
async fn a_one_time_prekey_serves_one_of_those_who_begin() {
    serve(own_address(Limits::Relaxed).await, async |node| {
        let mut bert = App::install(node, "bert", HOME, 1).await;
        let mut anna = App::install(node, "anna", HOME, 2).await;
        let mut carl = App::install(node, "carl", HOME, 3).await;
        let user = anna.find("bert").await;
        let both = (anna.devices_of(&user.id).await, carl.devices_of(&user.id).await);
        assert_eq!(both.0[0].first_prekey(), both.1[0].first_prekey());
        assert_eq!(anna.introduce(&user, both.0).await, (201, 1));
        assert_eq!(carl.introduce(&user, both.1).await, (409, 1));
        assert_eq!(carl.begin("bert").await, 1, "with the next one");
        assert_eq!(bert.confirm().await, ["anna", "carl"]);
        assert_eq!(bert.unused_prekeys(), 3);
        anna.say("bert", "it is me").await;
        carl.say("bert", "and me").await;
        assert_eq!(bert.hear().await, ["it is me", "and me"]);
    })
    .await;
}

#[tokio::test]
async fn without_a_one_time_prekey_it_goes_on_and_more_can_be_left() {
    serve(own_address(Limits::Relaxed).await, async |node| {
        let mut bert = App::install(node, "bert", HOME, 1).await;
        let path = format!("/users/{}/keys", bert.user);
        let stranger = Wire::new(node, OFFICE);
        let mut taken = BTreeSet::new();
        for _ in 0..5 {
            let given = stranger.ask(Method::GET, &path, None, &Value::Null).await;
            taken.insert(given.json[0]["one_time_prekeys"][0].as_str().unwrap().to_owned());
        }
        assert_eq!(taken.len(), 5, "each has another one");
        let path = format!("/users/{}/devices", bert.user);
        let list = stranger.ask(Method::GET, &path, None, &Value::Null).await;
        assert_eq!(list.json[0]["one_time_prekeys"], json!([null]), "the app needs a first one");

        let mut anna = App::install(node, "anna", HOME, 2).await;
        assert_eq!(anna.begin("bert").await, 1);
        assert_eq!(bert.confirm().await, ["anna"]);
        anna.say("bert", "as good as").await;
        assert_eq!((bert.hear().await, bert.unused_prekeys()), (vec!["as good as".to_owned()], 5));

        assert_eq!(bert.refill(2).await, 2);
        let mut carl = App::install(node, "carl", HOME, 3).await;
        assert_eq!(carl.begin("bert").await, 1);
        assert_eq!(bert.confirm().await, ["carl"]);
        assert_eq!(bert.unused_prekeys(), 6);
        bert.say("carl", "with one of the new").await;
        assert_eq!(carl.hear().await, ["with one of the new"]);
    })
    .await;
}

#[tokio::test]
async fn a_device_that_was_ended_hears_nothing_any_more() {
    serve(own_address(Limits::Relaxed).await, async |node| {
        let Cast { mut anna, mut bert, mut tablet } = Cast::meet(node, Way::Socket).await;
        anna.say("bert", "before").await;
        assert_eq!(bert.hear().await, ["before"]);
        let late = anna.write("bert", "to both").await;
        bert.end(&tablet.own_device().await).await;
        bert.wait_for("device").await;

        let line = tablet.line.as_mut().unwrap();
        assert_eq!(line.close_code().await, Some(1008));
        for path in ["/messages/pending", "/sessions/pending", "/chats"] {
            let refused = tablet.get(path).await;
            assert_eq!((refused.status, refused.json), (401, json!("Unknown device")), "{path}");
        }
        assert_eq!(anna.post("/messages", &late).await.status, 404, "not without the other one");
        anna.say("bert", "to the one that is left").await;
        assert_eq!(bert.hear().await, ["to the one that is left"]);
        assert_eq!(anna.devices_of(&bert.user).await.len(), 1);
    })
    .await;
}

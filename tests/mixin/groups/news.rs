//! What the gateway says about a group to those concerned.

use sealpost::sdk::base64url;
use serde_json::{Value, json};

use super::{Team, group_id, is, named};
use crate::harness::{Actor, Person};

/// Reads and acknowledges everything: news as their action and whom they are about, messages as
/// their text.
async fn reads(team: &Team, who: &Actor) -> Vec<(String, Value)> {
    let answer = who.get(&team.app, "/inbox").await;
    let short = |message: &Value| {
        if message["category"] != json!("SYSTEM_CONVERSATION") {
            return ("says".to_owned(), json!(who.open(message)));
        }
        let news = data(message);
        (news["action"].as_str().unwrap().to_owned(), news["participant_id"].clone())
    };
    let read = answer.list().iter().map(short).collect();
    let ids: Vec<_> = answer.list().iter().map(|one| one["message_id"].clone()).collect();
    who.acknowledge(&team.app, &ids).await;
    read
}

fn data(message: &Value) -> Value {
    let data = base64url::decode(message["data_base64"].as_str().unwrap()).unwrap();
    serde_json::from_slice(&data).unwrap()
}

/// A team that has read that it was made.
async fn settled() -> Team {
    let team = Team::start().await;
    for who in [&team.owner, &team.admin, &team.member] {
        assert_eq!(reads(&team, who).await, [("CREATE".to_owned(), json!(""))]);
    }
    assert!(reads(&team, &team.outsider).await.is_empty());
    team
}

fn news(action: &str, about: &Actor) -> (String, Value) {
    (action.to_owned(), json!(about.user))
}

fn plain(action: &str) -> (String, Value) {
    (action.to_owned(), json!(""))
}

/// A message of the owner's in the group, to one of its members.
async fn says(team: &Team, to: &Actor, number: u8, text: &str) {
    let to = Person { user: to.user, devices: vec![to.clone()] };
    let mut item = team.owner.seal(to.user, &to.recipients(), number, text);
    item["conversation_id"] = json!(group_id());
    let answer = team.owner.send(&team.app, &[item]).await;
    assert_eq!(answer.only()["outcome"], "accepted", "{answer:?}");
}

#[tokio::test]
async fn news_look_like_messages_of_who_made_the_change() {
    let team = settled().await;
    team.act(&team.admin, "/participants/ADD", &named(&[team.outsider.user])).await;
    let answer = team.outsider.get(&team.app, "/inbox").await;
    let message = answer.only();
    assert_eq!(message["conversation_id"], json!(group_id()));
    assert_eq!(message["user_id"], json!(team.admin.user));
    assert_eq!(message["session_id"], json!(team.admin.session));
    let expected = json!({
        "action": "ADD",
        "participant_id": team.outsider.user,
        "user_id": team.admin.user,
        "role": "",
    });
    assert_eq!(data(message), expected);
}

#[tokio::test]
async fn each_change_is_told_once_and_in_order_to_everybody_concerned() {
    let team = settled().await;
    team.act(&team.owner, "/participants/ADD", &named(&[team.outsider.user])).await;
    let admin = json!([{"user_id": team.outsider.user, "role": "ADMIN"}]);
    team.act(&team.owner, "/participants/ROLE", &admin).await;
    team.act(&team.admin, "", &json!({"announcement": ""})).await;
    team.act(&team.admin, "/disappear", &json!({"duration": 60})).await;
    team.act(&team.member, "/mute", &json!({"duration": 60})).await;
    team.touch(&team.owner, &format!("{}/rotate", group_id())).await;
    let expected = [
        news("ADD", &team.outsider),
        news("ROLE", &team.outsider),
        plain("UPDATE"),
        plain("EXPIRE"),
    ];
    for who in [&team.owner, &team.admin, &team.member, &team.outsider] {
        assert_eq!(reads(&team, who).await, expected);
        assert!(reads(&team, who).await.is_empty());
    }
}

#[tokio::test]
async fn who_is_removed_is_told_so_and_nothing_afterwards() {
    let team = settled().await;
    team.act(&team.owner, "/participants/REMOVE", &named(&[team.member.user])).await;
    team.act(&team.owner, "", &json!({"name": "Smaller"})).await;
    assert_eq!(reads(&team, &team.member).await, [news("REMOVE", &team.member)]);
    let expected = [news("REMOVE", &team.member), plain("UPDATE")];
    assert_eq!(reads(&team, &team.admin).await, expected);
}

#[tokio::test]
async fn joining_leaving_and_the_new_owner_are_told() {
    let team = settled().await;
    let code = team.code().await;
    team.join(&team.outsider, &code).await;
    team.exit(&team.owner).await;
    let joined = news("JOIN", &team.outsider);
    let left = news("EXIT", &team.owner);
    assert_eq!(reads(&team, &team.owner).await, [joined.clone(), left.clone()]);
    let expected = [joined, left, news("ROLE", &team.admin)];
    assert_eq!(reads(&team, &team.member).await, expected);
    assert_eq!(reads(&team, &team.outsider).await, expected);
    assert_eq!(team.roles(&team.member).await[0], is(team.admin.user, "OWNER"));
}

#[tokio::test]
async fn news_keep_their_place_among_messages_at_every_device() {
    let team = settled().await;
    let tablet = team.app.sign_in(team.outsider.user, None).await;
    says(&team, &team.member, 1, "before").await;
    team.act(&team.owner, "/participants/ADD", &named(&[team.outsider.user])).await;
    says(&team, &team.member, 2, "after").await;
    let said = |text: &str| ("says".to_owned(), json!(text));
    let expected = [said("before"), news("ADD", &team.outsider), said("after")];
    assert_eq!(reads(&team, &team.member).await, expected);
    for device in [&team.outsider, &tablet] {
        assert_eq!(reads(&team, device).await, [news("ADD", &team.outsider)]);
    }
}

#[tokio::test]
async fn a_wish_that_is_fulfilled_already_is_not_told() {
    let team = settled().await;
    team.act(&team.owner, "/participants/ADD", &named(&[team.member.user])).await;
    team.act(&team.owner, "/participants/REMOVE", &named(&[team.outsider.user])).await;
    team.act(&team.owner, "", &json!({"name": "Team"})).await;
    team.create().await;
    assert!(reads(&team, &team.member).await.is_empty());
}

#[tokio::test]
async fn a_waiting_reader_is_woken_by_news() {
    let team = settled().await;
    let added = named(&[team.outsider.user]);
    let (answer, _) = tokio::join!(
        team.outsider.get(&team.app, "/inbox?wait=30"),
        team.act(&team.owner, "/participants/ADD", &added),
    );
    assert_eq!(data(answer.only())["action"], json!("ADD"));
}

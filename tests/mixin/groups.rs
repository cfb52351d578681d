//! Groups: making them, and who may do what in them.

mod news;
mod settings;

use std::time::Duration;

use axum::http::Method;
use insta::assert_json_snapshot;
use sealpost::sdk::conversation::{contact_conversation_id, group_conversation_id};
use sealpost::sdk::ids::{ConversationId, UserId};
use serde_json::{Value, json};

use crate::harness::actor::with_token;
use crate::harness::{Actor, Answer, TestApp};

fn group_id() -> ConversationId {
    ConversationId::parse("00000000-0000-4000-8000-0000000000aa").unwrap()
}

fn named(users: &[UserId]) -> Value {
    users.iter().map(|user| json!({"user_id": user})).collect()
}

/// The owner, an admin, a member and somebody outside, each at one device.
struct Team {
    app: TestApp,
    owner: Actor,
    admin: Actor,
    member: Actor,
    outsider: Actor,
}

impl Team {
    async fn start() -> Self {
        Self::start_with(256).await
    }

    /// A team in a group that takes so many participants.
    async fn start_with(limit: u32) -> Self {
        let app = TestApp::start_with(|config| config.limits.group_participants = limit).await;
        let (owner, admin) = (app.bot("owner").await, app.bot("admin").await);
        let (member, outsider) = (app.bot("member").await, app.bot("outsider").await);
        let team = Self { app, owner, admin, member, outsider };
        let answer = team.create().await;
        assert_eq!(answer.status, 200, "{answer:?}");
        team
    }

    fn body(&self) -> Value {
        json!({
            "category": "GROUP",
            "conversation_id": group_id(),
            "name": "Team",
            "announcement": "We meet at nine.",
            "participants": [
                {"user_id": self.admin.user, "role": "ADMIN"},
                {"user_id": self.member.user},
            ],
        })
    }

    async fn create(&self) -> Answer {
        self.owner.post(&self.app, "/conversations", &self.body()).await
    }

    async fn act(&self, who: &Actor, path: &str, body: &Value) -> Answer {
        who.post(&self.app, &format!("/conversations/{}{path}", group_id()), body).await
    }

    /// A request without a body, as public clients send it.
    async fn touch(&self, who: &Actor, path: &str) -> Answer {
        who.post_bytes(&self.app, &format!("/conversations/{path}"), b"").await
    }

    async fn view(&self, who: &Actor) -> Answer {
        who.get(&self.app, &format!("/conversations/{}", group_id())).await
    }

    async fn code(&self) -> String {
        self.view(&self.owner).await.json["data"]["code_id"].as_str().unwrap().to_owned()
    }

    async fn join(&self, who: &Actor, code: &str) -> Answer {
        self.touch(who, &format!("{code}/join")).await
    }

    async fn exit(&self, who: &Actor) -> Answer {
        self.touch(who, &format!("{}/exit", group_id())).await
    }

    /// Accounts and roles, as `who` sees them.
    async fn roles(&self, who: &Actor) -> Vec<(Value, String)> {
        let answer = self.view(who).await;
        let list = answer.json["data"]["participants"].as_array().unwrap();
        let role = |one: &Value| (one["user_id"].clone(), one["role"].as_str().unwrap().into());
        list.iter().map(role).collect()
    }
}

fn is(user: UserId, role: &str) -> (Value, String) {
    (json!(user), role.to_owned())
}

#[tokio::test]
async fn a_group_looks_like_this_to_its_members() {
    let team = Team::start().await;
    let answer = team.view(&team.member).await;
    assert_json_snapshot!(answer.json);
    let code = answer.json["data"]["code_id"].as_str().unwrap();
    assert_eq!(answer.json["data"]["code_url"], json!(format!("/conversations/{code}/join")));
}

#[tokio::test]
async fn making_it_again_gives_what_is_there_to_participants_alone() {
    let team = Team::start().await;
    let first = team.view(&team.owner).await;
    assert_eq!(team.create().await.json, first.json);
    let mut body = team.body();
    body["name"] = json!("Other");
    let again = team.member.post(&team.app, "/conversations", &body).await;
    assert_eq!(again.json["data"]["name"], json!("Team"));
    let stranger = team.outsider.post(&team.app, "/conversations", &body).await;
    assert_eq!(stranger.complaint().0, 403);
}

#[tokio::test]
async fn the_id_follows_from_the_random_id_or_is_random_itself() {
    let team = Team::start().await;
    let random = "00000000-0000-4000-8000-0000000000ff";
    let others = [team.admin.user, team.member.user];
    let fold = |others: &[UserId]| {
        group_conversation_id(team.owner.user, "Team", random.parse().unwrap(), others)
    };
    let with_owner = [team.admin.user, team.member.user, team.owner.user];
    let mut body = team.body();
    body["random_id"] = json!(random);
    body["participants"] = named(&with_owner);
    for (id, status) in [(fold(&with_owner), 200), (fold(&others), 200)] {
        body["conversation_id"] = json!(id);
        let answer = team.owner.post(&team.app, "/conversations", &body).await;
        assert_eq!(answer.status, status, "{answer:?}");
        assert_eq!(answer.json["data"]["participants"][0]["role"], json!("OWNER"));
    }
    body["conversation_id"] = json!("00000000-0000-4000-8000-0000000000ab");
    let answer = team.owner.post(&team.app, "/conversations", &body).await;
    assert_eq!((answer.complaint().0, answer.complaint().1), (422, "conversation_id"));
    body["random_id"] = json!("");
    let anna = team.app.person("Anna", 1).await;
    team.owner.sends(&team.app, &anna, 1, "hello").await;
    body["conversation_id"] = json!(contact_conversation_id(team.owner.user, anna.user));
    let answer = team.owner.post(&team.app, "/conversations", &body).await;
    assert_eq!((answer.complaint().0, answer.complaint().1), (422, "conversation_id"));
    body["conversation_id"] = json!("00000000-0000-3000-8000-0000000000ab");
    let answer = team.owner.post(&team.app, "/conversations", &body).await;
    assert_eq!((answer.complaint().0, answer.complaint().1), (422, "conversation_id"));
}

#[tokio::test]
async fn fields_that_do_not_fit_are_named() {
    let team = Team::start().await;
    let nobody = "00000000-0000-4000-8000-00000000dead";
    let mut body = team.body();
    body["conversation_id"] = json!("00000000-0000-4000-8000-0000000000ab");
    let complaint = async |member: &str, value: Value| {
        let mut body = body.clone();
        body[member] = value;
        let answer = team.owner.post(&team.app, "/conversations", &body).await;
        (answer.complaint().0, answer.complaint().1.to_owned())
    };
    let wrong = async |member: &str, value: Value, field: &str| {
        assert_eq!(complaint(member, value).await, (422, field.to_owned()));
    };
    let unknown = json!([{"user_id": team.member.user}, {"user_id": nobody}]);
    wrong("participants", unknown, "participants[1].user_id").await;
    let king = json!([{"user_id": team.member.user, "role": "OWNER"}]);
    wrong("participants", king, "participants[0].role").await;
    wrong("name", json!("x".repeat(513)), "name").await;
    wrong("announcement", json!("x".repeat(1025)), "announcement").await;
    wrong("random_id", json!("seven"), "random_id").await;
    let answer = team.act(&team.owner, "/participants/ADD", &json!([{"user_id": nobody}])).await;
    assert_eq!((answer.complaint().0, answer.complaint().1), (422, "[0].user_id"));
    let answer = team.act(&team.owner, "/participants/ADD", &json!([])).await;
    assert_eq!(answer.complaint().0, 422);
}

#[tokio::test]
async fn rights_follow_roles() {
    // What is asked for, and the status for owner, admin, member and outsider.
    let table = [
        ("", json!({"name": "Other"}), [200, 200, 403, 403]),
        ("/participants/ADD", json!("another"), [200, 200, 403, 403]),
        ("/participants/REMOVE", json!("another"), [200, 200, 403, 403]),
        ("/participants/ROLE", json!("another"), [422, 403, 403, 403]),
        ("/rotate", json!(null), [200, 200, 403, 403]),
        ("/disappear", json!({"duration": 60}), [200, 200, 403, 403]),
        ("/mute", json!({"duration": 60}), [200, 200, 200, 403]),
    ];
    let team = Team::start().await;
    let another = team.app.person("Another", 0).await;
    let actors = [&team.owner, &team.admin, &team.member, &team.outsider];
    for (path, body, expected) in table {
        let body = if body == json!("another") { named(&[another.user]) } else { body };
        for (who, status) in actors.iter().zip(expected) {
            let answer = team.act(who, path, &body).await;
            let got = match answer.json.get("error") {
                Some(error) => error["status"].as_u64().unwrap(),
                None => answer.status.into(),
            };
            assert_eq!(got, status, "{path}: {answer:?}");
        }
    }
}

#[tokio::test]
async fn the_owner_makes_admins_and_admins_remove_members_alone() {
    let team = Team::start().await;
    let role = |role: &str| json!([{"user_id": team.member.user, "role": role}]);
    let made = team.act(&team.owner, "/participants/ROLE", &role("ADMIN")).await;
    assert_eq!(made.status, 200);
    let remove = named(&[team.member.user]);
    let answer = team.act(&team.admin, "/participants/REMOVE", &remove).await;
    assert_eq!((answer.complaint().0, answer.complaint().1), (403, "[0].user_id"));
    let answer = team.act(&team.admin, "/participants/REMOVE", &named(&[team.owner.user])).await;
    assert_eq!(answer.complaint().0, 403);
    team.act(&team.owner, "/participants/ROLE", &role("")).await;
    assert_eq!(team.act(&team.admin, "/participants/REMOVE", &remove).await.status, 200);
    let expected = [is(team.owner.user, "OWNER"), is(team.admin.user, "ADMIN")];
    assert_eq!(team.roles(&team.owner).await, expected);
}

#[tokio::test]
async fn a_change_is_seen_by_everybody_at_once() {
    let team = Team::start().await;
    for who in [&team.owner, &team.admin, &team.member] {
        team.view(who).await;
    }
    let added = named(&[team.outsider.user]);
    team.act(&team.admin, "/participants/ADD", &added).await;
    for who in [&team.owner, &team.admin, &team.member, &team.outsider] {
        let answer = team.view(who).await;
        assert_eq!(answer.json["data"]["participants"].as_array().unwrap().len(), 4);
        let sessions = answer.json["data"]["participant_sessions"].as_array().unwrap();
        assert_eq!(sessions.len(), 3, "the asking one is left out");
        assert!(sessions.iter().all(|one| one["session_id"] != json!(who.session)));
    }
    team.act(&team.owner, "/participants/REMOVE", &added).await;
    assert_eq!(team.view(&team.outsider).await.complaint().0, 403);
    assert_eq!(team.roles(&team.member).await.len(), 3);
}

#[tokio::test]
async fn a_full_group_takes_nobody() {
    let team = Team::start_with(3).await;
    let answer = team.act(&team.owner, "/participants/ADD", &named(&[team.outsider.user])).await;
    assert_eq!(answer.json["error"]["code"], json!(20116));
    let code = team.code().await;
    let answer = team.join(&team.outsider, &code).await;
    assert_eq!(answer.json["error"]["code"], json!(20116));
    assert_eq!(team.roles(&team.owner).await.len(), 3);
}

#[tokio::test]
async fn a_group_of_256_is_made_and_one_of_257_is_not() {
    let team = Team::start().await;
    let mut users = Vec::new();
    for number in 0..256 {
        users.push(team.app.person(&format!("Person {number}"), 0).await.user);
    }
    let mut body = team.body();
    body["conversation_id"] = json!("00000000-0000-4000-8000-0000000000ab");
    body["participants"] = named(&users);
    let answer = team.owner.post(&team.app, "/conversations", &body).await;
    assert_eq!(answer.json["error"]["code"], json!(20116), "{answer:?}");
    body["participants"] = named(&users[..255]);
    let answer = team.owner.post(&team.app, "/conversations", &body).await;
    assert_eq!(answer.json["data"]["participants"].as_array().unwrap().len(), 256);
}

#[tokio::test]
async fn one_joins_by_the_latest_code() {
    let team = Team::start().await;
    let old = team.code().await;
    assert_eq!(team.touch(&team.owner, &format!("{}/rotate", group_id())).await.status, 200);
    let new = team.code().await;
    assert_ne!(old, new);
    assert_eq!(team.join(&team.outsider, &old).await.complaint().0, 404);
    for _ in ["for the first time", "again"] {
        let joined = team.join(&team.outsider, &new).await;
        assert_eq!(joined.json["data"]["conversation_id"], json!(group_id()));
        assert_eq!(joined.json["data"]["participants"].as_array().unwrap().len(), 4);
    }
    assert_eq!(team.join(&team.outsider, "nonsense").await.complaint().1, "code");
}

#[tokio::test]
async fn who_leaves_sees_nothing_any_more() {
    let team = Team::start().await;
    let left = team.exit(&team.member).await;
    assert_eq!(left.json["data"]["code_id"], json!(""));
    assert_eq!(left.json["data"]["participant_sessions"], json!([]));
    assert_eq!(team.view(&team.member).await.complaint().0, 403);
    assert_eq!(team.exit(&team.member).await.complaint().0, 403);
}

#[tokio::test]
async fn an_owner_who_leaves_is_followed_by_an_admin_and_the_last_one_closes_the_group() {
    let team = Team::start().await;
    let code = team.code().await;
    team.exit(&team.owner).await;
    let expected = [is(team.admin.user, "OWNER"), is(team.member.user, "")];
    assert_eq!(team.roles(&team.member).await, expected);
    team.exit(&team.admin).await;
    assert_eq!(team.roles(&team.member).await, [is(team.member.user, "OWNER")]);
    team.exit(&team.member).await;
    assert_eq!(team.join(&team.member, &code).await.complaint().0, 404);
    assert_eq!(team.create().await.complaint().0, 403);
}

#[tokio::test]
async fn two_changes_at_once_are_both_made() {
    let team = Team::start().await;
    let (anna, bert) = (team.app.person("Anna", 0).await, team.app.person("Bert", 0).await);
    let (one, other) = (named(&[anna.user]), named(&[bert.user]));
    let (one, other) = tokio::join!(
        team.act(&team.owner, "/participants/ADD", &one),
        team.act(&team.admin, "/participants/ADD", &other),
    );
    assert_eq!((one.status, other.status), (200, 200));
    assert_eq!(team.roles(&team.owner).await.len(), 5);
}

#[tokio::test]
async fn an_old_token_changes_nothing() {
    let team = Team::start().await;
    let path = format!("/conversations/{}/participants/ADD", group_id());
    let body = named(&[team.outsider.user]).to_string().into_bytes();
    let mut claims = team.owner.claims("POST", &path, &body);
    claims.exp += 7200;
    let token = sealpost::sdk::token::sign(&claims, &team.owner.key).unwrap();
    team.app.clock.advance(Duration::from_secs(3601));
    let answer = team.app.call(with_token(Method::POST, &path, &token, body)).await;
    assert_eq!(answer.complaint().0, 401);
}

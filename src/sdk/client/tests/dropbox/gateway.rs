//! Version 2 of the key service in miniature.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::super::stand_in::{Reply, Request, listen};
use super::{Clock, DropBoxClient, HeldClock};
use crate::base64url;
use crate::client::dropbox::DropBoxClientBuilder;
use crate::dropbox::{BoxToken, SharedBox};

const TIME: &str = "2030-01-01T00:00:00Z";

/// What happens in place of the next answer.
pub(super) enum Instead {
    /// The request is not worked on, and answered like this.
    Answer(u16, Vec<(&'static str, String)>, String),
    /// The request is worked on, and the answer gets lost.
    LoseAnswer,
    /// The request is not worked on, and the connection stays silent.
    Silence,
}

#[derive(Default)]
struct State {
    boxes: HashMap<String, DropBox>,
    /// By id: digest of the auth key, and what was left.
    letters: HashMap<String, (String, String)>,
    requests: Vec<Request>,
    instead: VecDeque<Instead>,
    next: usize,
}

struct DropBox {
    made: Value,
    /// Messages as they are listed, files with their body.
    messages: Vec<(Value, Vec<u8>)>,
}

/// The stand-in and what it knows.
pub(super) struct Gateway {
    state: Arc<Mutex<State>>,
    pub(super) clock: Arc<HeldClock>,
    pub(super) base_url: String,
}

impl Gateway {
    pub(super) async fn new() -> Self {
        let state = Arc::new(Mutex::new(State::default()));
        let shared = Arc::clone(&state);
        let address = listen(move |request| {
            let reply = shared.lock().unwrap().reply(request);
            async { reply }
        });
        let base_url = format!("http://{}", address.await);
        Self { state, clock: Arc::default(), base_url }
    }

    pub(super) fn builder(&self) -> DropBoxClientBuilder {
        let clock: Arc<dyn Clock> = Arc::<HeldClock>::clone(&self.clock);
        DropBoxClient::builder(&self.base_url).clock(clock)
    }

    pub(super) fn client(&self) -> DropBoxClient {
        self.builder().build().unwrap()
    }

    pub(super) fn requests(&self) -> Vec<Request> {
        self.state().requests.clone()
    }

    pub(super) fn instead(&self, instead: Instead) {
        self.state().instead.push_back(instead);
    }

    /// Changes what a box was made with.
    pub(super) fn forge(&self, token: BoxToken, member: &str, text: &str) {
        let mut state = self.state();
        state.boxes.get_mut(&token.to_string()).unwrap().made[member] = text.into();
    }

    /// Changes a message.
    pub(super) fn change(&self, token: BoxToken, index: usize, member: &str, text: &str) {
        let mut state = self.state();
        state.boxes.get_mut(&token.to_string()).unwrap().messages[index].0[member] = text.into();
    }

    /// Changes the body of a file.
    pub(super) fn body(&self, token: BoxToken, index: usize, change: impl FnOnce(&mut Vec<u8>)) {
        let mut state = self.state();
        change(&mut state.boxes.get_mut(&token.to_string()).unwrap().messages[index].1);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }
}

/// A problem document with this reason.
pub(super) fn problem(detail: &str) -> String {
    json!({ "type": "about:blank", "detail": detail }).to_string()
}

fn answer(status: u16, body: impl Into<Vec<u8>>) -> Reply {
    Reply::Answer { status, headers: Vec::new(), body: body.into() }
}

impl State {
    fn reply(&mut self, request: Request) -> Reply {
        self.requests.push(request.clone());
        let worked = match self.instead.pop_front() {
            None => return self.work(&request).unwrap_or_else(|| answer(404, problem("unknown"))),
            Some(Instead::Answer(status, headers, body)) => {
                Reply::Answer { status, headers, body: body.into() }
            }
            Some(Instead::Silence) => Reply::Silence,
            Some(Instead::LoseAnswer) => {
                self.work(&request);
                Reply::HangUp
            }
        };
        worked
    }

    /// `None` for whatever is unknown, a wrong secret included.
    fn work(&mut self, request: &Request) -> Option<Reply> {
        let (path, query) = request.path.split_once('?').unwrap();
        let query: HashMap<&str, &str> =
            query.split('&').map(|pair| pair.split_once('=').unwrap()).collect();
        assert_eq!(query["v"], "2");
        let digest = request
            .headers
            .get("authkey")
            .map(|key| base64url::encode(&Sha256::digest(base64url::decode(key).unwrap())));
        self.next += 1;
        let id = format!("{:032x}", self.next);
        let stored = json!({ "messageid": id, "createdat": TIME, "expiresat": TIME });
        let json = || serde_json::from_slice::<Value>(&request.body).unwrap();
        match (request.method.as_str(), path) {
            ("POST", "/Service") => return Some(self.create(json())),
            ("POST", "/Service/SelfDestruct") => {
                let (body, text) =
                    (json(), |body: &Value, name| body[name].as_str().unwrap().to_owned());
                let letter = (text(&body, "authdigest"), text(&body, "message"));
                self.letters.insert(id, letter);
                return Some(answer(201, stored.to_string()));
            }
            ("POST", "/SelfDestruct/Take") => {
                let id = json()["messageid"].as_str().unwrap().to_owned();
                let (expected, message) = self.letters.get(&id)?.clone();
                if digest? != expected {
                    return None;
                }
                self.letters.remove(&id);
                return Some(answer(
                    200,
                    json!({ "message": message, "createdat": TIME }).to_string(),
                ));
            }
            ("PUT", "/Service") => {
                let mut body = json();
                let messages = &mut self.boxes.get_mut(body["token"].as_str()?)?.messages;
                for (name, value) in stored.as_object().unwrap() {
                    body[name] = value.clone();
                }
                body["kind"] = "message".into();
                messages.push((body, Vec::new()));
                return Some(answer(201, stored.to_string()));
            }
            _ => {}
        }
        let owner = digest.clone();
        let token = *query.get("token").unwrap();
        let found = self.boxes.get_mut(token)?;
        let proved = owner.is_some() && found.made["authdigest"].as_str() == owner.as_deref();
        if owner.is_some() && !proved {
            return None;
        }
        let wanted = query
            .get("messageid")
            .map(|id| found.messages.iter().position(|(message, _)| message["messageid"] == **id));
        Some(match (request.method.as_str(), path) {
            ("PUT", "/Service/File") => {
                let mut message = stored.clone();
                message["kind"] = "file".into();
                message["name"] = query["name"].into();
                message["encryptionkey"] = query["encryptionkey"].into();
                message["length"] = request.body.len().into();
                found.messages.push((message, request.body.clone()));
                answer(201, stored.to_string())
            }
            ("GET", "/Service") if !proved => answer(200, found.made.to_string()),
            ("GET", "/Service") => {
                let after = query.get("after").map_or(0, |after| {
                    1 + found
                        .messages
                        .iter()
                        .position(|(it, _)| it["messageid"] == **after)
                        .unwrap()
                });
                let limit = query.get("limit").map_or(100, |limit| limit.parse().unwrap());
                let rest = found.messages.iter().map(|(message, _)| message).skip(after);
                let more = rest.len() > limit;
                let messages: Vec<_> = rest.take(limit).collect();
                let privatekey = &found.made["privatekey"];
                let list = json!({ "privatekey": privatekey, "messages": messages, "more": more });
                answer(200, list.to_string())
            }
            ("GET", "/Service/File") if proved => answer(200, found.messages[wanted??].1.clone()),
            ("DELETE", "/Service") if proved => {
                match wanted {
                    Some(index) => drop(found.messages.remove(index?)),
                    None => drop(self.boxes.remove(token)),
                }
                answer(200, r#"{"deleted":"it"}"#)
            }
            _ => panic!("{} {path}", request.method),
        })
    }

    fn create(&mut self, mut made: Value) -> Reply {
        let kdf = made["kdf"].as_str().unwrap().to_owned();
        let key = base64url::decode(made["publickey"].as_str().unwrap()).unwrap();
        let text = [b"sealpost drop box 2 token\n", &key[..], kdf.as_bytes()].concat();
        let token = BoxToken::from_bytes(*Sha256::digest(text).first_chunk().unwrap());
        SharedBox::verify(token, &key, &kdf).unwrap();
        made["token"] = token.to_string().into();
        made["createdat"] = TIME.into();
        made["expiresat"] = TIME.into();
        let answered = answer(201, made.to_string());
        self.boxes.entry(token.to_string()).or_insert(DropBox { made, messages: Vec::new() });
        answered
    }
}

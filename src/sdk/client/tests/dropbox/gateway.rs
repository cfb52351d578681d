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
            let reply = shared.lock().unwrap().reply(&request);
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

/// What a request says beside its body.
struct Said<'a> {
    request: &'a Request,
    query: HashMap<&'a str, &'a str>,
    /// SHA-256 of the auth key.
    digest: Option<String>,
    /// The answer to whatever stores something: its new id.
    stored: Value,
}

impl Said<'_> {
    fn body(&self) -> Value {
        serde_json::from_slice(&self.request.body).unwrap()
    }

    /// A message as it will be listed.
    fn message(&self, kind: &str, mut members: Value) -> Value {
        for (name, value) in self.stored.as_object().unwrap() {
            members[name] = value.clone();
        }
        members["kind"] = kind.into();
        members
    }
}

impl State {
    fn reply(&mut self, request: &Request) -> Reply {
        self.requests.push(request.clone());
        match self.instead.pop_front() {
            None => self.work(request).unwrap_or_else(|| answer(404, problem("unknown"))),
            Some(Instead::Answer(status, headers, body)) => {
                Reply::Answer { status, headers, body: body.into() }
            }
            Some(Instead::Silence) => Reply::Silence,
            Some(Instead::LoseAnswer) => {
                self.work(request);
                Reply::HangUp
            }
        }
    }

    /// `None` for whatever is unknown, a wrong secret included.
    fn work(&mut self, request: &Request) -> Option<Reply> {
        let (path, query) = request.path.split_once('?').unwrap();
        let query: HashMap<_, _> =
            query.split('&').map(|pair| pair.split_once('=').unwrap()).collect();
        assert_eq!(query["v"], "2");
        let digest = request
            .headers
            .get("authkey")
            .map(|key| base64url::encode(&Sha256::digest(base64url::decode(key).unwrap())));
        self.next += 1;
        let id = format!("{:032x}", self.next);
        let stored = json!({ "messageid": id, "createdat": TIME, "expiresat": TIME });
        let said = Said { request, query, digest, stored };
        match (request.method.as_str(), path) {
            ("POST", "/Service") => Some(self.create(said.body())),
            ("POST", "/Service/SelfDestruct") => Some(self.leave(&said, id)),
            ("POST", "/SelfDestruct/Take") => self.take(&said),
            ("PUT", _) => self.put(&said),
            ("GET", "/Service") if said.digest.is_none() => {
                Some(answer(200, self.boxes.get(said.query["token"])?.made.to_string()))
            }
            (method, path) => self.of_owner(method, path, &said),
        }
    }

    fn leave(&mut self, said: &Said<'_>, id: String) -> Reply {
        let body = said.body();
        let [digest, letter] =
            ["authdigest", "message"].map(|name| body[name].as_str().unwrap().to_owned());
        self.letters.insert(id, (digest, letter));
        answer(201, said.stored.to_string())
    }

    fn take(&mut self, said: &Said<'_>) -> Option<Reply> {
        let id = said.body()["messageid"].as_str().unwrap().to_owned();
        if said.digest.as_ref() != Some(&self.letters.get(&id)?.0) {
            return None;
        }
        let (_, message) = self.letters.remove(&id)?;
        Some(answer(200, json!({ "message": message, "createdat": TIME }).to_string()))
    }

    fn put(&mut self, said: &Said<'_>) -> Option<Reply> {
        let body = &said.request.body;
        let (token, message, body) = match said.query.get("token") {
            Some(token) => {
                let (name, key) = (said.query["name"], said.query["encryptionkey"]);
                let file = json!({ "name": name, "encryptionkey": key, "length": body.len() });
                ((*token).to_owned(), said.message("file", file), body.clone())
            }
            None => {
                let text = said.body();
                let token = text["token"].as_str().unwrap().to_owned();
                (token, said.message("message", text), Vec::new())
            }
        };
        self.boxes.get_mut(&token)?.messages.push((message, body));
        Some(answer(201, said.stored.to_string()))
    }

    fn of_owner(&mut self, method: &str, path: &str, said: &Said<'_>) -> Option<Reply> {
        let token = said.query["token"];
        let found = self.boxes.get_mut(token)?;
        if found.made["authdigest"].as_str() != said.digest.as_deref() {
            return None;
        }
        let place = |id: &&str| found.messages.iter().position(|(it, _)| it["messageid"] == **id);
        let named = said.query.get("messageid").map(place);
        Some(match (method, path) {
            ("GET", "/Service") => {
                let after = said.query.get("after").map_or(0, |id| 1 + place(id).unwrap());
                let limit = said.query.get("limit").map_or(100, |limit| limit.parse().unwrap());
                answer(200, found.list(after, limit).to_string())
            }
            ("GET", "/Service/File") => answer(200, found.messages[named??].1.clone()),
            ("DELETE", "/Service") => {
                match named {
                    Some(index) => drop(found.messages.remove(index?)),
                    None => drop(self.boxes.remove(token)),
                }
                answer(200, r#"{"deleted":"it"}"#)
            }
            _ => panic!("{method} {path}"),
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

impl DropBox {
    fn list(&self, after: usize, limit: usize) -> Value {
        let rest = self.messages.iter().map(|(message, _)| message).skip(after);
        let more = rest.len() > limit;
        let messages: Vec<_> = rest.take(limit).collect();
        json!({ "privatekey": self.made["privatekey"], "messages": messages, "more": more })
    }
}

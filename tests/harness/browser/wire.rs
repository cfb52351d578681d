//! The DevTools protocol: commands with their answers, and everything that was reported.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

use super::PATIENCE;

type Answers = BTreeMap<u64, oneshot::Sender<Value>>;

/// A connection that clones share.
#[derive(Clone)]
pub struct Wire {
    commands: mpsc::UnboundedSender<(Value, oneshot::Sender<Value>)>,
    events: Arc<Mutex<Vec<Value>>>,
    /// How many events there are.
    count: watch::Receiver<usize>,
}

impl Wire {
    pub async fn connect(url: &str) -> Self {
        let address = url.strip_prefix("ws://").and_then(|rest| rest.split('/').next());
        let stream = TcpStream::connect(address.expect("a ws URL")).await.unwrap();
        // Screenshots and lists of bytes are large.
        let config = WebSocketConfig::default().max_message_size(None).max_frame_size(None);
        let (socket, _) = client_async_with_config(url, stream, Some(config)).await.unwrap();
        let (commands, waiting) = mpsc::unbounded_channel();
        let events = Arc::new(Mutex::new(Vec::new()));
        let (counter, count) = watch::channel(0);
        tokio::spawn(run(socket, waiting, events.clone(), counter));
        Self { commands, events, count }
    }

    /// The result of a command, to the browser or to one of its tabs.
    pub async fn call(&self, session: Option<&str>, method: &str, arguments: &Value) -> Value {
        let answer = self.try_call(session, method, arguments).await;
        answer.unwrap_or_else(|error| panic!("{method}: {error}"))
    }

    /// The same, or what the browser says against it.
    pub async fn try_call(
        &self,
        session: Option<&str>,
        method: &str,
        arguments: &Value,
    ) -> Result<Value, Value> {
        let mut command = json!({ "method": method, "params": arguments });
        if let Some(session) = session {
            command["sessionId"] = session.into();
        }
        let (sender, answer) = oneshot::channel();
        self.commands.send((command, sender)).expect("the browser runs");
        let answer = timeout(PATIENCE, answer).await;
        let answer = answer.unwrap_or_else(|_| panic!("{method} was not answered"));
        let mut answer = answer.unwrap_or_else(|_| panic!("the browser ended during {method}"));
        match answer["error"].take() {
            Value::Null => Ok(answer["result"].take()),
            error => Err(error),
        }
    }

    /// The first event like that, past ones included.
    pub async fn event(&self, what: &str, is_it: impl Fn(&Value) -> bool) -> Value {
        let mut count = self.count.clone();
        let found = async {
            loop {
                count.borrow_and_update();
                if let Some(event) = self.events(&is_it).into_iter().next() {
                    return event;
                }
                count.changed().await.expect("the browser runs");
            }
        };
        timeout(PATIENCE, found).await.unwrap_or_else(|_| panic!("waited in vain until {what}"))
    }

    /// All events like that so far.
    pub fn events(&self, is_it: impl Fn(&Value) -> bool) -> Vec<Value> {
        let events = self.events.lock().unwrap();
        events.iter().filter(|event| is_it(event)).cloned().collect()
    }
}

/// Carries commands and answers until one side is gone.
async fn run(
    mut socket: WebSocketStream<TcpStream>,
    mut commands: mpsc::UnboundedReceiver<(Value, oneshot::Sender<Value>)>,
    events: Arc<Mutex<Vec<Value>>>,
    counter: watch::Sender<usize>,
) {
    let mut answers = Answers::new();
    let mut number = 0;
    loop {
        tokio::select! {
            command = commands.recv() => {
                let Some((mut command, answer)) = command else { return };
                number += 1;
                command["id"] = number.into();
                answers.insert(number, answer);
                if socket.send(Message::text(command.to_string())).await.is_err() {
                    return;
                }
            }
            frame = socket.next() => {
                let Some(Ok(frame)) = frame else { return };
                let Ok(text) = frame.into_text() else { continue };
                let Ok(said) = serde_json::from_str::<Value>(&text) else { continue };
                match said["id"].as_u64().and_then(|id| answers.remove(&id)) {
                    // Whoever asked may have given up.
                    Some(answer) => drop(answer.send(said)),
                    None => {
                        events.lock().unwrap().push(said);
                        counter.send_modify(|count| *count += 1);
                    }
                }
            }
        }
    }
}

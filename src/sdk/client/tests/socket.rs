//! The gateway's end of a socket, in miniature.

use std::io::{Read, Write};
use std::sync::{Arc, Mutex};

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::sync::Notify;
use tokio_tungstenite::tungstenite::Message;

use super::stand_in::ServerSocket;
use super::world::{Push, State};
use crate::ids::MessageId;
use crate::types::Acknowledgement;

pub(super) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(bytes).unwrap();
    gzip.finish().unwrap()
}

fn frame(object: &Value) -> Message {
    Message::Binary(gzip(object.to_string().as_bytes()).into())
}

/// Delivers what polls would hand out, once asked to, and answers what it is asked.
pub(super) async fn serve(state: Arc<Mutex<State>>, changed: Arc<Notify>, socket: ServerSocket) {
    let (mut writer, mut reader) = socket.split();
    let mut delivering = false;
    loop {
        let something = changed.notified();
        let (push, items) = {
            let mut state = state.lock().unwrap();
            let items = if delivering { state.polls.pop_front() } else { None };
            (if delivering { state.pushes.pop_front() } else { None }, items)
        };
        for item in items.iter().flatten() {
            let created = json!({"id": MessageId::from_bytes([1; 16]), "action": "CREATE_MESSAGE", "data": item});
            if writer.send(frame(&created)).await.is_err() {
                return;
            }
        }
        match push {
            None if items.is_some() => continue,
            None => {}
            Some(Push::Cut) => return,
            Some(Push::Deaf) => return std::future::pending().await,
            Some(Push::Raw(bytes)) => {
                writer.send(Message::Binary(bytes.into())).await.unwrap();
                continue;
            }
            Some(Push::Frame(object)) => {
                writer.send(frame(&object)).await.unwrap();
                continue;
            }
        }
        let message = tokio::select! {
            () = something => continue,
            message = reader.next() => message,
        };
        let packed = match message {
            Some(Ok(Message::Binary(packed))) => packed,
            Some(Ok(Message::Close(_))) => {
                state.lock().unwrap().closed += 1;
                changed.notify_waiters();
                let _gone = writer.close().await;
                return;
            }
            Some(Ok(_)) => continue,
            Some(Err(_)) | None => return,
        };
        let mut text = Vec::new();
        GzDecoder::new(&*packed).read_to_end(&mut text).unwrap();
        let request: Value = serde_json::from_slice(&text).unwrap();
        let answer = answer(&mut state.lock().unwrap(), &request, &mut delivering);
        changed.notify_waiters();
        if let Some(answer) = answer
            && writer.send(frame(&answer)).await.is_err()
        {
            return;
        }
    }
}

fn answer(state: &mut State, request: &Value, delivering: &mut bool) -> Option<Value> {
    let mut answer = json!({"id": request["id"], "action": request["action"]});
    match request["action"].as_str().unwrap() {
        "LIST_PENDING_MESSAGES" => {
            *delivering = true;
            state.listening += 1;
        }
        "ACKNOWLEDGE_MESSAGE_RECEIPTS" => {
            let items: Vec<Acknowledgement> =
                serde_json::from_value(request["params"]["messages"].clone()).unwrap();
            assert!((1..=100).contains(&items.len()));
            state.acknowledged.extend(items.iter().map(|item| item.message_id));
            if state.acknowledges_in_silence {
                return None;
            }
        }
        "CREATE_MESSAGE" => match state.create(&request["params"]) {
            Ok(data) => answer["data"] = data,
            Err(error) => answer["error"] = error,
        },
        action => panic!("unexpected action {action}"),
    }
    Some(answer)
}

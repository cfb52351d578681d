//! Large frames, and slow ones, on a socket over a connection in memory.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::time::sleep;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};

use super::super::codec;
use super::tests::{Client, World, ask, next_frame};
use crate::domain::limits::Visitor;

/// What the gate of this world gives to one account.
const SHARE: u64 = 512 * 1024;

/// A request of about this size.
fn payload(id: &str, size: usize) -> Vec<u8> {
    // No compressor makes noise smaller than half of its hexadecimal digits.
    let digits = (0..size * 2).scan(1_u32, |state, _| {
        *state ^= *state << 13;
        *state ^= *state >> 17;
        *state ^= *state << 5;
        char::from_digit(*state >> 28, 16)
    });
    let params = json!({"noise": digits.collect::<String>()});
    codec::encode(&json!({"id": id, "action": "NOTHING", "params": params})).unwrap()
}

/// The same as a client sends it.
fn request(id: &str, size: usize) -> Vec<u8> {
    let mut frame = Frame::message(payload(id, size), OpCode::Data(Data::Binary), true);
    frame.header_mut().mask = Some([1, 2, 3, 4]);
    let mut bytes = Vec::new();
    frame.format(&mut bytes).unwrap();
    bytes
}

async fn send(client: &mut Client, bytes: &[u8]) {
    client.get_mut().write_all(bytes).await.unwrap();
}

async fn held(world: &World) -> bool {
    let account = Some(world.phone.account);
    world.state.gate.body_room(&Visitor { account, address: None }, SHARE).is_err()
}

#[tokio::test(start_paused = true)]
async fn what_is_not_whole_yet_counts_as_a_body_and_who_finds_no_room_may_come_again() {
    let world = World::new().await;
    let (mut first, socket) = world.socket(1 << 20).await;
    let large = request("1", 200_000);
    send(&mut first, &large[..10]).await;
    sleep(Duration::from_secs(1)).await;
    assert!(!held(&world).await, "nobody knows how large it is");
    send(&mut first, &large[10..1000]).await;
    sleep(Duration::from_secs(1)).await;
    assert!(held(&world).await);

    let (mut second, _other) = world.socket(1 << 20).await;
    ask(&mut second, "NOTHING", Value::Null).await;
    assert_eq!(next_frame(&mut second).await["error"]["status"], 400, "small ones have room");
    send(&mut second, &large).await;
    let refused = next_frame(&mut second).await;
    assert_eq!((&refused["id"], &refused["error"]["status"]), (&json!("1"), &json!(503)));
    ask(&mut second, "NOTHING", Value::Null).await;
    assert_eq!(next_frame(&mut second).await["error"]["status"], 400, "and it goes on");

    send(&mut first, &large[1000..]).await;
    assert_eq!(next_frame(&mut first).await["id"], "1");
    assert!(!held(&world).await, "what was answered is given back");
    send(&mut first, &large[..1000]).await;
    sleep(Duration::from_secs(1)).await;
    assert!(held(&world).await);
    drop(first);
    socket.await.unwrap();
    assert!(!held(&world).await, "and so is what never became whole");
}

#[tokio::test(start_paused = true)]
async fn fragments_count_together() {
    let world = World::new().await;
    let (mut client, _socket) = world.socket(1 << 20).await;
    let fragment =
        |kind, bytes| Message::Frame(Frame::message(vec![0; bytes], OpCode::Data(kind), false));
    client.send(fragment(Data::Binary, 10_000)).await.unwrap();
    sleep(Duration::from_secs(1)).await;
    assert!(!held(&world).await);
    client.send(fragment(Data::Continue, 10_000)).await.unwrap();
    sleep(Duration::from_secs(1)).await;
    assert!(held(&world).await);
    // One frame would be too large for a share; alone it may come all the same.
    client.send(fragment(Data::Continue, 600_000)).await.unwrap();
    client
        .send(Message::Frame(Frame::message(vec![], OpCode::Data(Data::Continue), true)))
        .await
        .unwrap();
    assert_eq!(next_frame(&mut client).await["error"]["status"], 400);
}

#[tokio::test(start_paused = true)]
async fn what_there_is_no_room_for_any_more_is_answered_before_it_is_whole() {
    let world = World::new().await;
    let (mut first, _one) = world.socket(1 << 20).await;
    let (mut second, _other) = world.socket(1 << 20).await;
    let large = payload("1", 200_000);
    let (head, rest) = large.split_at(100_000);
    let fragment = |kind, bytes: &[u8], last| {
        Message::Frame(Frame::message(bytes.to_vec(), OpCode::Data(kind), last))
    };
    second.send(fragment(Data::Binary, head, false)).await.unwrap();
    sleep(Duration::from_secs(1)).await;
    send(&mut first, &request("2", 90_000)[..100]).await;
    sleep(Duration::from_secs(1)).await;
    second.send(fragment(Data::Continue, rest, false)).await.unwrap();
    let refused = next_frame(&mut second).await;
    assert_eq!((&refused["id"], &refused["error"]["status"]), (&json!("1"), &json!(503)));
    let (before, after) = (Message::Ping(vec![7].into()), fragment(Data::Continue, b"more", true));
    second.send(before).await.unwrap();
    second.send(after).await.unwrap();
    assert_eq!(second.next().await.unwrap().unwrap(), Message::Pong(vec![7].into()));
    ask(&mut second, "NOTHING", Value::Null).await;
    assert_eq!(next_frame(&mut second).await["error"]["status"], 400, "and it goes on");
}

#[tokio::test(start_paused = true)]
async fn a_large_request_that_is_all_alone_is_worked_on() {
    let world = World::new().await;
    let (mut client, _socket) = world.socket(1 << 20).await;
    // Neither its frame nor what it holds fits into a share, and both do not fit into the budget.
    let request = request("1", 520_000);
    assert!(request.len() as u64 > SHARE);
    send(&mut client, &request).await;
    let answer = next_frame(&mut client).await;
    assert_eq!((&answer["id"], &answer["error"]["status"]), (&json!("1"), &json!(400)));
}

#[tokio::test(start_paused = true)]
async fn a_frame_may_come_slowly_but_not_for_ever() {
    let world = World::new().await;
    let (mut client, socket) = world.socket(4096).await;
    let large = request("1", 100_000);
    let (first, last) = large.split_at(large.len() / 2);
    for part in [first, last] {
        send(&mut client, part).await;
        sleep(Duration::from_secs(20)).await;
    }
    assert_eq!(next_frame(&mut client).await["id"], "1");
    let mut sent = 0;
    for byte in &large {
        if socket.is_finished() || client.get_mut().write_all(&[*byte]).await.is_err() {
            break;
        }
        sleep(Duration::from_secs(1)).await;
        sent += 1;
    }
    // A minute, and three seconds for its size.
    assert!((60..80).contains(&sent), "{sent}");
}

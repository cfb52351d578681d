//! Frames byte by byte, as the library would get them.

use std::time::Duration;

use futures_util::{FutureExt, StreamExt};
use proptest::prelude::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::time::sleep;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::Role;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Control, Data, OpCode};
use tokio_tungstenite::tungstenite::{Error, Message};

use super::*;

const LIMIT: u64 = 1 << 20;

/// A frame as a client sends it.
fn frame(opcode: OpCode, is_final: bool, payload: Vec<u8>) -> Vec<u8> {
    let mut frame = Frame::message(payload, OpCode::Data(Data::Binary), is_final);
    frame.header_mut().opcode = opcode;
    frame.header_mut().mask = Some([1, 2, 3, 4]);
    let mut bytes = Vec::new();
    frame.format(&mut bytes).unwrap();
    bytes
}

fn noise(length: u64) -> Vec<u8> {
    (0..length).map(|n| (n * n % 251).to_le_bytes()[0]).collect()
}

/// The other end, and a connection with room for anything.
fn pair() -> (DuplexStream, Intake<DuplexStream>) {
    let (theirs, ours) = duplex(4 << 20);
    let mut intake = Intake::new(ours, LIMIT);
    intake.grant(LIMIT);
    (theirs, intake)
}

async fn messages(bytes: &[u8]) -> Vec<Result<Message, Error>> {
    let (mut theirs, intake) = pair();
    theirs.write_all(bytes).await.unwrap();
    theirs.shutdown().await.unwrap();
    let mut stream = WebSocketStream::from_raw_socket(intake, Role::Server, None).await;
    let mut read = Vec::new();
    while let Some(message) = stream.next().await {
        stream.get_mut().grant(LIMIT);
        read.push(message);
    }
    read
}

#[tokio::test]
async fn messages_come_as_they_were_sent_whatever_their_size() {
    for size in [0, 1, 125, 126, 4095, 4096, 4097, 8192, 65_535, 65_536, 300_000] {
        let data = OpCode::Data(Data::Binary);
        let sent = frame(data, true, noise(size)).repeat(2);
        let read = messages(&sent).await;
        assert_eq!(read.len(), 3, "and the end of the connection");
        for message in &read[..2] {
            assert_eq!(message.as_ref().unwrap().clone().into_data(), noise(size), "{size}");
        }
    }
}

#[tokio::test]
async fn a_large_frame_is_handed_on_as_fragments_that_leave_no_large_buffer_behind() {
    let (mut theirs, mut intake) = pair();
    theirs.write_all(&frame(OpCode::Data(Data::Binary), true, vec![0; 8193])).await.unwrap();
    for (head, length) in [
        (&[0x02, 0xfe, 0x10, 0, 1, 2, 3, 4][..], 4096),
        (&[0x00, 0xfe, 0x10, 0, 1, 2, 3, 4], 4096),
        (&[0x80, 0x81, 1, 2, 3, 4], 1),
    ] {
        let mut read = vec![0; head.len()];
        intake.read_exact(&mut read).await.unwrap();
        assert_eq!(read, head);
        intake.read_exact(&mut vec![0; length]).await.unwrap();
    }
    assert!(intake.read(&mut [0]).now_or_never().is_none());
}

#[tokio::test]
async fn pings_may_stand_between_the_fragments_of_a_message() {
    let continued = OpCode::Data(Data::Continue);
    let sent = [
        frame(OpCode::Data(Data::Binary), false, noise(10_000)),
        frame(OpCode::Control(Control::Ping), true, b"there?".to_vec()),
        frame(continued, false, Vec::new()),
        frame(continued, true, noise(70_000)),
    ];
    let read = messages(&sent.concat()).await;
    assert_eq!(read[0].as_ref().unwrap(), &Message::Ping(b"there?".to_vec().into()));
    let whole = [noise(10_000), noise(70_000)].concat();
    assert_eq!(read[1].as_ref().unwrap().clone().into_data(), whole);
}

#[tokio::test]
async fn what_is_too_large_or_has_no_mask_is_refused_before_it_is_there() {
    let binary = OpCode::Data(Data::Binary);
    let large = frame(binary, true, noise(LIMIT + 1));
    let endless = [frame(binary, false, noise(600_000)), large.clone()].concat();
    for sent in [&large[..14], &endless[..600_100]] {
        let read = messages(sent).await;
        assert!(matches!(read.last(), Some(Err(Error::Capacity(_)))), "{:?}", read.last());
    }
    let (mut theirs, intake) = pair();
    theirs.write_all(&[0x82, 0x7f]).await.unwrap();
    let mut stream = WebSocketStream::from_raw_socket(intake, Role::Server, None).await;
    let read = stream.next().await;
    assert!(matches!(read, Some(Err(Error::Protocol(_)))), "{read:?}");
}

#[tokio::test]
async fn a_large_message_waits_until_there_is_room_for_it() {
    let (mut theirs, mut intake) = pair();
    intake.grant(0);
    let first = frame(OpCode::Data(Data::Binary), false, noise(FREE));
    let second = frame(OpCode::Data(Data::Continue), true, noise(100));
    theirs.write_all(&[first, second].concat()).await.unwrap();
    let mut read = Vec::new();
    while intake.wants().is_none() {
        drop(intake.read_buf(&mut read).now_or_never());
    }
    let before = read.len();
    assert_eq!(intake.wants(), Some(FREE + 100));
    assert!(intake.read_buf(&mut read).now_or_never().is_none());
    intake.grant(FREE + 100);
    assert_eq!(intake.wants(), None);
    intake.read_buf(&mut read).await.unwrap();
    assert_eq!(read.len(), before + 100 + SHORTEST_HEAD);
    // The next message has nothing of it.
    theirs.write_all(&frame(OpCode::Data(Data::Text), true, noise(LIMIT))).await.unwrap();
    assert!(intake.read_buf(&mut read).now_or_never().is_none());
    assert_eq!(intake.wants(), Some(LIMIT));
}

#[tokio::test]
async fn of_what_is_refused_the_beginning_is_handed_on_and_the_rest_is_not() {
    let binary = OpCode::Data(Data::Binary);
    let continued = OpCode::Data(Data::Continue);
    for (kind, expected) in [(Data::Binary, FREE), (Data::Text, 0)] {
        let (mut theirs, mut intake) = pair();
        let sent = [
            frame(OpCode::Data(kind), false, noise(300_000)),
            frame(OpCode::Control(Control::Ping), true, b"there?".to_vec()),
            frame(continued, true, noise(100_000)),
            frame(binary, true, noise(10)),
        ];
        theirs.write_all(&sent.concat()).await.unwrap();
        intake.grant(0);
        while intake.wants().is_none() {
            drop(intake.read(&mut [0; 1]).now_or_never());
        }
        intake.refuse();
        let mut stream = WebSocketStream::from_raw_socket(intake, Role::Server, None).await;
        let first = stream.next().await.unwrap().unwrap().into_data();
        assert_eq!(first, noise(300_000)[..usize::try_from(expected).unwrap()]);
        assert!(stream.next().await.unwrap().unwrap().is_ping());
        assert_eq!(stream.next().await.unwrap().unwrap().into_data(), noise(10));
    }
}

#[tokio::test(start_paused = true)]
async fn every_byte_is_a_sign_of_life_and_a_message_has_the_time_of_an_upload() {
    let (mut theirs, mut intake) = pair();
    let sent = frame(OpCode::Data(Data::Binary), true, noise(100_000));
    let start = Instant::now();
    assert_eq!(intake.due(), None);
    for byte in &sent[..100] {
        theirs.write_all(&[*byte]).await.unwrap();
        sleep(Duration::from_secs(1)).await;
        drop(intake.read(&mut [0; 1024]).now_or_never());
        assert_eq!(intake.heard_at(), Instant::now());
    }
    // Since its head was complete.
    let begun = start + Duration::from_secs(LONGEST_HEAD as u64);
    assert_eq!(intake.due(), Some(begun + upload_patience(100_000)));
    theirs.write_all(&sent[100..]).await.unwrap();
    while intake.due().is_some() {
        assert!(intake.read(&mut [0; 1024]).await.unwrap() > 0);
    }
}

proptest! {
    #[test]
    fn nonsense_does_no_harm(bytes in prop::collection::vec(any::<u8>(), 0..200), step in 1..50_usize) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let (mut theirs, mut intake) = pair();
            theirs.write_all(&bytes).await.unwrap();
            drop(theirs);
            let mut buffer = vec![0; step];
            let mut given = 0;
            while let Some(Ok(read @ 1..)) = intake.read(&mut buffer).now_or_never() {
                given += read;
            }
            assert!(given <= bytes.len() * 5);
        });
    }
}

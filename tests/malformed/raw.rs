//! Bytes that are no WebSocket frames, after a good handshake.

use std::net::SocketAddr;
use std::time::Duration;

use futures_util::{StreamExt as _, stream};
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng as _, SeedableRng as _};
use sealpost::sdk::keystore::Keystore;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::frames::socket_token;
use super::mutation::{below, spoil_bytes};

/// A socket that was broken is ended within the time that a silent peer has.
const PATIENCE: Duration = Duration::from_secs(60);

/// How many are open at the same time.
const AT_A_TIME: usize = 100;

/// Opens sockets by hand and breaks the rules of RFC 6455 on them; returns how many were ended.
///
/// Many at a time: some announce a frame that never comes whole, and are ended as silent peers are.
pub async fn send(address: SocketAddr, bot: &Keystore, count: u64, seed: u64) -> u64 {
    let one = |number| async move {
        let mut rng = ChaCha20Rng::seed_from_u64(seed.wrapping_add(number));
        let token = socket_token(bot, rng.next_u64());
        let mut stream = TcpStream::connect(address).await.expect("the gateway listens");
        let head = format!(
            "GET / HTTP/1.1\r\nHost: gateway\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
             Sec-WebSocket-Protocol: Mixin-Blaze-1\r\nAuthorization: Bearer {token}\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).await.expect("the gateway reads");
        // Writing may fail: the other side may have had enough already.
        let _ = stream.write_all(&bad_bytes(&mut rng)).await;
        if below(&mut rng, 2) == 0 {
            let _ = stream.shutdown().await;
        }
        let mut answer = Vec::new();
        let read = timeout(PATIENCE, stream.read_to_end(&mut answer)).await;
        assert!(read.is_ok(), "the gateway keeps a socket that breaks the rules");
        assert!(answer.starts_with(b"HTTP/1.1 101"), "the handshake was good");
    };
    stream::iter((0..count).map(one)).buffer_unordered(AT_A_TIME).count().await as u64
}

/// Frames with wrong bits: reserved ones, unknown kinds, no mask, lengths that are never reached.
fn bad_bytes(rng: &mut ChaCha20Rng) -> Vec<u8> {
    let mut bytes = match below(rng, 5) {
        // A text frame without a mask.
        0 => vec![0x81, 0x02, b'h', b'i'],
        // Reserved bits and kinds.
        1 => vec![0xf3, 0x80, 0, 0, 0, 0],
        // 2^63 bytes are announced.
        2 => vec![0x82, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 2, 3, 4],
        // A continuation of nothing.
        3 => vec![0x80, 0x81, 1, 2, 3, 4, 5],
        // A ping that is too long for one.
        _ => vec![0x89, 0xfe, 0x01, 0x00, 0, 0, 0, 0],
    };
    // What follows makes no difference any more, whatever it is.
    for _ in 0..below(rng, 64) {
        bytes.push(rng.next_u32().to_le_bytes()[0]);
    }
    if below(rng, 4) == 0 {
        let kept = bytes[0] | 0x70;
        spoil_bytes(&mut bytes, rng);
        // Still no good frame: the reserved bits are set.
        bytes.insert(0, kept);
    }
    bytes
}

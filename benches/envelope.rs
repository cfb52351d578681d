//! What sealing costs, beside the bare primitives that it cannot do without.
//!
//! Run with `cargo bench --bench envelope`. Each line measures `seal` of 1 KiB and the sum of its
//! primitives in turns, round by round in the same run, so that a busy machine slows both alike.
//! Shown are the medians of the rounds, and the median of the rounds' ratios.
//!
//! - warm: every recipient's key is in the cache. Primitives: one AES-256-CBC wrap of 16 bytes with
//!   its key schedule for each recipient, all IV bytes, one AES-128-GCM.
//! - cold: no cache. Primitives: one X25519 for each recipient.
//!
//! The process fails when 256 recipients cost more than 2.0 times the primitives warm, or 1.2 times
//! cold.

use std::hint::black_box;
use std::mem::ManuallyDrop;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use aes::cipher::{BlockModeEncrypt, KeyIvInit};
use aes::{Aes256Enc, Block};
use aes_gcm::aead::AeadInOut;
use aes_gcm::{Aes128Gcm, KeyInit};
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};
use sealpost_sdk::envelope::{self, Recipient, WrapCache};
use sealpost_sdk::ids::SessionId;
use sealpost_sdk::keys::AgreementSecret;
use x25519_dalek::{PublicKey, StaticSecret};

const PLAINTEXT: [u8; 1024] = [0x5a; 1024];
const SIZES: [usize; 4] = [1, 16, 256, 510];
const ROUNDS: usize = 41;
/// How long one side of a round runs, about.
const ROUND: Duration = Duration::from_millis(4);
const WARM_LIMIT: f64 = 2.0;
const COLD_LIMIT: f64 = 1.2;

/// Medians of what one seal and its primitives took.
struct Measured {
    seal: Duration,
    primitives: Duration,
    ratio: f64,
}

/// Keys of a sender and of as many recipients as a line has.
struct Scene {
    sender: AgreementSecret,
    recipients: Vec<Recipient>,
    wrap_keys: Vec<[u8; 32]>,
    rng: ChaCha20Rng,
}

fn main() -> ExitCode {
    println!("seal 1 KiB      recipients        seal   primitives   ratio");
    let mut within_limits = true;
    for size in SIZES {
        within_limits &= report("warm", size, &Scene::new(size).warm(), WARM_LIMIT);
    }
    for size in SIZES {
        within_limits &= report("cold", size, &Scene::new(size).cold(), COLD_LIMIT);
    }
    if within_limits { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn report(kind: &str, size: usize, measured: &Measured, limit: f64) -> bool {
    let Measured { seal, primitives, ratio } = measured;
    let [seal, primitives] = [seal, primitives].map(|time| time.as_secs_f64() * 1e6);
    let is_within = size != 256 || *ratio <= limit;
    let verdict = match (size, is_within) {
        (256, true) => format!("  (limit {limit:.1})"),
        (256, false) => format!("  OVER THE LIMIT of {limit:.1}"),
        _ => String::new(),
    };
    println!("{kind:<16}{size:>10} {seal:>8.2} us  {primitives:>8.2} us  {ratio:>6.2}{verdict}");
    is_within
}

impl Scene {
    fn new(size: usize) -> Self {
        let mut rng = ChaCha20Rng::from_seed([11; 32]);
        let sender = AgreementSecret::from_bytes(bytes(&mut rng));
        let recipients = (0..size)
            .map(|_| Recipient {
                session: SessionId::random(&mut rng),
                key: AgreementSecret::from_bytes(bytes(&mut rng)).public(),
            })
            .collect();
        let wrap_keys = (0..size).map(|_| bytes(&mut rng)).collect();
        Self { sender, recipients, wrap_keys, rng }
    }

    fn warm(mut self) -> Measured {
        let cache = WrapCache::new();
        let sealed = seal(&self.sender, &self.recipients, Some(&cache), &mut self.rng);
        assert_eq!(cache.len(), self.recipients.len(), "the cache is warm");
        assert_eq!(sealed.len(), PLAINTEXT.len() + 63 + 64 * self.recipients.len());
        let Self { sender, recipients, wrap_keys, rng } = self;
        let (mut seal_rng, mut primitives_rng) = (rng.clone(), rng);
        in_turns(
            || drop(black_box(seal(&sender, &recipients, Some(&cache), &mut seal_rng))),
            || {
                let mut ivs = vec![[0; 16]; wrap_keys.len()];
                primitives_rng.fill_bytes(ivs.as_flattened_mut());
                for (key, iv) in wrap_keys.iter().zip(&ivs) {
                    black_box(wrap(black_box(key), iv));
                }
                black_box(encrypt_body(black_box(&[3; 16])));
            },
        )
    }

    fn cold(self) -> Measured {
        let Self { sender, recipients, wrap_keys, mut rng } = self;
        let secret = StaticSecret::from(wrap_keys.first().copied().unwrap_or([1; 32]));
        let keys: Vec<_> =
            recipients.iter().map(|recipient| PublicKey::from(*recipient.key.as_bytes())).collect();
        in_turns(
            || drop(black_box(seal(&sender, &recipients, None, &mut rng))),
            || {
                for key in &keys {
                    black_box(secret.diffie_hellman(black_box(key)));
                }
            },
        )
    }
}

fn seal(
    sender: &AgreementSecret,
    recipients: &[Recipient],
    cache: Option<&WrapCache>,
    rng: &mut ChaCha20Rng,
) -> Vec<u8> {
    envelope::seal(black_box(&PLAINTEXT), sender, recipients, cache, rng).expect("sound recipients")
}

/// A message key under AES-256-CBC, its key schedule made on the spot.
///
/// The schedule is not wiped afterwards, which would cost several times the encryption: what is
/// measured here is the bare primitive.
fn wrap(key: &[u8; 32], iv: &[u8; 16]) -> [Block; 2] {
    let mut blocks = [Block::from([7; 16]), Block::from([16; 16])];
    let cipher = cbc::Encryptor::<Aes256Enc>::new(key.into(), iv.into());
    ManuallyDrop::new(cipher).encrypt_blocks(&mut blocks);
    blocks
}

fn encrypt_body(key: &[u8; 16]) -> Vec<u8> {
    let mut body = PLAINTEXT.to_vec();
    let cipher = ManuallyDrop::new(Aes128Gcm::new(key.into()));
    let tag = cipher.encrypt_inout_detached(&[9; 12].into(), &[], body.as_mut_slice().into());
    body.extend_from_slice(&tag.expect("a short body"));
    body
}

fn bytes(rng: &mut ChaCha20Rng) -> [u8; 32] {
    let mut bytes = [0; 32];
    rng.fill_bytes(&mut bytes);
    bytes
}

/// Runs both sides in turns and takes medians.
fn in_turns(mut seal: impl FnMut(), mut primitives: impl FnMut()) -> Measured {
    let repeats = [repeats(&mut seal), repeats(&mut primitives)];
    let mut rounds = Vec::with_capacity(ROUNDS);
    for _ in 0..ROUNDS {
        rounds.push((time(&mut seal, repeats[0]), time(&mut primitives, repeats[1])));
    }
    let median = |value: &dyn Fn(&(f64, f64)) -> f64| {
        let mut values: Vec<f64> = rounds.iter().map(value).collect();
        values.sort_by(f64::total_cmp);
        values[values.len() / 2]
    };
    Measured {
        seal: Duration::from_secs_f64(median(&|round| round.0)),
        primitives: Duration::from_secs_f64(median(&|round| round.1)),
        ratio: median(&|round| round.0 / round.1),
    }
}

/// How often to run something so that it takes about a [`ROUND`], after warming up.
fn repeats(run: &mut impl FnMut()) -> u32 {
    let start = Instant::now();
    let mut count = 0;
    while start.elapsed() < ROUND {
        run();
        count += 1;
    }
    count
}

/// Seconds that one of so many runs took.
fn time(run: &mut impl FnMut(), repeats: u32) -> f64 {
    let start = Instant::now();
    for _ in 0..repeats {
        run();
    }
    start.elapsed().as_secs_f64() / f64::from(repeats)
}

//! The SDK beside two programs that it shares no code with: the PyPI package `mixinsdk`, as a bot
//! written for the hosted API uses it, and plain `cryptography`.
//!
//! Most are ignored in a bare `cargo test`, because they need Python packages: `scripts/test.sh`
//! installs those into a virtual environment below `target` and runs these too.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng as _;
use sealpost::domain::clock::{Clock as _, SystemClock};
use sealpost::sdk::base64url;
use sealpost::sdk::conversation::contact_conversation_id;
use sealpost::sdk::envelope::{self, Recipient};
use sealpost::sdk::ids::{SessionId, UserId};
use sealpost::sdk::keys::SigningKey;
use sealpost::sdk::token::{self, RequestClaims, Unverified};
use serde_json::{Value, json};

/// Sizes of recipient lists: alone, a person with some devices, a group, the largest there is.
const SIZES: [usize; 4] = [1, 3, 64, envelope::MAX_SESSIONS];

/// Texts of every length around a block, and one that is not ASCII. `mixinsdk` reads text only.
const TEXTS: [&str; 6] =
    ["", "a", "fifteen bytes..", "sixteen bytes...", "seventeen bytes..", "żółć ✉ 🦭"];

/// A device, with its key.
struct Device {
    session: SessionId,
    key: SigningKey,
}

impl Device {
    fn new(rng: &mut ChaCha20Rng) -> Self {
        Self { session: SessionId::random(rng), key: SigningKey::generate(rng) }
    }

    fn recipient(&self) -> Recipient {
        Recipient { session: self.session, key: self.key.verifying_key().agreement_key() }
    }

    /// Seed and public key, 64 bytes in hex: the form in which these libraries keep a key.
    fn private_key(&self) -> String {
        hex(&[*self.key.seed(), self.key.verifying_key().to_bytes()].concat())
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Vec<u8> {
    let digits = text.as_bytes().chunks(2);
    digits
        .map(|pair| {
            std::str::from_utf8(pair).ok().and_then(|pair| u8::from_str_radix(pair, 16).ok())
        })
        .collect::<Option<_>>()
        .expect("hex from a script of ours")
}

/// The same base64 in the standard alphabet with padding: the `data` member of a message.
fn standard_base64(bytes: &[u8]) -> String {
    let url = base64url::encode(bytes);
    let padding = "=".repeat((4 - url.len() % 4) % 4);
    url.replace('-', "+").replace('_', "/") + &padding
}

/// Runs a script on a job and returns its answer.
fn python(script: &str, job: &Value) -> Value {
    let python = std::env::var_os("SEALPOST_INTEROP_PYTHON").map(PathBuf::from).expect(
        "SEALPOST_INTEROP_PYTHON names no Python with the packages of tests/interop/requirements.txt; \
         scripts/test.sh makes one and runs this test",
    );
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/interop").join(script);
    let mut child = Command::new(python)
        .arg(file)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("Python starts");
    let mut input = child.stdin.take().expect("the input is piped");
    input.write_all(job.to_string().as_bytes()).expect("Python reads");
    drop(input);
    let output = child.wait_with_output().expect("Python ends");
    assert!(output.status.success(), "{script} ended with {}", output.status);
    serde_json::from_slice(&output.stdout).expect("the script answers in JSON")
}

/// Envelopes by the SDK, whole and sliced, each for the device that is to open it.
fn sealed_cases(rng: &mut ChaCha20Rng) -> Vec<(Value, &'static str)> {
    let mut cases = Vec::new();
    for size in SIZES {
        let sender = Device::new(rng).key.agreement_secret();
        let devices: Vec<_> = (0..size).map(|_| Device::new(rng)).collect();
        let recipients: Vec<_> = devices.iter().map(Device::recipient).collect();
        for text in TEXTS {
            let whole = envelope::seal(text.as_bytes(), &sender, &recipients, None, rng);
            let whole = whole.expect("good keys, and no more of them than allowed");
            for device in [&devices[0], &devices[size / 2], &devices[size - 1]] {
                let parsed = envelope::parse(&whole).expect("what was just sealed");
                let slice = parsed.slice_for(device.session).expect("a slot for every recipient");
                for bytes in [&whole, &slice] {
                    let case = json!({
                        "data": standard_base64(bytes),
                        "data_base64": base64url::encode(bytes),
                        "session_id": device.session,
                        "private_key": device.private_key(),
                    });
                    cases.push((case, text));
                }
            }
        }
    }
    cases
}

#[test]
#[ignore = "needs the Python packages that scripts/test.sh installs"]
fn mixinsdk_opens_what_the_sdk_seals() {
    let cases = sealed_cases(&mut ChaCha20Rng::seed_from_u64(1));
    let (sealed, texts): (Vec<_>, Vec<_>) = cases.into_iter().unzip();
    let answer = python("mixin_sdk.py", &json!({"sealed": sealed, "pairs": [], "requests": []}));
    assert_eq!(answer["opened"], json!(texts));
}

#[test]
#[ignore = "needs the Python packages that scripts/test.sh installs"]
fn plain_cryptography_opens_what_the_sdk_seals() {
    let cases = sealed_cases(&mut ChaCha20Rng::seed_from_u64(2));
    let (sealed, texts): (Vec<_>, Vec<_>) = cases.into_iter().unzip();
    let answer = python("plain.py", &json!({"sealed": sealed, "to_seal": [], "tokens": []}));
    let expected: Vec<_> = texts.iter().map(|text| hex(text.as_bytes())).collect();
    assert_eq!(answer["opened"], json!(expected));
}

/// The other direction. (`mixinsdk` has a function that seals, but it raises `TypeError` on its
/// first line: it calls a class of `cryptography` that cannot be instantiated.)
#[test]
#[ignore = "needs the Python packages that scripts/test.sh installs"]
fn the_sdk_opens_what_plain_cryptography_seals() {
    let rng = &mut ChaCha20Rng::seed_from_u64(3);
    let sender = Device::new(rng);
    let devices: Vec<_> = (0..5).map(|_| Device::new(rng)).collect();
    let to: Vec<_> = devices
        .iter()
        .map(|device| {
            let key = device.recipient().key;
            json!({"session_id": device.session, "agreement_key": hex(key.as_bytes())})
        })
        .collect();
    let seed = hex(&*sender.key.seed());
    let bodies: [&[u8]; 4] = [b"", b"text", &[0; 16], &[0xff; 1000]];
    let to_seal = bodies.map(|body| json!({"plaintext": hex(body), "seed": seed, "to": to}));
    let answer = python("plain.py", &json!({"sealed": [], "to_seal": to_seal, "tokens": []}));
    let from = sender.key.verifying_key().agreement_key();
    for (index, body) in bodies.iter().enumerate() {
        let sealed = unhex(answer["sealed"][index].as_str().expect("a text"));
        for device in &devices {
            let secret = device.key.agreement_secret();
            let opened = envelope::open(&sealed, device.session, &secret, Some(&[from]));
            assert_eq!(opened.as_deref(), Ok(*body));
        }
    }
}

/// The same from a file, so that a bare `cargo test` has somebody else's bytes to open too.
#[test]
fn the_sdk_opens_the_recorded_envelopes() {
    let recorded: Value = serde_json::from_str(include_str!("vectors/plain_cryptography.json"))
        .expect("a file of ours");
    let text = |value: &Value| unhex(value.as_str().expect("a text"));
    let seed = |value: &Value| -> [u8; 32] { text(value).try_into().expect("32 bytes") };
    let envelopes = recorded["envelopes"].as_array().expect("a list");
    assert_eq!(envelopes.len(), 3);
    for vector in envelopes {
        let sender = SigningKey::from_seed(&seed(&vector["sender_seed"])).agreement_secret();
        assert_eq!(sender.public().as_bytes()[..], text(&vector["sender_agreement_key"]));
        for device in vector["devices"].as_array().expect("a list") {
            let secret = SigningKey::from_seed(&seed(&device["seed"])).agreement_secret();
            let session = SessionId::parse(device["session_id"].as_str().expect("a text"));
            let session = session.expect("an id");
            let sealed = text(&vector["envelope"]);
            let opened = envelope::open(&sealed, session, &secret, Some(&[sender.public()]));
            assert_eq!(opened, Ok(text(&vector["plaintext"])));
        }
    }
}

#[test]
#[ignore = "needs the Python packages that scripts/test.sh installs"]
fn mixinsdk_and_the_sdk_agree_on_conversation_ids() {
    let rng = &mut ChaCha20Rng::seed_from_u64(4);
    let pairs: Vec<_> = (0..20).map(|_| (UserId::random(rng), UserId::random(rng))).collect();
    let answer = python("mixin_sdk.py", &json!({"sealed": [], "pairs": pairs, "requests": []}));
    let ours: Vec<_> = pairs.iter().map(|(a, b)| contact_conversation_id(*a, *b)).collect();
    assert_eq!(answer["conversation_ids"], json!(ours));
}

#[test]
#[ignore = "needs the Python packages that scripts/test.sh installs"]
fn the_sdk_verifies_the_tokens_of_mixinsdk() {
    let rng = &mut ChaCha20Rng::seed_from_u64(5);
    let (user, device) = (UserId::random(rng), Device::new(rng));
    let (method, path, body) = ("POST", "/sessions/fetch?x=1", "[\"ż\"]");
    let request = json!({
        "user_id": user,
        "session_id": device.session,
        "private_key": device.private_key(),
        "method": method,
        "path": path,
        "body": body,
    });
    let answer = python("mixin_sdk.py", &json!({"sealed": [], "pairs": [], "requests": [request]}));
    let unverified = Unverified::parse(answer["tokens"][0].as_str().expect("a text"));
    let claims = unverified.expect("a token").verify(&device.key.verifying_key());
    let claims = claims.expect("a token with a good signature");
    assert_eq!((claims.uid, claims.sid), (user, device.session));
    assert_eq!(claims.sig, token::body_digest(method, path, body.as_bytes()));
}

#[test]
#[ignore = "needs the Python packages that scripts/test.sh installs"]
fn pyjwt_verifies_the_tokens_of_the_sdk() {
    let rng = &mut ChaCha20Rng::seed_from_u64(6);
    let device = Device::new(rng);
    let now = SystemClock.now().as_seconds();
    let claims = RequestClaims {
        uid: UserId::random(rng),
        sid: device.session,
        iat: now,
        exp: now + 60,
        jti: UserId::random(rng).to_string(),
        sig: token::body_digest("GET", "/me", b""),
        scp: "FULL".to_owned(),
    };
    let token = token::sign(&claims, &device.key).expect("a key that signs");
    let public_key = hex(&device.key.verifying_key().to_bytes());
    let tokens = [json!({"token": token, "public_key": public_key})];
    let answer = python("plain.py", &json!({"sealed": [], "to_seal": [], "tokens": tokens}));
    assert_eq!(answer["claims"][0], json!(claims));
}

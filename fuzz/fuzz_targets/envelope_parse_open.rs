//! `cargo fuzz run envelope_parse_open`: bytes from anywhere, taken for an envelope.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| sealpost_sdk::fuzzing::envelope_parse_open(bytes));

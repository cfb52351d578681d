//! `cargo fuzz run token_parse`: bytes from anywhere, taken for a request token.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| sealpost_sdk::fuzzing::token_parse(bytes));

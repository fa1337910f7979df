//! `camelid_tests::fuzz::gguf_model` under libFuzzer.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    camelid_tests::fuzz::gguf_model(data);
});

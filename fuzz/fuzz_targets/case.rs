//! `camelid_tests::fuzz::case` under libFuzzer.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    camelid_tests::fuzz::case(data);
});

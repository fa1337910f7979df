//! `camelid_tests::fuzz::numpy` under libFuzzer.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    camelid_tests::fuzz::numpy(data);
});

//! `camelid_tests::fuzz::tokenizer_json` under libFuzzer. The engine's own panics are caught, so the hook that aborts goes.
#![no_main]

libfuzzer_sys::fuzz_target!(init: drop(std::panic::take_hook()), |data: &[u8]| {
    camelid_tests::fuzz::tokenizer_json(data);
});

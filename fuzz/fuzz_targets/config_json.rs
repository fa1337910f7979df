//! JSON objects: what is read is what serde_json reads of the same text.
#![no_main]

use camelid_checkpoint::parse_json;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    if let Ok(object) = parse_json("fuzz".as_ref(), data) {
        let text = serde_json::to_string(&object).expect("what was read can be written");
        let again = parse_json("again".as_ref(), text.as_bytes()).expect("what was written can be read");
        assert_eq!(object, again);
    }
});

//! Prompts that are remembered: the same answers, computed from where they part.

use serde_json::json;

use crate::served::{Served, text};

const START: &str = "One day, a little girl named Lily found a needle in her room. She knew it was difficult to play with it because it was sharp. ";

#[test]
fn a_remembered_start_changes_no_answer() {
    let with = Served::new();
    let without = Served::with(|limits| limits.prefixes = 0, None);
    let mut said = START.to_owned();
    for turn in 0..5 {
        let request =
            json!({ "prompt": said, "max_tokens": 16, "temperature": 0.7, "seed": turn, "logprobs": 1 });
        let (first, second) = (with.complete(request.clone()), without.complete(request.clone()));
        assert_eq!(first["choices"], second["choices"]);
        let cached = |answer: &serde_json::Value| {
            answer["usage"]["prompt_tokens_details"]["cached_tokens"].as_u64().expect("a number")
        };
        let tokens = first["usage"]["prompt_tokens"].as_u64().expect("a number");
        assert_eq!(cached(&second), 0);
        assert_eq!(cached(&first) > 0, turn > 0, "{}", first["usage"]);
        assert!(cached(&first) <= tokens - 8);
        // The same again needs its last tokens alone.
        assert_eq!(cached(&with.complete(request)), tokens - 8);
        said = format!("{said}{} And then? ", text(&first, 0));
    }
    // Another end of the same start.
    let request = json!({ "prompt": format!("{START}The dog"), "max_tokens": 16 });
    assert_eq!(with.complete(request.clone())["choices"], without.complete(request)["choices"]);
}

#[test]
fn memory_of_prompts_is_bounded_and_told() {
    let bound = 1_000_000;
    let served = Served::with(|limits| limits.prefixes = bound, None);
    let bytes = || {
        let metrics = crate::client::get(served.address, "/metrics").body;
        let line = metrics
            .lines()
            .find(|line| line.starts_with("camelid_prefix_bytes "))
            .expect("the line")
            .to_owned();
        line.rsplit(' ').next().and_then(|number| number.parse::<usize>().ok()).expect("a number")
    };
    let mut most = 0;
    for i in 0..12 {
        served.complete(json!({ "prompt": format!("{i} {START}"), "max_tokens": 1 }));
        std::thread::sleep(std::time::Duration::from_millis(20));
        most = most.max(bytes());
    }
    assert!(most > 0 && most <= bound, "{most}");
}

//! What is answered: the texts of the model alone, whatever else runs, and how likely they are.

use camelid_families::Backend;
use camelid_generate::{Sampling, Session, Settings, perplexity};
use camelid_tokenizers::Specials;
use serde_json::{Value as Json, json};

use crate::client::post;
use crate::served::{Served, open, stories, text};

#[test]
fn the_reference_s_prompts_give_the_reference_s_texts() {
    let served = Served::new();
    let expected: Json =
        serde_json::from_slice(&std::fs::read(stories().join("expected.json")).expect("the file"))
            .expect("JSON");
    for row in expected["rows"].as_array().expect("rows") {
        let by_text = served.complete(json!({ "prompt": row["prompt"], "max_tokens": 200 }));
        let by_ids = served.complete(json!({ "prompt": row["input_ids"], "max_tokens": 200 }));
        assert_eq!(Some(text(&by_text, 0).trim_start()), row["greedy_text"].as_str());
        assert_eq!(text(&by_ids, 0), text(&by_text, 0));
        assert_eq!(by_text["choices"][0]["finish_reason"], "length");
        let tokens = row["input_ids"].as_array().expect("ids").len();
        assert_eq!(by_text["usage"]["prompt_tokens"], tokens);
        assert_eq!(by_text["usage"]["completion_tokens"], 200);
        assert_eq!(by_text["usage"]["total_tokens"], 200 + tokens);
    }
}

/// Requests of many kinds.
fn requests() -> Vec<Json> {
    let starts = ["Once upon a time", "The dog", "Lily and Tom went to the park. They", "A", "He said"];
    let long =
        "One day, a little girl named Lily found a needle in her room. She knew it was sharp. ".repeat(4);
    let mut all: Vec<Json> = (0..24)
        .map(|i| {
            json!({
                "prompt": starts[i % 5], "max_tokens": 20 + 7 * i, "temperature": (i % 3) as f64 * 0.6,
                "top_p": 0.95, "seed": i / 2, "logprobs": i % 4,
            })
        })
        .collect();
    all.extend((1..6).map(|i| json!({ "prompt": long[..65 * i], "max_tokens": 60, "temperature": 1, "seed": i, "echo": true, "logprobs": 2 })));
    all
}

/// A choice without what differs from answer to answer.
fn choices(answer: &Json) -> Json {
    answer["choices"].clone()
}

#[test]
fn an_answer_is_the_same_alone_and_among_others() {
    let alone = Served::with(|limits| (limits.parallel, limits.prefixes) = (1, 0), None);
    let among = Served::with(|limits| limits.parallel = 12, None);
    let requests = requests();
    let wanted: Vec<Json> =
        requests.iter().map(|request| choices(&alone.complete(request.clone()))).collect();
    for _ in 0..2 {
        let answers: Vec<Json> = std::thread::scope(|scope| {
            let running: Vec<_> = requests
                .iter()
                .map(|request| scope.spawn(|| choices(&among.complete(request.clone()))))
                .collect();
            running.into_iter().map(|thread| thread.join().expect("an answer")).collect()
        });
        for ((answer, wanted), request) in answers.iter().zip(&wanted).zip(&requests) {
            assert_eq!(answer, wanted, "{request}");
        }
    }
}

/// Few tokens are summed in another order than many: what a short prompt left behind would change the bits of a long one.
#[test]
fn a_short_prompt_leaves_nothing_that_a_long_one_goes_on_from() {
    let alone = Served::with(|limits| limits.prefixes = 0, None);
    let served = Served::new();
    let long = json!({ "prompt": "Lily and Tom went to the park. They", "max_tokens": 40, "logprobs": 2 });
    for short in ["A", "Lily", "Lily and"] {
        served.complete(json!({ "prompt": short, "max_tokens": 1 }));
    }
    assert_eq!(choices(&served.complete(long.clone())), choices(&alone.complete(long)));
}

#[test]
fn a_text_is_that_of_a_session() {
    let served = Served::new();
    let opened = open(&stories());
    let model = opened.model(Backend::new(2, Default::default()), &mut |_, _| {}).expect("it loads");
    let tokenizer = opened.tokenizer().expect("its tokenizer");
    for (seed, temperature) in [(3_u64, 0.0_f32), (4, 0.8), (5, 1.3)] {
        let sampling = Sampling { temperature, top_p: 0.9, seed, ..Sampling::default() };
        let settings = Settings { sampling, max_new_tokens: 150, stop_ids: vec![2], ..Settings::default() };
        let prompt = camelid_generate::framed(&*tokenizer, "Once upon a time").expect("ids");
        let mut session = Session::new(&model, &*tokenizer);
        let tokens = session.generate(&prompt, &settings).expect("it begins");
        let wanted: String = tokens.map(|token| token.expect("a token").text).collect();
        let answer = served.complete(json!({
            "prompt": "Once upon a time", "max_tokens": 150, "temperature": temperature, "top_p": 0.9, "seed": seed,
        }));
        assert_eq!(text(&answer, 0), wanted);
    }
}

#[test]
fn a_stream_is_the_whole_in_pieces() {
    let served = Served::new();
    for request in requests() {
        let whole = served.complete(request.clone());
        let mut streamed = request.clone();
        streamed["stream"] = true.into();
        streamed["stream_options"] = json!({ "include_usage": true });
        let (events, done) = served.ask(streamed).events();
        assert!(done);
        let (usage, pieces) = events.split_last().expect("events");
        assert_eq!(usage["usage"]["completion_tokens"], whole["usage"]["completion_tokens"]);
        assert_eq!(usage["choices"], json!([]));
        let of = |piece: &Json| piece["choices"][0].clone();
        let joined: String =
            pieces.iter().filter_map(|piece| of(piece)["text"].as_str().map(str::to_owned)).collect();
        assert_eq!(joined, text(&whole, 0), "{request}");
        for list in ["tokens", "token_logprobs", "text_offset", "top_logprobs"] {
            let lists = pieces.iter().filter_map(|piece| of(piece)["logprobs"][list].as_array().cloned());
            let joined: Vec<Json> = lists.flatten().collect();
            let wanted = whole["choices"][0]["logprobs"][list].as_array().cloned().unwrap_or_default();
            assert_eq!(joined, wanted, "{list} of {request}");
        }
        assert_eq!(
            of(pieces.last().expect("a piece"))["finish_reason"],
            whole["choices"][0]["finish_reason"]
        );
        assert!(pieces.iter().all(|piece| piece["usage"].is_null() && piece["id"] == usage["id"]));
    }
}

#[test]
fn several_texts_and_several_prompts_are_each_as_by_themselves() {
    let served = Served::new();
    let one = |prompt: &str, seed: u64| {
        let request = json!({ "prompt": prompt, "max_tokens": 30, "temperature": 1, "seed": seed });
        text(&served.complete(request), 0).to_owned()
    };
    let both = served.complete(json!({
        "prompt": ["Once upon", "The cat"], "n": 3, "max_tokens": 30, "temperature": 1, "seed": 40,
    }));
    let mut wanted = Vec::new();
    for prompt in ["Once upon", "The cat"] {
        wanted.extend((40..43).map(|seed| one(prompt, seed)));
    }
    let found: Vec<_> = (0..6).map(|choice| text(&both, choice).to_owned()).collect();
    assert_eq!(found, wanted);
    assert_eq!(both["usage"]["completion_tokens"], 180);
    assert!(
        both["choices"].as_array().expect("choices").iter().zip(0..).all(|(choice, i)| choice["index"] == i)
    );
}

#[test]
fn a_stop_text_ends_a_text_and_is_not_part_of_it() {
    let served = Served::new();
    let request = |stop: Json| json!({ "prompt": "Once upon a time", "max_tokens": 200, "stop": stop });
    let all = served.complete(request(Json::Null));
    for stop in [json!("Lily"), json!(["nowhere", "girl"]), json!([" she", "She"])] {
        let answer = served.complete(request(stop.clone()));
        let stops: Vec<&str> = stop.as_array().map_or_else(
            || vec![stop.as_str().expect("a text")],
            |list| list.iter().filter_map(Json::as_str).collect(),
        );
        let first =
            stops.iter().filter_map(|stop| text(&all, 0).find(stop)).min().expect("one of them comes");
        assert_eq!(text(&answer, 0), &text(&all, 0)[..first]);
        assert_eq!(answer["choices"][0]["finish_reason"], "stop");
    }
}

/// Σ of the log-probabilities that an echo tells is that of `camelid perplexity`.
#[test]
fn the_log_probabilities_of_a_prompt_are_those_of_perplexity() {
    let served = Served::new();
    let opened = open(&stories());
    let model = opened.model(Backend::serial(), &mut |_, _| {}).expect("it loads");
    let tokenizer = opened.tokenizer().expect("its tokenizer");
    let story =
        "Once upon a time, there was a little girl named Lily. She loved to play with her dog. ".repeat(5);
    let ids = tokenizer.encode(&story, Specials::Literal).expect("ids");
    let before = tokenizer.frame().before.clone();
    let nll = perplexity(&model, &ids, &before, 512, &mut |_| {}).expect("a number");
    let answer = served.complete(json!({ "prompt": story, "max_tokens": 0, "echo": true, "logprobs": 1 }));
    let logprobs = &answer["choices"][0]["logprobs"];
    let told = logprobs["token_logprobs"].as_array().expect("numbers");
    assert!(told[0].is_null() && logprobs["top_logprobs"][0].is_null());
    let sum: f64 = told[1..].iter().map(|number| number.as_f64().expect("a number")).sum();
    assert_eq!(told.len() - 1, nll.tokens);
    assert!((sum + nll.sum).abs() < 1e-5 * nll.sum, "{sum} and {}", nll.sum);
    // The likeliest is told with the one that came; where they are one, once.
    for (token, top) in told[1..].iter().zip(&logprobs["top_logprobs"].as_array().expect("tables")[1..]) {
        let top = top.as_object().expect("a table");
        let most = top.values().filter_map(Json::as_f64).fold(f64::MIN, f64::max);
        assert!((1..=2).contains(&top.len()) && token.as_f64().is_some_and(|own| own <= most), "{top:?}");
    }
    assert_eq!(text(&answer, 0), story);
}

#[test]
fn a_likely_token_s_logarithm_is_that_of_its_draw() {
    let served = Served::new();
    let answer = served.complete(json!({ "prompt": "Once upon a time", "max_tokens": 12, "logprobs": 5 }));
    let logprobs = &answer["choices"][0]["logprobs"];
    for (token, (own, top)) in logprobs["tokens"].as_array().expect("tokens").iter().zip(
        logprobs["token_logprobs"]
            .as_array()
            .expect("numbers")
            .iter()
            .zip(logprobs["top_logprobs"].as_array().expect("tables")),
    ) {
        let top = top.as_object().expect("a table");
        assert_eq!(&top[token.as_str().expect("a text")], own, "greedy takes the likeliest");
        let sum: f64 = top.values().filter_map(Json::as_f64).map(f64::exp).sum();
        assert!(top.len() == 5 && sum <= 1.0 + 1e-6);
    }
    let tokens: String =
        logprobs["tokens"].as_array().expect("tokens").iter().filter_map(Json::as_str).collect();
    assert_eq!(tokens, text(&answer, 0));
}

#[test]
fn fields_that_change_nothing_are_taken() {
    let served = Served::new();
    let plain = served.complete(json!({ "prompt": "The dog", "max_tokens": 9 }));
    let answer = post(
        served.address,
        "/v1/completions",
        &json!({
            "model": "stories", "prompt": "The dog", "max_tokens": 9, "temperature": 0.0, "seed": 1234, "stop": null,
            "presence_penalty": 0, "frequency_penalty": 0.0, "logit_bias": {}, "best_of": 1, "user": "me", "suffix": null, "n": null,
            "stream": false, "stream_options": null, "top_k": -1, "min_p": 0, "repetition_penalty": 1, "skip_special_tokens": true,
        }),
    );
    assert_eq!(choices(&answer.json()), choices(&plain));
}

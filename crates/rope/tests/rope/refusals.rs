//! What cannot be meant is refused, by name and value; shapes that do not fit are told with both shapes.

use camelid_rope::{Frequencies, Pairing, Rope, Scaling, Settings, Table};
use ndarray::Array3;

const SETTINGS: Settings = Settings { theta: 1e4, head_dim: 8, rotary_dim: 4, context: Some(64) };

#[track_caller]
fn refuses(settings: Settings, scaling: Scaling, message: &str) {
    assert_eq!(Rope::new(settings, scaling).unwrap_err().to_string(), message);
}

fn read(text: &str) -> Result<Scaling, String> {
    serde_json::from_str(text).map_err(|error| error.to_string())
}

#[track_caller]
fn refuses_text(text: &str, message: &str) {
    refuses(SETTINGS, read(text).unwrap(), message);
}

#[test]
fn settings_out_of_range() {
    for theta in [0.0, -1.0, f64::INFINITY, f64::NAN] {
        let message = format!("rope theta is {theta}, which is not a positive number");
        refuses(Settings { theta, ..SETTINGS }, Scaling::default(), &message);
    }
    for rotary_dim in [0, 1, 3, 10, usize::MAX] {
        let message =
            format!("rotary_dim is {rotary_dim}, which is not an even number from 2 to head_dim (8)");
        refuses(Settings { rotary_dim, ..SETTINGS }, Scaling::default(), &message);
    }
    let message = "rope context is 0, which is not at least 1 token";
    refuses(Settings { context: Some(0), ..SETTINGS }, Scaling::default(), message);
}

#[test]
fn enormous_heads_cost_nothing_until_frequencies_are_asked_for() {
    let settings = Settings { head_dim: 1 << 60, rotary_dim: 1 << 60, ..SETTINGS };
    assert!(Rope::new(settings, Scaling::default()).is_ok());
}

#[test]
fn factors_below_one() {
    let message = "rope factor is 0.5, which is not a number of at least 1";
    refuses_text(r#"{"rope_type": "linear", "factor": 0.5}"#, message);
    refuses_text(r#"{"rope_type": "dynamic", "factor": 0.5}"#, message);
    refuses_text(
        r#"{"rope_type": "llama3", "factor": 0.5, "low_freq_factor": 1, "high_freq_factor": 4,
            "original_max_position_embeddings": 64}"#,
        message,
    );
    refuses_text(
        r#"{"rope_type": "longrope", "factor": 0.5, "short_factor": [1, 1], "long_factor": [1, 1]}"#,
        message,
    );
    let nan = Scaling::Linear { factor: f64::NAN };
    refuses(SETTINGS, nan, "rope factor is NaN, which is not a number of at least 1");
}

#[test]
fn llama3_bands_out_of_order() {
    let text = |low, high, trained| {
        format!(
            r#"{{"rope_type": "llama3", "factor": 8, "low_freq_factor": {low}, "high_freq_factor": {high},
                "original_max_position_embeddings": {trained}}}"#
        )
    };
    refuses_text(&text(5, 4, 64), "rope low_freq_factor is 5, which is not below high_freq_factor (4)");
    let step = serde_json::from_str::<Scaling>(&text(4, 4, 64)).expect("a table");
    assert!(camelid_rope::Rope::new(SETTINGS, step).is_ok(), "no band between is a step");
    refuses_text(&text(-1, 4, 64), "rope low_freq_factor is -1, which is not a number of at least 0");
    refuses_text(&text(1, 4, 0), "rope original_max_position_embeddings is 0, which is not at least 1 token");
}

#[test]
fn longrope_lists_and_lengths() {
    let text = |short, rest| {
        format!(r#"{{"rope_type": "longrope", "short_factor": {short}, "long_factor": [1, 2]{rest}}}"#)
    };
    refuses_text(&text("[1]", ""), "rope short_factor has 1 factors, rotary_dim needs 2");
    refuses_text(&text("[1, 0]", ""), "rope short_factor is 0, which is not a positive number");
    refuses_text(
        &text("[1, 1]", r#", "original_max_position_embeddings": 1"#),
        "rope original_max_position_embeddings is 1, which is not at least 2 tokens",
    );
    refuses_text(
        &text("[1, 1]", r#", "attention_factor": -1"#),
        "rope attention_factor is -1, which is not a positive number",
    );
    let no_context = Settings { context: None, ..SETTINGS };
    refuses(
        no_context,
        read(&text("[1, 1]", r#", "original_max_position_embeddings": 32"#)).unwrap(),
        "rope_type longrope needs a factor, an attention_factor or the context",
    );
}

#[test]
fn trained_lengths_that_are_missing_or_disagree() {
    let no_context = Settings { context: None, ..SETTINGS };
    let needs = "needs a trained length (original_max_position_embeddings or the context)";
    let dynamic = |original| Scaling::Dynamic { factor: 2.0, original_max_position_embeddings: original };
    refuses(no_context, dynamic(None), &format!("rope_type dynamic {needs}"));
    refuses(no_context, Scaling::Stepped {}, &format!("rope_type stepped {needs}"));
    refuses(
        SETTINGS,
        dynamic(Some(32)),
        "rope original_max_position_embeddings is 32, the context 64, and rope_type dynamic knows only one",
    );
    assert!(Rope::new(no_context, dynamic(Some(32))).is_ok());
    assert!(Rope::new(SETTINGS, dynamic(Some(64))).is_ok());
}

#[test]
fn tables_with_unknown_or_missing_fields() {
    for (text, error) in [
        (r#"{"rope_type": "default", "factor": 2}"#, "unknown field `factor`"),
        (r#"{"rope_type": "stepped", "factor": 2}"#, "unknown field `factor`"),
        (r#"{"rope_type": "linear", "factor": 2, "beta_fast": 32}"#, "unknown field `beta_fast`"),
        (r#"{"rope_type": "linear"}"#, "missing field `factor`"),
        (r#"{"rope_type": "linear", "factor": null}"#, "invalid type: null"),
        (r#"{"rope_type": "su", "factor": 2}"#, "unknown variant `su`"),
        (r#"{"factor": 2}"#, "missing field `rope_type`"),
        (r#"{"rope_type": "dynamic", "factor": 2, "original_max_position_embeddings": -1}"#, "invalid value"),
    ] {
        let found = read(text).unwrap_err();
        assert!(found.starts_with(error), "{text}: {found}");
    }
}

#[test]
fn what_is_written_is_read_back() {
    for text in [
        r#"{"rope_type":"default"}"#,
        r#"{"rope_type":"stepped"}"#,
        r#"{"rope_type":"dynamic","factor":2.0}"#,
        r#"{"rope_type":"longrope","short_factor":[1.0],"long_factor":[2.5],"factor":32.0}"#,
    ] {
        assert_eq!(serde_json::to_string(&read(text).unwrap()).unwrap(), text);
    }
    assert_eq!(serde_json::to_string(&[Pairing::Half, Pairing::Adjacent]).unwrap(), r#"["half","adjacent"]"#);
}

#[test]
#[should_panic(expected = "rotary table has 2 tokens and 2 pairs, x is [3, 1, 8]")]
fn another_number_of_tokens() {
    let frequencies = Frequencies { inverse: SETTINGS.inverse(), factor: 1.0 };
    Table::new(&frequencies, &[0, 1]).turn(Array3::zeros((3, 1, 8)).view_mut(), Pairing::Half);
}

#[test]
#[should_panic(expected = "rotary table has 1 tokens and 2 pairs, x is [1, 1, 3]")]
fn a_head_too_small() {
    let frequencies = Frequencies { inverse: SETTINGS.inverse(), factor: 1.0 };
    Table::new(&frequencies, &[0]).turn(Array3::zeros((1, 1, 3)).view_mut(), Pairing::Half);
}

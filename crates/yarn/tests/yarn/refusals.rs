//! What cannot be meant is refused, by name and value.

use camelid_rope::Settings;
use camelid_yarn::Yarn;

const SETTINGS: Settings = Settings { theta: 1e4, head_dim: 64, rotary_dim: 64, context: Some(4096) };

#[track_caller]
fn refuses(settings: Settings, yarn: Yarn, message: &str) {
    let error = yarn.frequencies(&settings).unwrap_err();
    assert_eq!(error.to_string(), message);
    assert_eq!(yarn.check(&settings).unwrap_err().to_string(), message);
}

#[test]
fn settings_out_of_range() {
    let yarn = Yarn::new(4.0);
    refuses(
        Settings { theta: 1.0, ..SETTINGS },
        yarn.clone(),
        "rope theta is 1, which is not a number above 1",
    );
    refuses(
        Settings { rotary_dim: 63, ..SETTINGS },
        yarn.clone(),
        "rotary_dim is 63, which is not an even number from 2 to head_dim (64)",
    );
    refuses(
        Settings { context: None, ..SETTINGS },
        yarn,
        "rope_type yarn needs a trained length (original_max_position_embeddings or the context)",
    );
}

#[test]
fn fields_out_of_range() {
    let yarn = Yarn::new(4.0);
    for factor in [0.5, -4.0, f64::INFINITY, f64::NAN] {
        refuses(
            SETTINGS,
            Yarn::new(factor),
            &format!("rope factor is {factor}, which is not a number of at least 1"),
        );
    }
    refuses(
        SETTINGS,
        Yarn { original_max_position_embeddings: Some(0), ..yarn.clone() },
        "rope original_max_position_embeddings is 0, which is not at least 1 token",
    );
    refuses(
        SETTINGS,
        Yarn { beta_fast: 0.0, ..yarn.clone() },
        "rope beta_fast is 0, which is not a positive number",
    );
    refuses(
        SETTINGS,
        Yarn { beta_slow: 40.0, ..yarn.clone() },
        "rope beta_slow is 40, which is not below beta_fast (32)",
    );
    refuses(
        SETTINGS,
        Yarn { attention_factor: Some(0.0), ..yarn.clone() },
        "rope attention_factor is 0, which is not a positive number",
    );
    refuses(
        SETTINGS,
        Yarn { mscale_all_dim: Some(-1.0), ..yarn },
        "rope mscale_all_dim is -1, which is not a number of at least 0",
    );
}

#[test]
fn tables_with_unknown_or_missing_fields() {
    let read = |text| serde_json::from_str::<Yarn>(text).map_err(|error| error.to_string());
    assert_eq!(read(r#"{"factor": 4}"#), Ok(Yarn::new(4.0)));
    assert!(
        read(r#"{"factor": 4, "beta_fasst": 32}"#).unwrap_err().starts_with("unknown field `beta_fasst`")
    );
    assert!(read("{}").unwrap_err().starts_with("missing field `factor`"));
    assert!(read(r#"{"factor": "4"}"#).is_err());
}

#[test]
fn what_is_written_is_read_back() {
    let yarn = Yarn { mscale: Some(0.707), truncate: false, ..Yarn::new(40.0) };
    assert_eq!(serde_json::from_str::<Yarn>(&serde_json::to_string(&yarn).unwrap()).unwrap(), yarn);
}

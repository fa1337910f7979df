//! What cannot be meant is refused, by name and value; shapes that do not fit are told with both shapes.

use camelid_norm::{Error, Kind, Norm, Settings};
use ndarray::{Array1, Array2, Array3};

const SETTINGS: Settings = Settings { kind: Kind::Rms, eps: 1e-5 };

fn norm() -> Norm {
    Norm::new(SETTINGS, Array1::ones(6), None).unwrap()
}

#[test]
fn eps_out_of_range() {
    for eps in [-1e-9, f64::INFINITY, f64::NAN] {
        let error = Norm::new(Settings { eps, ..SETTINGS }, Array1::ones(4), None).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("norm eps is {eps}, which is not a finite number of at least 0")
        );
    }
    assert!(Norm::new(Settings { eps: 0.0, ..SETTINGS }, Array1::ones(4), None).is_ok());
}

#[test]
fn weights_that_do_not_fit() {
    assert_eq!(Norm::new(SETTINGS, Array1::ones(0), None), Err(Error::Empty));
    let error = Norm::new(SETTINGS, Array1::ones(4), Some(Array1::zeros(3))).unwrap_err();
    assert_eq!(error.to_string(), "norm bias has 3 elements, its weight 4");
}

#[test]
fn settings_with_unknown_words() {
    let read = |text| serde_json::from_str::<Settings>(text).map_err(|error| error.to_string());
    assert_eq!(read(r#"{"kind": "rms", "eps": 1e-5}"#), Ok(SETTINGS));
    assert!(
        read(r#"{"kind": "layer", "eps": 0, "offset": 1}"#)
            .unwrap_err()
            .starts_with("unknown field `offset`")
    );
    assert!(read(r#"{"kind": "group", "eps": 0}"#).unwrap_err().starts_with("unknown variant `group`"));
    assert_eq!(serde_json::to_string(&SETTINGS).unwrap(), r#"{"kind":"rms","eps":0.00001}"#);
}

#[test]
#[should_panic(expected = "norm weight has 6 elements, x is [2, 5]")]
fn rows_of_another_width() {
    norm().forward(Array2::zeros((2, 5)).view());
}

#[test]
#[should_panic(expected = "norm weight has 6 elements, x is [2, 5]")]
fn rows_of_another_width_in_place() {
    norm().forward_in_place(Array2::zeros((2, 5)).view_mut());
}

#[test]
#[should_panic(expected = "norm weight has 6 elements, x is [1, 2, 4]")]
fn heads_of_another_width() {
    norm().forward_heads(Array3::zeros((1, 2, 4)).view_mut());
}

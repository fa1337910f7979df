//! Values of the schema's words, as a reader would say them.

use serde_json::Value as Json;

/// The tables whose words each layer may have its own value of.
const PER_LAYER: [&str; 8] =
    ["block.", "attention.", "latent.", "delta.", "rope.", "mlp.", "experts.", "tensors."];

/// A word's value. Where layers differ, each value with its layers.
#[must_use]
pub fn written(word: &str, value: &Json, layers: usize) -> String {
    match value {
        Json::Array(values)
            if values.len() == layers && PER_LAYER.iter().any(|table| word.starts_with(table)) =>
        {
            by_layer(values)
        }
        other => one(other),
    }
}

fn one(value: &Json) -> String {
    match value {
        Json::Null => "none".into(),
        Json::String(text) => text.clone(),
        Json::Number(number) if number.is_f64() => number.as_f64().map_or_else(|| number.to_string(), float),
        Json::Object(table) => {
            let fields: Vec<_> = table.iter().map(|(key, value)| format!("{key} {}", one(value))).collect();
            fields.join(", ")
        }
        Json::Array(list) => list.iter().map(one).collect::<Vec<_>>().join(", "),
        Json::Bool(_) | Json::Number(_) => value.to_string(),
    }
}

/// Seven digits, where that is shorter.
fn float(x: f64) -> String {
    let shortest = x.to_string();
    let rounded = format!("{x:.6e}").parse::<f64>().map_or_else(|_| shortest.clone(), |x| x.to_string());
    if rounded.len() < shortest.len() { rounded } else { shortest }
}

fn by_layer(values: &[Json]) -> String {
    let mut distinct: Vec<&Json> = Vec::new();
    for value in values {
        if !distinct.contains(&value) {
            distinct.push(value);
        }
    }
    let parts = distinct.into_iter().map(|value| {
        let at: Vec<usize> = (0..values.len()).filter(|layer| values[*layer] == *value).collect();
        format!("{} on layers {}", one(value), places(&at))
    });
    parts.collect::<Vec<_>>().join("; ")
}

/// `0–3`; `0, 2, … 24`; `0–24 but 5, 11, … 23`; or all of them.
#[must_use]
pub fn places(at: &[usize]) -> String {
    match at {
        [] => String::new(),
        [one] => one.to_string(),
        [first, .., last] if last - first + 1 == at.len() => format!("{first}–{last}"),
        [first, second, .., last]
            if at.len() > 3 && at.windows(2).all(|pair| pair[1] - pair[0] == second - first) =>
        {
            format!("{first}, {second}, … {last}")
        }
        many => {
            if let (Some(gaps), [first, .., last]) = (regular_gaps(at), many) {
                return format!("{first}–{last} but {gaps}");
            }
            // Neighbours stand together.
            let runs = many.chunk_by(|a, b| a + 1 == *b).map(|run| match run {
                [one] => one.to_string(),
                [first, ..] => format!("{first}–{}", run[run.len() - 1]),
                [] => String::new(),
            });
            runs.collect::<Vec<_>>().join(", ")
        }
    }
}

/// What lies between the first and the last and is not among them, where it comes at equal steps.
fn regular_gaps(at: &[usize]) -> Option<String> {
    let [first, .., last] = at else { return None };
    let gaps: Vec<usize> = (*first..=*last).filter(|layer| at.binary_search(layer).is_err()).collect();
    let step = gaps.get(1)? - gaps[0];
    let is_regular = step > 1 && gaps.windows(2).all(|pair| pair[1] - pair[0] == step);
    (is_regular && 2 * gaps.len() < at.len()).then(|| places(&gaps))
}

/// `6738415616` as `6,738,415,616`.
#[must_use]
pub fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A number to so many significant digits: plain where that is short, else with a power of ten.
#[must_use]
pub fn significant(x: f64, digits: usize) -> String {
    let rounded = format!("{:.*e}", digits.saturating_sub(1), x);
    let Ok(value) = rounded.parse::<f64>() else { return rounded };
    if value == 0.0 || (1e-4..1e7).contains(&value.abs()) {
        return value.to_string();
    }
    let (mantissa, power) = rounded.split_once('e').unwrap_or((&rounded, "0"));
    let mantissa =
        if mantissa.contains('.') { mantissa.trim_end_matches('0').trim_end_matches('.') } else { mantissa };
    format!("{mantissa}e{power}")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn layers_with_a_value_in_common_are_said_once() {
        assert_eq!(
            written("attention.window", &json!([8, null, 8, null, 8, null, 8]), 7),
            "8 on layers 0, 2, … 6; none on layers 1, 3, 5"
        );
        assert_eq!(
            written("attention.window", &json!([null, null, 8]), 3),
            "none on layers 0–1; 8 on layers 2"
        );
        assert_eq!(written("prefix.hold", &json!([1, 2]), 2), "1, 2");
        assert_eq!(written("attention.scale", &json!(0.088_388_347_648_318_45), 2), "0.08838835");
        assert_eq!(written("norm.eps", &json!(1e-6), 2), "0.000001");
    }

    #[test]
    fn a_number_has_as_many_digits_as_it_is_asked_for() {
        let said = [0.0, 1.0, 0.088_388, 54_410.123, 1.154_78e-6, 2e9].map(|x| significant(x, 4));
        assert_eq!(said, ["0", "1", "0.08839", "54410", "1.155e-6", "2e9"]);
    }

    #[test]
    fn places_are_said_by_their_gaps_where_those_are_regular() {
        let but = |gaps: &[usize], last: usize| -> Vec<usize> {
            (0..=last).filter(|it| !gaps.contains(it)).collect()
        };
        assert_eq!(places(&but(&[3, 7, 11, 15], 18)), "0–18 but 3, 7, … 15");
        assert_eq!(places(&but(&[5, 11], 16)), "0–16 but 5, 11");
        assert_eq!(places(&but(&[5, 6], 9)), "0–4, 7–9");
        assert_eq!(places(&but(&[5, 7, 12], 16)), "0–4, 6, 8–11, 13–16");
    }

    #[test]
    fn digits_stand_in_threes() {
        assert_eq!([0, 999, 1000, 6_738_415_616].map(thousands), ["0", "999", "1,000", "6,738,415,616"]);
    }
}

//! Whether a folder's weights are quantised, and by what: told in one sentence, since none of these formats is read.
//!
//! What counts is the tensors: a `quantization_config` beside plain weights is left over from training, and means nothing.

use serde_json::{Map, Value};

use crate::{Dtype, Tensor};

/// How the names of tensors end that only a quantised model has, and whose they are.
const ENDINGS: [(&str, &str); 20] = [
    (".qweight", "GPTQ or AWQ"),
    (".qzeros", "GPTQ or AWQ"),
    (".SCB", "bitsandbytes, 8 bits"),
    (".absmax", "bitsandbytes, 4 bits"),
    (".quant_map", "bitsandbytes, 4 bits"),
    (".weight_packed", "compressed-tensors"),
    (".weight_scale", "8 bits with scales"),
    (".weight_scale_inv", "8 bits with scales of blocks"),
    (".weight_scale_2", "4 bits with two scales"),
    (".input_scale", "8 bits with scales"),
    (".q_weight", "EXL2"),
    (".q_scale", "EXL2"),
    (".trellis", "EXL3"),
    (".W_q", "HQQ"),
    (".codebooks", "AQLM"),
    (".codes", "AQLM"),
    (".Qidxs", "QuIP"),
    (".weight_quantized", "quanto"),
    (".weight._data", "quanto"),
    (".weight_format", "bitsandbytes, 8 bits"),
];

/// What the weights are quantised by; none where they are not. `said` is config.json, then the side files that say more.
pub(super) fn method(said: &[Map<String, Value>], tensors: &[&Tensor]) -> Option<String> {
    let names = || tensors.iter().map(|tensor| tensor.name());
    let by_name = ENDINGS.iter().find(|(ending, _)| names().any(|name| name.ends_with(ending)));
    let grouped =
        names().any(|name| name.ends_with(".scales")) && names().any(|name| name.ends_with(".biases"));
    let by_type = tensors.iter().find(|tensor| is_packed(tensor));
    let seen = match (by_name, by_type) {
        (Some((_, method)), _) => (*method).to_owned(),
        (None, _) if grouped => "MLX".to_owned(),
        (None, Some(tensor)) => format!("matrices of {}", tensor.dtype()),
        (None, None) => return None,
    };
    Some(said.iter().find_map(declared).unwrap_or(seen))
}

/// A matrix of integers, or of numbers of eight bits and fewer.
fn is_packed(tensor: &Tensor) -> bool {
    let kinds = [Dtype::I8, Dtype::U8, Dtype::I32, Dtype::U32];
    let small = kinds.contains(&tensor.dtype()) || matches!(tensor.dtype(), Dtype::Unread(_));
    small && tensor.shape().len() > 1 && tensor.name().ends_with(".weight")
}

/// The method and its bits, as config.json or a side file says.
pub(super) fn declared(said: &Map<String, Value>) -> Option<String> {
    let table = ["quantization_config", "quantization"].iter().find_map(|key| said.get(*key)?.as_object());
    let table = table.unwrap_or(said);
    let text = |key: &str| table.get(key).and_then(Value::as_str).map(str::to_owned);
    let number = |key: &str| table.get(key).and_then(Value::as_u64);
    let bits = number("bits").or_else(|| number("w_bit")).or_else(|| number("quantization_bit"));
    let flag = |key: &str| table.get(key) == Some(&Value::Bool(true));
    let bits = bits.or(flag("load_in_4bit").then_some(4)).or(flag("load_in_8bit").then_some(8));
    let method = text("quant_method").or_else(|| text("quant_algo"));
    match (method, bits) {
        (Some(method), Some(bits)) => Some(format!("{method}, {bits} bits")),
        (Some(method), None) => Some(match text("format") {
            Some(format) => format!("{method}, {format}"),
            None => method,
        }),
        (None, Some(bits)) if bits > 0 => Some(format!("{bits} bits")),
        (None, Some(_) | None) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse_json;

    #[track_caller]
    fn check(config: &str, tensor: (&str, Dtype), expected: Option<&str>) {
        let config = parse_json("config.json".as_ref(), config.as_bytes()).expect("JSON");
        let bytes = tensor.1.byte_len(&[8, 8]).expect("a size");
        let tensor =
            Tensor::from_bytes(tensor.0, tensor.1, &[8, 8], vec![0; bytes].into()).expect("a tensor");
        assert_eq!(method(&[config], &[&tensor]).as_deref(), expected);
    }

    #[test]
    fn what_is_declared_gives_the_name() {
        let packed = ("a.qweight", Dtype::I32);
        check(
            r#"{"quantization_config": {"quant_method": "gptq", "bits": 4}}"#,
            packed,
            Some("gptq, 4 bits"),
        );
        check(r#"{"quantization": {"group_size": 64, "bits": 4}}"#, packed, Some("4 bits"));
        check(
            r#"{"quantization_config": {"quant_method": "compressed-tensors", "format": "pack-quantized"}}"#,
            packed,
            Some("compressed-tensors, pack-quantized"),
        );
        check(
            r#"{"quantization_config": {"quant_method": "bitsandbytes", "load_in_8bit": true}}"#,
            packed,
            Some("bitsandbytes, 8 bits"),
        );
        check("{}", packed, Some("GPTQ or AWQ"));
    }

    #[test]
    fn what_counts_is_the_tensors() {
        let left_over = r#"{"quantization_config": {"quant_method": "bitsandbytes", "load_in_4bit": true}}"#;
        check(left_over, ("a.weight", Dtype::Bf16), None);
        check("{}", ("a.weight", Dtype::I8), Some("matrices of I8"));
        check("{}", ("a.mask", Dtype::U8), None);
        for (ending, method) in ENDINGS {
            check("{}", (&format!("a{ending}"), Dtype::F32), Some(method));
        }
    }
}

//! What GGUF files and adapters say of themselves.

use std::path::Path;

use serde_json::Value as Json;

use crate::gguf::{Metadata, Value};
use crate::read_json;

/// What a GGUF file is that is no model.
pub(super) fn of_gguf(metadata: &Metadata, tensors: usize) -> Option<String> {
    let text = |key: &str| metadata.get(key).and_then(Value::as_str);
    let is = match (text("general.type"), text("general.architecture")) {
        (Some("adapter"), _) => "an adapter (LoRA); merge it into its base model first",
        (Some("mmproj"), _) | (_, Some("clip")) => {
            "the part of a model that sees pictures (mmproj); name the language model's file"
        }
        (Some("imatrix"), _) | (_, Some("imatrix")) => {
            "an importance matrix, which serves to quantise a model; name the model itself"
        }
        (Some("vocab"), _) => "a vocabulary without a model (0 tensors); name the model itself",
        _ if metadata.get("adapter.type").is_some() => {
            "an adapter (LoRA); merge it into its base model first"
        }
        _ if tensors == 0 => "0 tensors: a vocabulary, or metadata, without a model",
        _ => return None,
    };
    Some(is.to_owned())
}

/// The base model that an adapter says it is of.
pub(super) fn base_of_adapter(folder: &Path) -> Option<String> {
    let config = read_json(&folder.join("adapter_config.json")).ok()?;
    let named =
        ["base_model_name_or_path", "model"].iter().find_map(|key| config.get(*key).and_then(Json::as_str));
    named.filter(|name| !name.is_empty()).map(str::to_owned)
}

/// That an adapter lies beside full weights, and is not applied.
pub(super) fn adapter_beside(folder: &Path, names: &[String]) -> Option<String> {
    let adapter = |name: &&String| {
        let start =
            ["adapter_config.json", "adapter_model.", "adapters.", "pytorch_lora_weights.", "adapter."];
        start.iter().any(|start| name.starts_with(start)) && !name.ends_with('/')
    };
    let name = names.iter().find(adapter)?;
    let of = base_of_adapter(folder).map(|base| format!(" of {base}")).unwrap_or_default();
    Some(format!(
        "{}: an adapter{of} lies beside the weights, and is not applied; merge it to have it count",
        folder.join(name).display()
    ))
}

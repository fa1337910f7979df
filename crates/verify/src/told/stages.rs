//! Stages by the names that reports and cases give them, and what is equal at one.

use camelid_families::Stage;

/// The largest relative difference that is equal, at every tap, in f32.
pub const TOLERANCE: f64 = 1e-5;

/// How many times the tolerance of the prompt's logits those of the tokens decoded from it may be out: rounding adds up from
/// token to token, on the reference's side too.
pub(crate) const DECODED: f64 = 10.0;

/// The stage's name in reports: the words of the cases.
#[must_use]
pub fn stage_name(stage: Stage) -> &'static str {
    match stage {
        Stage::Embedding => "embedding",
        Stage::AttentionInput => "attention_input",
        Stage::Query => "query",
        Stage::Key => "key",
        Stage::Value => "value",
        Stage::Heads => "heads",
        Stage::AttentionOutput => "attention",
        Stage::MlpInput => "mlp_input",
        Stage::Experts => "experts",
        Stage::ExpertWeights => "expert_weights",
        Stage::MlpOutput => "mlp",
        Stage::Layer => "layer",
        Stage::FinalNorm => "final_norm",
    }
}

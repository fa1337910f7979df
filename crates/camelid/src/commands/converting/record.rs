//! What is written down of a conversion: `camelid-conversion.json`.

use camelid_families::{Fold, Grade};
use camelid_generate::Opened;
use serde_json::{Map, Value as Json, json};

use super::choose::Chosen;
use super::proof::Proof;
use super::written::{Rounded, Written};

/// A conversion, as it is written down.
#[derive(Debug)]
pub(super) struct Record {
    pub(super) tensors: usize,
    table: Map<String, Json>,
    rounded: Vec<Rounded>,
    /// A line about the proof.
    pub(super) proved: Option<String>,
    /// A line about the run in the engine.
    pub(super) engine: Option<String>,
}

impl Record {
    pub(super) fn new(opened: &Opened, chosen: &Chosen<'_>, written: &Written) -> Record {
        let conversion = &chosen.conversion;
        let mut table = Map::new();
        table.insert("camelid".into(), env!("CARGO_PKG_VERSION").into());
        table.insert("family".into(), chosen.family.name.as_str().into());
        if let (Some(engine), Some(form)) = (chosen.engine, chosen.form) {
            table.insert("form".into(), format!("{}@{} {}", form.name, engine.name, engine.version).into());
        }
        let (grade, within) = match conversion.grade {
            Grade::Bytes => ("bytes", None),
            Grade::Exact => ("exact", None),
            Grade::Within(tokens) => ("within", Some(tokens)),
        };
        table.insert("grade".into(), grade.into());
        table.extend(within.map(|tokens| ("within".to_owned(), tokens.into())));
        table.insert("folds".into(), conversion.folds.iter().map(fold).collect());
        let rounded = written.rounded.iter().map(|it| json!({ "tensor": it.tensor, "by": it.by }));
        table.insert("rounded".into(), rounded.collect());
        let (voice, config) = opened.voice();
        let source = json!({
            "family": voice.name, "read_as": opened.family().name, "sha256": {}, "config": config,
        });
        table.insert("source".into(), source);
        let (proved, engine) = (None, None);
        Record { tensors: written.tensors, table, rounded: written.rounded.clone(), proved, engine }
    }

    /// Files of the source's weights, each with its sum.
    pub(super) fn sum(&mut self, sums: Vec<(String, String)>) {
        let sums: Map<String, Json> = sums.into_iter().map(|(name, sum)| (name, sum.into())).collect();
        self.table["source"]["sha256"] = sums.into();
    }

    pub(super) fn prove(&mut self, proof: Option<Proof>) {
        let Some(proof) = proof else { return };
        self.proved = Some(format!(
            "read back and run: logits within {:.1e} of the source's over {} tokens, the stream within {:.1e} ({})",
            proof.error, proof.tokens, proof.stages, proof.worst
        ));
        let table = json!({
            "tokens": proof.tokens, "logits": proof.error, "stages": proof.stages, "worst_stage": proof.worst,
        });
        self.table.insert("proof".into(), table);
    }

    pub(super) fn worst_rounding(&self) -> Option<String> {
        let worst = self.rounded.iter().max_by(|a, b| a.by.total_cmp(&b.by))?;
        Some(format!(
            "{} tensors were rounded, `{}` most: by {:.1e} of its largest number",
            self.rounded.len(),
            worst.tensor,
            worst.by
        ))
    }

    pub(super) fn json(&self) -> Json {
        let mut table = self.table.clone();
        table.extend(self.engine.as_ref().map(|line| ("engine".to_owned(), line.as_str().into())));
        Json::Object(table)
    }

    pub(super) fn text(&self) -> String {
        format!("{:#}\n", self.json())
    }
}

fn fold(fold: &Fold) -> Json {
    let grade = match fold.grade {
        Grade::Bytes => "bytes".into(),
        Grade::Exact => "exact".into(),
        Grade::Within(tokens) => json!({ "within": tokens }),
    };
    json!({ "word": fold.word, "from": short(&fold.from), "to": short(&fold.to), "what": fold.what, "grade": grade })
}

/// A value; of a list of many, what it is.
fn short(value: &Json) -> Json {
    let text = value.to_string();
    if text.len() > 400 {
        format!("{} …", text.chars().take(200).collect::<String>()).into()
    } else {
        value.clone()
    }
}

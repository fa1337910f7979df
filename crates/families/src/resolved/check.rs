//! What a resolved architecture must satisfy before anything is computed with it.

use camelid_rope::Pairing;

use crate::error::Problem;
use crate::waist::architecture::{Architecture, Attention, Layer, MlpKind, Per, Rope, Wiring};
use crate::waist::roles::Role;
use crate::written::declaration::Declaration;

/// No size of a model is larger; sums and products of sizes below it can't overflow.
const LARGEST: usize = 1 << 31;

/// Every value out of range, each with the word that said it.
pub(crate) fn check(declaration: &Declaration, architecture: &Architecture) -> Vec<Problem> {
    let mut found = Found { declaration, problems: Vec::new() };
    found.outside(architecture);
    for (index, layer) in architecture.layers.iter().enumerate() {
        found.attention(index, &layer.attention);
        found.together(architecture, layer);
        if let Some(rope) = &layer.rope {
            found.rope(index, rope, architecture, layer);
        }
        found.size("mlp.width", layer.mlp.width);
        found.finite("block.branch_scale", layer.block.branch_scale);
        found.finite("block.residual_scale", layer.block.residual_scale);
        found.layer_roles(index, layer);
    }
    found.problems
}

struct Found<'a> {
    declaration: &'a Declaration,
    problems: Vec<Problem>,
}

impl Found<'_> {
    fn outside(&mut self, architecture: &Architecture) {
        self.size("embedding.vocab", architecture.embedding.vocab);
        self.size("embedding.width", architecture.embedding.width);
        self.size("block.layers", architecture.stack.layers);
        self.finite("embedding.scale", architecture.embedding.scale);
        self.finite("output.scale", architecture.output.scale);
        self.positive("output.softcap", architecture.output.softcap);
        if !(architecture.norm.eps.is_finite() && architecture.norm.eps >= 0.0) {
            self.push("norm.eps", format!("{} is no small positive number", architecture.norm.eps));
        }
        self.finite("norm.offset", architecture.norm.offset);
        let has = |role| architecture.tensor(None, role).is_some();
        if !has(Role::Embedding) {
            self.role(Role::Embedding, "every model looks its tokens up in");
        }
        if !has(Role::Output) && !architecture.output.tie {
            self.role(Role::Output, "an untied model needs for its logits");
        }
    }

    fn attention(&mut self, layer: usize, attention: &Attention) {
        self.size("attention.heads", attention.heads);
        self.size("attention.head_dim", attention.head_dim);
        let kv_heads = attention.kv_heads;
        if kv_heads == 0 || !attention.heads.is_multiple_of(kv_heads) {
            let message = format!("{kv_heads} kv heads do not divide {} heads", attention.heads);
            self.push("attention.kv_heads", message);
        }
        self.finite("attention.scale", attention.scale);
        self.positive("attention.softcap", attention.softcap);
        if attention.window == Some(0) {
            self.push(
                "attention.window",
                format!("layer {layer}: a window of 0 lets a query see nothing; `none` is no window"),
            );
        }
        if attention.logn.is_some_and(|trained| trained < 2) {
            self.push("attention.logn", "the base of the logarithm must be at least 2".into());
        }
        if let Some(Err(error)) = attention.dual_chunk.as_ref().map(|dual_chunk| dual_chunk.check()) {
            self.push("attention.dual_chunk", error.to_string());
        }
    }

    /// Words that are not defined beside each other.
    fn together(&mut self, architecture: &Architecture, layer: &Layer) {
        let windowed = layer.attention.window.is_some();
        if windowed && architecture.prefix.is_some() {
            self.push("attention.window", "a window beside a two-way [prefix] is not defined".into());
        }
        if layer.attention.dual_chunk.is_none() {
            return;
        }
        if windowed {
            let message = "dual chunks and a window on the same layer are not defined";
            self.push("attention.dual_chunk", message.into());
        }
        let turns_so = |rope: &Rope| rope.axes == 1 && rope.pairing == Pairing::Half;
        if !layer.rope.as_ref().is_some_and(turns_so) {
            let message = "dual chunks need rotary turns of half pairs on one axis";
            self.push("attention.dual_chunk", message.into());
        }
    }

    fn rope(&mut self, index: usize, rope: &Rope, architecture: &Architecture, layer: &Layer) {
        if !(rope.fraction > 0.0 && rope.fraction <= 1.0) {
            self.push("rope.fraction", format!("{} is not above 0 and at most 1", rope.fraction));
            return;
        }
        let rotary_dim = rope.rotary_dim(layer.attention.head_dim);
        if rotary_dim < 2 || !rotary_dim.is_multiple_of(2 * rope.axes.max(1)) {
            let message = format!(
                "layer {index}: {rotary_dim} of {} features turn, which is no positive multiple of {}",
                layer.attention.head_dim,
                2 * rope.axes.max(1)
            );
            self.push("rope.fraction", message);
            return;
        }
        if !(1..=2).contains(&rope.axes) {
            self.push("rope.axes", format!("{} axes; there are 1 and 2", rope.axes));
        }
        if rope.axes == 2 && architecture.prefix.is_none() {
            self.push("rope.axes", "2 axes need [prefix], which counts their places".into());
        }
        if let Err(error) = rope.check(layer.attention.head_dim) {
            self.push("rope.scaling", format!("layer {index}: {error}"));
        }
    }

    fn layer_roles(&mut self, index: usize, layer: &Layer) {
        let has = |role: Role| layer.tensors.iter().any(|named| named.roles.contains(&role));
        for role in [Role::Query, Role::Key, Role::Value, Role::AttentionOutput, Role::Up, Role::Down] {
            if !has(role) {
                self.role(role, "every layer needs");
            }
        }
        for named in layer.tensors.iter().filter(|named| named.by_head()) {
            let of_heads = matches!(named.roles[..], [Role::QueryNorm | Role::KeyNorm]);
            if !of_heads || named.per != Per::EachHead {
                let message =
                    "{head} in a name is for the norm of queries or of keys, with per = \"each_head\"";
                self.push(&format!("tensors.{}", named.roles[0]), message.into());
            }
        }
        match layer.mlp.kind {
            MlpKind::Gated if !has(Role::Gate) => self.role(Role::Gate, "a gated MLP needs"),
            MlpKind::Plain if has(Role::Gate) => {
                self.push(
                    "mlp.kind",
                    format!("layer {index}: a plain MLP has no gate, but a tensor is named for one"),
                );
            }
            MlpKind::Gated | MlpKind::Plain => {}
        }
        if layer.block.residual == crate::Residual::Norm && layer.block.wiring == Wiring::Parallel {
            self.push(
                "block.residual",
                "a residual from the norm is defined for sequential wiring only".into(),
            );
        }
    }

    fn size(&mut self, word: &str, value: usize) {
        if value == 0 || value > LARGEST {
            self.push(word, format!("{value} is not between 1 and {LARGEST}"));
        }
    }

    fn finite(&mut self, word: &str, value: f64) {
        if !value.is_finite() {
            self.push(word, format!("{value} is not a finite number"));
        }
    }

    fn positive(&mut self, word: &str, value: Option<f64>) {
        if let Some(value) = value.filter(|value| !(value.is_finite() && *value > 0.0)) {
            self.push(word, format!("{value} is not above zero; `none` takes it away"));
        }
    }

    fn role(&mut self, role: Role, why: &str) {
        self.add(Problem::MissingRole { role, why: why.to_owned() });
    }

    fn push(&mut self, word: &str, message: String) {
        let origin = self.declaration.origin(word).cloned();
        self.add(Problem::Value { word: word.to_owned(), message, origin });
    }

    fn add(&mut self, problem: Problem) {
        if !self.problems.contains(&problem) {
            self.problems.push(problem);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Library;

    /// No number out of JSON is infinite, but an architecture may come from elsewhere.
    #[test]
    fn a_number_that_is_not_finite_is_refused_with_its_word() {
        type Place = fn(&mut Architecture) -> &mut f64;
        let places: [(&str, Place); 7] = [
            ("embedding.scale", |it| &mut it.embedding.scale),
            ("output.scale", |it| &mut it.output.scale),
            ("norm.eps", |it| &mut it.norm.eps),
            ("norm.offset", |it| &mut it.norm.offset),
            ("attention.scale", |it| &mut it.layers[1].attention.scale),
            ("block.branch_scale", |it| &mut it.layers[1].block.branch_scale),
            ("block.residual_scale", |it| &mut it.layers[1].block.residual_scale),
        ];
        let library = Library::built_in().expect("the built-in families");
        let family = library.families().next().expect("a family");
        let sound = family.resolve(&family.sizes[0].config, &[]).expect("a published size");
        for (word, place) in places {
            for value in [f64::INFINITY, f64::NEG_INFINITY, f64::NAN] {
                let mut architecture = sound.clone();
                *place(&mut architecture) = value;
                let problems: Vec<_> = check(family, &architecture).iter().map(Problem::to_string).collect();
                let said = problems.len() == 1 && problems[0].starts_with(&format!("{word}: {value} is no"));
                assert!(said, "{word} = {value}: {problems:?}");
            }
        }
    }
}

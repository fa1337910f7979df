//! What a resolved architecture must satisfy before anything is computed with it.

use camelid_rope::Pairing;

use crate::error::Problem;
use crate::waist::architecture::{
    Architecture, Attention, Block, Embedding, Layer, MlpKind, Norm, Output, Residual, Rest, Rope, Stack,
    Wiring,
};
use crate::waist::named::Per;
use crate::waist::roles::Role;
use crate::written::declaration::Declaration;

/// No size of a model is larger; sums and products of sizes below it can't overflow.
const LARGEST: usize = 1 << 31;

/// Every value out of range, each with the word that said it.
///
/// Every struct is taken apart word by word, so that a new one does not compile until somebody says what it may be. What is
/// left as `_` may be anything that its type takes.
pub(crate) fn check(declaration: &Declaration, architecture: &Architecture) -> Vec<Problem> {
    let mut found = Found { declaration, problems: Vec::new() };
    found.outside(architecture);
    for (index, layer) in architecture.layers.iter().enumerate() {
        let Layer { block, attention, latent, delta, rope, mlp, experts, tensors } = layer;
        found.attention(index, attention);
        found.together(architecture, layer);
        if let Some(rope) = rope {
            found.rope(index, rope, architecture, layer);
        }
        found.mlp(layer, mlp);
        if let Some(latent) = latent {
            found.latent(index, latent, layer);
        }
        if let Some(delta) = delta {
            found.delta(index, delta, layer);
            if architecture.prefix.is_some() {
                let message = format!("layer {index}: beside a two-way [prefix] a state is not defined");
                found.push("delta.value_heads", message);
            }
        }
        if let Some(experts) = experts {
            found.experts(index, experts, layer);
        }
        found.source(index, attention.source, architecture);
        found.named(tensors);
        found.packed(index, architecture);
        let &Block { wiring: _, branch_scale, residual: _, residual_scale } = block;
        found.finite("block.branch_scale", branch_scale);
        found.finite("block.residual_scale", residual_scale);
        found.layer_roles(index, layer);
    }
    found.named(&architecture.tensors);
    found.count_experts(architecture);
    found.problems
}

/// What a layer needs wherever it has room for it.
const NEEDED: [Role; 32] = [
    Role::QueryDown,
    Role::QueryDownNorm,
    Role::Query,
    Role::Key,
    Role::Value,
    Role::LatentDown,
    Role::LatentNorm,
    Role::LatentUp,
    Role::AttentionOutput,
    Role::DeltaQuery,
    Role::DeltaKey,
    Role::DeltaValue,
    Role::DeltaQueryConv,
    Role::DeltaKeyConv,
    Role::DeltaValueConv,
    Role::DeltaRate,
    Role::DeltaDecayDown,
    Role::DeltaDecay,
    Role::DeltaDecayBias,
    Role::DeltaDecayLog,
    Role::DeltaGateDown,
    Role::DeltaGate,
    Role::DeltaOutput,
    Role::Up,
    Role::Down,
    Role::Router,
    Role::ExpertGate,
    Role::ExpertUp,
    Role::ExpertDown,
    Role::SharedGate,
    Role::SharedUp,
    Role::SharedDown,
];

pub(super) struct Found<'a> {
    declaration: &'a Declaration,
    problems: Vec<Problem>,
}

impl Found<'_> {
    fn outside(&mut self, architecture: &Architecture) {
        // A prefix is looked for in the tokens, which check it.
        let Architecture {
            embedding,
            stack,
            norm,
            layers: _,
            output,
            per_layer,
            prefix: _,
            tensors: _,
            inert: _,
        } = architecture;
        if let Some(per_layer) = per_layer {
            self.per_layer(per_layer, architecture);
        }
        let &Embedding { vocab, width, scale } = embedding;
        self.size("embedding.vocab", vocab);
        self.size("embedding.width", width);
        self.finite("embedding.scale", scale);
        let &Stack { layers, context: _ } = stack;
        self.size("block.layers", layers);
        let &Output { tie, unit_rows: _, scale, softcap } = output;
        self.finite("output.scale", scale);
        self.positive("output.softcap", softcap);
        let &Norm { kind: _, eps, offset } = norm;
        if !(eps.is_finite() && eps >= 0.0) {
            self.push("norm.eps", format!("{eps} is no small positive number"));
        }
        self.finite("norm.offset", offset);
        let has = |role| architecture.tensor(None, role).is_some();
        if !has(Role::Embedding) {
            self.role(Role::Embedding, "every model looks its tokens up in");
        }
        if !has(Role::Output) && !tie {
            self.role(Role::Output, "an untied model needs for its logits");
        }
    }

    fn attention(&mut self, layer: usize, attention: &Attention) {
        let Attention {
            heads,
            kv_heads,
            head_dim,
            scale,
            softcap,
            window,
            chunk,
            logn,
            temperature,
            values: _,
            source: _,
            dual_chunk,
            position: _,
        } = attention;
        self.size("attention.heads", *heads);
        self.size("attention.head_dim", *head_dim);
        if *kv_heads == 0 || !heads.is_multiple_of(*kv_heads) {
            self.push("attention.kv_heads", format!("{kv_heads} kv heads do not divide {heads} heads"));
        }
        self.finite("attention.scale", *scale);
        self.positive("attention.softcap", *softcap);
        if *window == Some(0) {
            self.push(
                "attention.window",
                format!("layer {layer}: a window of 0 lets a query see nothing; `none` is no window"),
            );
        }
        if *chunk == Some(0) {
            let message = format!("layer {layer}: a chunk of 0 places holds no key; `none` is no chunk");
            self.push("attention.chunk", message);
        }
        if let Some(temperature) = temperature {
            self.temperature(temperature);
        }
        if logn.is_some_and(|trained| trained < 2) {
            self.push("attention.logn", "the base of the logarithm must be at least 2".into());
        }
        if let Some(Err(error)) = dual_chunk.as_ref().map(|dual_chunk| dual_chunk.check()) {
            self.push("attention.dual_chunk", error.to_string());
        }
    }

    /// Words that are not defined beside each other.
    fn together(&mut self, architecture: &Architecture, layer: &Layer) {
        let windowed = layer.attention.window.is_some();
        if windowed && architecture.prefix.is_some() {
            self.push("attention.window", "a window beside a two-way [prefix] is not defined".into());
        }
        let chunked = layer.attention.chunk.is_some();
        if chunked && architecture.prefix.is_some() {
            self.push("attention.chunk", "chunks beside a two-way [prefix] are not defined".into());
        }
        if chunked && windowed {
            self.push("attention.chunk", "a chunk and a window on the same layer are not defined".into());
        }
        if layer.attention.dual_chunk.is_none() {
            return;
        }
        if chunked {
            let message = "dual chunks and chunks on the same layer are not defined";
            self.push("attention.dual_chunk", message.into());
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
        // theta, context and scaling are checked together, by the crate that knows the formulas.
        let &Rope { theta: _, pairing: _, fraction, rest, context: _, scaling: _, length: _, axes, round: _ } =
            rope;
        if !(fraction > 0.0 && fraction <= 1.0) {
            self.push("rope.fraction", format!("{fraction} is not above 0 and at most 1"));
            return;
        }
        let head_dim = layer.turning_dim();
        let rotary_dim = rope.rotary_dim(head_dim);
        if rest == Rest::Slowest && (axes != 1 || rope.turning_pairs(head_dim) == 0) {
            let message = format!("layer {index}: of {head_dim} features on {axes} axes no pair turns");
            self.push("rope.rest", message);
        }
        if rotary_dim < 2 || !rotary_dim.is_multiple_of(2 * axes.max(1)) {
            let message = format!(
                "layer {index}: {rotary_dim} of {} features turn, which is no positive multiple of {}",
                head_dim,
                2 * axes.max(1)
            );
            self.push("rope.fraction", message);
            return;
        }
        if !(1..=2).contains(&axes) {
            self.push("rope.axes", format!("{axes} axes; there are 1 and 2"));
        }
        if axes == 2 && architecture.prefix.is_none() {
            self.push("rope.axes", "2 axes need [prefix], which counts their places".into());
        }
        if let Err(error) = rope.check(head_dim) {
            self.push("rope.scaling", format!("layer {index}: {error}"));
        }
    }

    fn layer_roles(&mut self, index: usize, layer: &Layer) {
        let has = |role: Role| layer.tensors.iter().any(|named| named.roles.contains(&role));
        for role in NEEDED.into_iter().filter(|role| layer.has_room_for(*role)) {
            if !has(role) {
                self.role(role, &format!("layer {index} needs"));
            }
        }
        for named in layer.tensors.iter().filter(|named| named.is_per_head()) {
            let of_heads = matches!(named.roles[..], [Role::QueryNorm | Role::KeyNorm]);
            if !of_heads || named.per != Per::EachHead {
                let message =
                    "{head} in a name is for the norm of queries or of keys, with per = \"each_head\"";
                self.push(&format!("tensors.{}", named.roles[0]), message.into());
            }
        }
        match layer.mlp.kind {
            MlpKind::Gated if layer.has_room_for(Role::Gate) && !has(Role::Gate) => {
                self.role(Role::Gate, "a gated MLP needs");
            }
            MlpKind::Plain if has(Role::Gate) => {
                self.push(
                    "mlp.kind",
                    format!("layer {index}: a plain MLP has no gate, but a tensor is named for one"),
                );
            }
            MlpKind::Gated | MlpKind::Plain => {}
        }
        if layer.block.residual == Residual::Norm && layer.block.wiring == Wiring::Parallel {
            self.push(
                "block.residual",
                "a residual from the norm is defined for sequential wiring only".into(),
            );
        }
    }

    pub(super) fn size(&mut self, word: &str, value: usize) {
        if value == 0 || value > LARGEST {
            self.push(word, format!("{value} is not between 1 and {LARGEST}"));
        }
    }

    pub(super) fn finite(&mut self, word: &str, value: f64) {
        if !value.is_finite() {
            self.push(word, format!("{value} is not a finite number"));
        }
    }

    pub(super) fn positive(&mut self, word: &str, value: Option<f64>) {
        if let Some(value) = value.filter(|value| !(value.is_finite() && *value > 0.0)) {
            self.push(word, format!("{value} is not above zero; `none` takes it away"));
        }
    }

    pub(super) fn role(&mut self, role: Role, why: &str) {
        self.add(Problem::MissingRole { role, why: why.to_owned() });
    }

    pub(super) fn push(&mut self, word: &str, message: String) {
        let origin = self.declaration.origin(word).cloned();
        self.add(Problem::Value { word: word.to_owned(), message, origin });
    }

    pub(super) fn add(&mut self, problem: Problem) {
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

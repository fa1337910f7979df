//! The branches of a layer, row by row: attention or a delta net, MLP or experts, the layer's own embedding.
//!
//! Every word of a layer is taken apart by name, so that a new one does not compile until it has a place in the drawing.

use camelid_families::{
    Architecture, At, Attention, Delta, Experts, Latent, Mlp, MlpKind, Position, Role, Rope, Values,
};

use crate::facts::said::{significant, thousands};
use crate::site::layer::boxes::{Box, Drawer};

type Rows = Vec<Vec<Box>>;

fn number(count: usize) -> String {
    thousands(count as u64)
}

/// The rows of attention, or of what stands in its place.
pub(crate) fn attention(architecture: &Architecture, layer: usize) -> Rows {
    let drawer = Drawer { architecture, layer };
    let words = &architecture.layers[layer];
    let mut rows = Rows::new();
    rows.extend(drawer.row(&[(Role::AttentionNorm, "norm")]));
    match &words.delta {
        Some(delta) => delta_net(&drawer, delta, &mut rows),
        None => {
            projections(&drawer, words.latent.as_ref(), &words.attention, &mut rows);
            turned(&drawer, &words.attention, words.rope.as_ref(), &mut rows);
            rows.push(vec![scores(&words.attention)]);
            rows.extend(drawer.row(&[(Role::Sink, "sink: a logit without a value")]));
            rows.extend(drawer.row(&[(Role::AttentionGate, "× σ(gate x)")]));
            rows.extend(drawer.row(&[(Role::AttentionOutput, "output")]));
        }
    }
    rows.extend(drawer.row(&[(Role::AttentionOutputNorm, "norm behind")]));
    rows
}

fn projections(drawer: &Drawer<'_>, latent: Option<&Latent>, attention: &Attention, rows: &mut Rows) {
    if let Some(Latent { rank, query_rank: _, unturned, turned, value_dim }) = latent {
        rows.extend(drawer.row(&[(Role::QueryDown, "query down"), (Role::LatentDown, "latent down")]));
        rows.extend(drawer.row(&[(Role::QueryDownNorm, "norm"), (Role::LatentNorm, "norm")]));
        rows.extend(drawer.row(&[(Role::Query, "query"), (Role::LatentUp, "key and value of each head")]));
        let detail = format!(
            "cached: {rank} + {turned}; head: {unturned} unturned + {turned} turned, value {value_dim}"
        );
        let words = ["latent"];
        rows.push(vec![Box::step("latent attention", detail, &words)]);
        return;
    }
    let mut row =
        drawer.row(&[(Role::Query, "query"), (Role::Key, "key"), (Role::Value, "value")]).unwrap_or_default();
    if let Some(source) = attention.source {
        row.push(Box::step("keys and values", format!("those of layer {source}"), &["attention.source"]));
    } else if attention.values == Values::Key {
        row.push(Box::step("value", "the key, unturned".into(), &["attention.values"]));
    }
    rows.push(row);
    let heads = format!(
        "{} query heads, {} of keys and values, of {}",
        attention.heads, attention.kv_heads, attention.head_dim
    );
    let words = ["attention.heads", "attention.kv_heads", "attention.head_dim"];
    rows.push(vec![Box::step("heads", heads, &words)]);
}

/// Norms of heads, and the turn between them.
fn turned(drawer: &Drawer<'_>, attention: &Attention, rope: Option<&Rope>, rows: &mut Rows) {
    let norms =
        [(Role::QueryNorm, "query norm"), (Role::KeyNorm, "key norm"), (Role::ValueNorm, "value norm")];
    let when = |at: At| {
        let is_then = |role: Role| {
            drawer.architecture.tensor(Some(drawer.layer), role).is_some_and(|named| named.at == at)
        };
        let now: Vec<_> = norms.iter().copied().filter(|(role, _)| is_then(*role)).collect();
        drawer.row(&now)
    };
    rows.extend(when(At::BeforeRope));
    match (attention.position, rope) {
        (Position::Rope, Some(rope)) => rows.push(vec![turn(rope)]),
        (Position::Alibi, _) => {
            let detail = "score − slope · distance, a slope for each head".into();
            rows.push(vec![Box::step("ALiBi", detail, &["attention.position"])]);
        }
        (Position::None, _) | (Position::Rope, None) => {
            let detail = "nothing tells the place".into();
            rows.push(vec![Box::step("no turn", detail, &["attention.position"])]);
        }
    }
    rows.extend(when(At::AfterRope));
    let Attention { logn, temperature, .. } = attention;
    if let Some(n) = logn {
        let detail = format!("q · max(1, log of place to base {})", number(*n));
        rows.push(vec![Box::step("log-n", detail, &["attention.logn"])]);
    }
    if let Some(it) = temperature {
        let detail = format!("q · (1 + {} ln(1 + ⌊place / {}⌋))", significant(it.beta, 3), number(it.length));
        rows.push(vec![Box::step("temperature", detail, &["attention.temperature"])]);
    }
}

fn turn(rope: &Rope) -> Box {
    let Rope { theta, pairing, fraction, rest: _, context: _, scaling, length: _, axes, round: _ } = rope;
    let pairing = serde_json::to_value(pairing).unwrap_or_default();
    let mut detail =
        format!("theta {}, {} pairs", significant(*theta, 7), pairing.as_str().unwrap_or_default());
    if *fraction != 1.0 {
        detail += &format!(", {} of a head", significant(*fraction, 4));
    }
    if *axes != 1 {
        detail += &format!(", {axes} axes");
    }
    if let Some(scaling) = scaling {
        let kind = serde_json::to_value(scaling).unwrap_or_default();
        detail += &format!(", {}", kind["rope_type"].as_str().unwrap_or_default());
    }
    let words = ["attention.position", "rope"];
    Box::step("turn query and key", detail, &words)
}

fn scores(attention: &Attention) -> Box {
    let &Attention {
        heads: _,
        kv_heads: _,
        head_dim: _,
        scale,
        softcap,
        window,
        chunk,
        logn: _,
        temperature: _,
        values: _,
        source: _,
        dual_chunk,
        position: _,
    } = attention;
    let mut title = "softmax(q·k · scale".to_owned();
    let mut detail = format!("scale {}", significant(scale, 4));
    if let Some(cap) = softcap {
        title = "softmax(cap(q·k · scale)".into();
        detail += &format!(", cap {}", significant(cap, 4));
    }
    match (window, chunk, dual_chunk) {
        (_, _, Some(dual)) => {
            title += ", dual chunks";
            detail += &format!(", chunks of {}", number(dual.chunk_size - dual.local_size));
        }
        (Some(window), _, None) => {
            title += ", window";
            detail += &format!(", sees {} keys", number(window));
        }
        (None, Some(chunk), None) => {
            title += ", chunk";
            detail += &format!(", chunks of {}", number(chunk));
        }
        (None, None, None) => {}
    }
    title += ") · v";
    let words = [
        "attention.scale",
        "attention.softcap",
        "attention.window",
        "attention.chunk",
        "attention.dual_chunk",
    ];
    Box { kind: "core", ..Box::step(&title, detail, &words) }
}

fn delta_net(drawer: &Drawer<'_>, delta: &Delta, rows: &mut Rows) {
    let &Delta {
        key_heads,
        value_heads,
        share: _,
        key_dim,
        value_dim,
        conv_width,
        decay: _,
        floor: _,
        decay_rank: _,
        gate_rank: _,
        rate_scale: _,
        eps: _,
        activation: _,
        gate: _,
    } = delta;
    rows.extend(drawer.row(&[
        (Role::DeltaQuery, "query"),
        (Role::DeltaKey, "key"),
        (Role::DeltaValue, "value"),
    ]));
    rows.extend(drawer.row(&[
        (Role::DeltaQueryConv, "conv"),
        (Role::DeltaKeyConv, "conv"),
        (Role::DeltaValueConv, "conv"),
    ]));
    let detail = format!("act over {conv_width} tokens; query and key of length one");
    let words = ["delta.conv_width", "delta.activation"];
    rows.push(vec![Box::step("act, unit length", detail, &words)]);
    rows.extend(drawer.row(&[(Role::DeltaDecayDown, "decay down")]));
    rows.extend(drawer.row(&[(Role::DeltaRate, "rate β"), (Role::DeltaDecay, "decay a")]));
    rows.extend(drawer.row(&[(Role::DeltaDecayBias, "b"), (Role::DeltaDecayLog, "A")]));
    let detail = format!("{key_heads} key heads, {value_heads} value heads, each {value_dim} × {key_dim}");
    let words = ["delta"];
    rows.push(vec![Box {
        kind: "core", ..Box::step("S ← S·e^g + β(v − S k)kᵀ, o = S q", detail, &words)
    }]);
    rows.extend(drawer.row(&[(Role::DeltaNorm, "norm of each head")]));
    rows.extend(drawer.row(&[(Role::DeltaGateDown, "gate down")]));
    let mut gate = drawer.row(&[(Role::DeltaGate, "× gate(x)")]).unwrap_or_default();
    gate.iter_mut().for_each(|it| it.words.extend(["delta.gate".to_owned(), "delta.gate_rank".to_owned()]));
    if !gate.is_empty() {
        rows.push(gate);
    }
    rows.extend(drawer.row(&[(Role::DeltaOutput, "output")]));
}

/// The rows of the MLP: plain, experts, or both.
pub(crate) fn mlp(architecture: &Architecture, layer: usize) -> Rows {
    let drawer = Drawer { architecture, layer };
    let words = &architecture.layers[layer];
    let mut rows = Rows::new();
    rows.extend(drawer.row(&[(Role::MlpNorm, "norm")]));
    if words.experts.as_ref().is_none_or(|experts| experts.beside) {
        rows.extend(drawer.row(&[(Role::Gate, "gate"), (Role::Up, "up")]));
        rows.push(vec![act(&words.mlp)]);
        rows.extend(drawer.row(&[(Role::Down, "down")]));
        rows.extend(drawer.row(&[(Role::DenseOutputNorm, "norm of the plain MLP")]));
    }
    if let Some(experts) = &words.experts {
        mixture(&drawer, experts, &words.mlp, &mut rows);
    }
    rows.extend(drawer.row(&[(Role::MlpOutputNorm, "norm behind")]));
    rows
}

fn act(mlp: &Mlp) -> Box {
    let &Mlp { kind, width: _, activation, alpha, limit, shift } = mlp;
    let name = serde_json::to_value(activation).unwrap_or_default();
    let name = name.as_str().unwrap_or_default();
    let mut detail = match kind {
        MlpKind::Gated => format!("{name}(gate) ⊙ up"),
        MlpKind::Plain => format!("{name}(up)"),
    };
    for (what, value) in
        [("α", alpha), ("limit", limit), ("shift", Some(shift).filter(|shift| *shift != 0.0))]
    {
        if let Some(value) = value {
            detail += &format!(", {what} {}", significant(value, 4));
        }
    }
    let words = ["mlp"];
    Box { kind: "core", ..Box::step("activation", detail, &words) }
}

fn mixture(drawer: &Drawer<'_>, experts: &Experts, mlp: &Mlp, rows: &mut Rows) {
    let Experts {
        count,
        chosen,
        width: _,
        score,
        over: _,
        groups,
        groups_kept,
        group_by: _,
        normalise: _,
        scale: _,
        weigh: _,
        shared,
        beside: _,
    } = experts;
    rows.extend(drawer.row(&[(Role::RouterNorm, "router norm"), (Role::ExpertsNorm, "experts norm")]));
    rows.extend(drawer.row(&[(Role::Router, "router")]));
    rows.extend(drawer.row(&[(Role::RouterCorrection, "correction"), (Role::RouterFactor, "factors")]));
    let score = serde_json::to_value(score).unwrap_or_default();
    let mut detail = format!("{chosen} of {count} by {}", score.as_str().unwrap_or_default());
    if *groups > 1 {
        detail += &format!(", from {} of {groups} groups", groups_kept.unwrap_or(*groups));
    }
    let words = ["experts"];
    rows.push(vec![Box { kind: "core", ..Box::step("choose", detail, &words) }]);
    rows.extend(drawer.row(&[(Role::ExpertGate, "gate of each"), (Role::ExpertUp, "up of each")]));
    let mut inner = act(mlp);
    inner.words.push("experts.width".into());
    rows.push(vec![inner]);
    rows.extend(drawer.row(&[(Role::ExpertDown, "down of each")]));
    if shared.is_some() {
        let mut row = drawer
            .row(&[
                (Role::SharedGate, "shared gate"),
                (Role::SharedUp, "shared up"),
                (Role::SharedDown, "shared down"),
            ])
            .unwrap_or_default();
        row.iter_mut().for_each(|it| it.words.push("experts.shared".into()));
        rows.push(row);
        rows.extend(drawer.row(&[(Role::SharedScore, "× σ(x·w)")]));
    }
    rows.extend(drawer.row(&[(Role::ExpertsOutputNorm, "norm of the experts")]));
}

/// The rows of the layer's own embedding; none where there is none.
pub(crate) fn own_embedding(architecture: &Architecture, layer: usize) -> Rows {
    let drawer = Drawer { architecture, layer };
    let mut rows = Rows::new();
    rows.extend(drawer.row(&[(Role::LayerGate, "gate")]));
    rows.extend(drawer.row(&[(Role::LayerOutput, "output of act(gate x) ⊙ e")]));
    rows.extend(drawer.row(&[(Role::LayerOutputNorm, "norm behind")]));
    rows.extend(drawer.row(&[(Role::LayerScale, "the stream is multiplied by")]));
    rows
}

//! Every word of the mathematics, by taking apart the structs that hold them: a new one does not compile until it stands here,
//! and then not until it has a line in each list that must know it.

use camelid_families::{
    Attention, Block, Delta, Embedding, Experts, Latent, Mlp, Norm, Output, PerLayer, Prefix, Rope, Stack,
};

macro_rules! every_word {
    ($($type:ident as $table:literal { $($word:ident),* $(,)? })*) => {
        /// `table.key` of each.
        pub(crate) const EVERY_WORD: &[&str] = &[$($(concat!($table, ".", stringify!($word))),*),*];
        $(const _: fn(&$type) = |$type { $($word: _),* }| {};)*
    };
}

every_word! {
    Embedding as "embedding" { vocab, width, scale }
    Stack as "block" { layers, context }
    Block as "block" { wiring, branch_scale, residual, residual_scale }
    Norm as "norm" { kind, eps, offset }
    PerLayer as "per_layer" { width, vocab, scale, projection_scale, joint_scale }
    Attention as "attention" {
        heads, kv_heads, head_dim, scale, softcap, window, chunk, logn, temperature, values, source, dual_chunk, position,
    }
    Latent as "latent" { rank, query_rank, unturned, turned, value_dim }
    Delta as "delta" {
        key_heads, value_heads, share, key_dim, value_dim, conv_width, decay, floor, decay_rank, gate_rank, rate_scale, eps,
        activation, gate,
    }
    Rope as "rope" { theta, pairing, fraction, rest, context, scaling, length, axes, round }
    Prefix as "prefix" { until, hold }
    Mlp as "mlp" { kind, width, activation, alpha, limit, shift }
    Experts as "experts" {
        count, chosen, width, score, over, groups, groups_kept, group_by, normalise, scale, weigh, shared, beside,
    }
    Output as "output" { tie, unit_rows, scale, softcap }
}

/// Refuses to compile where a word has no line in a list of lines with a field `word`, and is none of those that `but` names.
macro_rules! knows_every_word {
    ($list:expr, but $but:expr) => {
        const _: () = {
            let words = $crate::changes::every_word::EVERY_WORD;
            let (mut at, but): (usize, &[&str]) = (0, &$but);
            while at < words.len() {
                let (mut known, mut line) = (false, 0);
                while line < $list.len() {
                    known |= $crate::changes::every_word::same($list[line].word, words[at]);
                    line += 1;
                }
                line = 0;
                while line < but.len() {
                    known |= $crate::changes::every_word::same(but[line], words[at]);
                    line += 1;
                }
                assert!(known, "a word has no line in this list");
                at += 1;
            }
        };
    };
}

pub(crate) use knows_every_word;

/// Whether two names are equal, where the compiler asks.
pub(crate) const fn same(a: &str, b: &str) -> bool {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    let mut at = 0;
    while at < a.len() && at < b.len() && a[at] == b[at] {
        at += 1;
    }
    at == a.len() && at == b.len()
}

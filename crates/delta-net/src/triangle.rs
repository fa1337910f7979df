//! What the tokens of a chunk are to one another: lower triangles that fade with distance, and the system that they make.

use std::ops::Range;

use camelid_kernels::{Backend, Rows};

use crate::head::OfHead;

/// c, the running sum of g, `[tokens]` or `[tokens, key_dim]`. In f64, since what is raised are differences of it.
pub(crate) struct Fading {
    sums: Vec<f64>,
    each: usize,
}

impl Fading {
    pub(crate) fn of(decay: &[f32], tokens: usize) -> Self {
        let each = decay.len() / tokens;
        let mut sums: Vec<f64> = decay.iter().map(|g| f64::from(*g)).collect();
        for at in each..sums.len() {
            sums[at] += sums[at - each];
        }
        Fading { sums, each }
    }

    /// c of a token, and of a feature where each fades by itself.
    pub(crate) fn at(&self, token: usize, feature: usize) -> f64 {
        self.sums[token * self.each + feature]
    }

    /// e^f of every token and feature.
    pub(crate) fn factors(&self, f: impl Fn(usize, usize) -> f64, backend: &Backend) -> Vec<f32> {
        self.raised(0..self.sums.len() / self.each, f, backend)
    }

    /// e^f of some tokens and every feature.
    fn raised(&self, tokens: Range<usize>, f: impl Fn(usize, usize) -> f64, backend: &Backend) -> Vec<f32> {
        let all = tokens.flat_map(|token| (0..self.each).map(move |feature| (token, feature)));
        let mut out: Vec<f32> = all.map(|(token, feature)| f(token, feature) as f32).collect();
        backend.exp(&mut out);
        out
    }
}

/// Two triangles `[tokens, tokens]`, zeros above.
pub(crate) struct Triangles {
    /// A_ij = β_i k_i·k_j e^(c_i − c_j), j < i.
    pub(crate) among_keys: Vec<f32>,
    /// M_ij = q_i·k_j e^(c_i − c_j), j ≤ i.
    pub(crate) of_queries: Vec<f32>,
}

impl Triangles {
    pub(crate) fn of(own: &OfHead, fading: &Fading, key_dim: usize, backend: &Backend) -> Self {
        let count = own.rate.len();
        let mut made = if fading.each == 1 {
            by_head(own, fading, backend)
        } else {
            let zeros = || vec![0.0; count * count];
            let mut made = Triangles { among_keys: zeros(), of_queries: zeros() };
            made.by_halves(own, fading, (0..count, key_dim), backend);
            made
        };
        for (row, rate) in made.among_keys.chunks_exact_mut(count).zip(&own.rate) {
            row.iter_mut().for_each(|x| *x *= rate);
        }
        made
    }

    /// The rows of the second half against the first, both faded to where they meet: c falls, so both exponents are at
    /// most 0; and each half by itself.
    fn by_halves(
        &mut self,
        own: &OfHead,
        fading: &Fading,
        (places, key_dim): (Range<usize>, usize),
        backend: &Backend,
    ) {
        let count = own.rate.len();
        let part = |x: &[f32], of: &Range<usize>| x[of.start * key_dim..of.end * key_dim].to_vec();
        if places.len() == 1 {
            let at = places.start;
            self.of_queries[at * count + at] =
                backend.dot(&part(&own.queries, &places), &part(&own.keys, &places));
            return;
        }
        let cut = places.start + places.len() / 2;
        let (first, second) = (places.start..cut, cut..places.end);
        let meets = |feature| fading.at(cut - 1, feature);
        let before = fading.raised(first.clone(), |at, f| meets(f) - fading.at(at, f), backend);
        let after = fading.raised(second.clone(), |at, f| fading.at(at, f) - meets(f), backend);
        let faded = |mut x: Vec<f32>, by: &[f32]| {
            backend.times(&mut x, by);
            x
        };
        let keys = faded(part(&own.keys, &first), &before);
        let mut rows = faded(part(&own.keys, &second), &after);
        rows.extend(faded(part(&own.queries, &second), &after));
        let [made] = backend.multiply(&rows, 2 * second.len(), [Rows::F32(&keys)]);
        let (of_keys, of_queries) = made.split_at(second.len() * first.len());
        for (to, from) in [(&mut self.among_keys, of_keys), (&mut self.of_queries, of_queries)] {
            for (row, at) in from.chunks_exact(first.len()).zip(second.clone()) {
                to[at * count + first.start..at * count + first.end].copy_from_slice(row);
            }
        }
        self.by_halves(own, fading, (first, key_dim), backend);
        self.by_halves(own, fading, (second, key_dim), backend);
    }
}

/// One decay for all features: it multiplies the products.
fn by_head(own: &OfHead, fading: &Fading, backend: &Backend) -> Triangles {
    let count = own.rate.len();
    let [mut among_keys] = backend.multiply(&own.keys, count, [Rows::F32(&own.keys)]);
    let [mut of_queries] = backend.multiply(&own.queries, count, [Rows::F32(&own.keys)]);
    for at in 0..count {
        let mut row: Vec<f32> = (0..=at).map(|to| (fading.at(at, 0) - fading.at(to, 0)) as f32).collect();
        backend.exp(&mut row);
        let own = at * count..at * count + at + 1;
        backend.times(&mut of_queries[own.clone()], &row);
        backend.times(&mut among_keys[own], &row);
        among_keys[at * count + at..(at + 1) * count].fill(0.0);
        of_queries[at * count + at + 1..(at + 1) * count].fill(0.0);
    }
    Triangles { among_keys, of_queries }
}

/// Below it a system is solved row by row.
const SMALL: usize = 8;

/// X (I + A)ᵀ = B in place, for each row of X `[rows, tokens]`; A is zero from its diagonal on.
///
/// By halves: the first half's unknowns, then the second's, less what the first leaves on them.
pub(crate) fn solve(a: &[f32], x: &mut [f32], count: usize, backend: &Backend) {
    solve_part(a, x, (count, 0..count), backend);
}

fn solve_part(a: &[f32], x: &mut [f32], (count, places): (usize, Range<usize>), backend: &Backend) {
    if places.len() <= SMALL {
        for row in x.chunks_exact_mut(count) {
            for at in places.clone() {
                let known = places.start..at;
                let left: f32 =
                    a[at * count..][known.clone()].iter().zip(&row[known]).map(|(a, x)| a * x).sum();
                row[at] -= left;
            }
        }
        return;
    }
    let cut = places.start + places.len() / 2;
    solve_part(a, x, (count, places.start..cut), backend);
    let block: Vec<f32> =
        (cut..places.end).flat_map(|at| &a[at * count + places.start..at * count + cut]).copied().collect();
    let known: Vec<f32> = x.chunks_exact(count).flat_map(|row| &row[places.start..cut]).copied().collect();
    let [left] = backend.multiply(&known, x.len() / count, [Rows::F32(&block)]);
    for (row, left) in x.chunks_exact_mut(count).zip(left.chunks_exact(places.end - cut)) {
        row[cut..places.end].iter_mut().zip(left).for_each(|(x, left)| *x -= left);
    }
    solve_part(a, x, (count, cut..places.end), backend);
}

#!/usr/bin/env bash
# The crate half 2.7.1: f64 to bf16 or f16, of a number just above the middle between two neighbours.
# One would guess: the nearest, as from_f32 gives for the next f32 above the middle, and as IEEE 754 asks of a conversion.
# Seen: from_f64 looks at the upper half of the f64 only, so what lies less than 2^-20 above the middle counts as the
# middle itself, and goes to the even neighbour: 1 + 2^-8 + 2^-40 becomes the bf16 1, not 1.0078125.
# It hurts who folds in f64 and rounds once; Camelid rounds such numbers by itself (a test holds it to the definition).
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
mkdir "$work/src"
cat > "$work/Cargo.toml" <<'TOML'
[package]
name = "probe"
version = "0.0.0"
edition = "2021"
[dependencies]
half = "=2.7.1"
TOML
cat > "$work/src/main.rs" <<'RUST'
use half::{bf16, f16};

fn main() {
    let above = |bits: i32| 1.0 + 2f64.powi(-bits) + 2f64.powi(-40);
    println!("bf16 {} of f64, {} of f32", bf16::from_f64(above(8)), bf16::from_f32(1.0 + 2f32.powi(-8) + 2f32.powi(-23)));
    println!("f16 {} of f64, {} of f32", f16::from_f64(above(11)), f16::from_f32(1.0 + 2f32.powi(-11) + 2f32.powi(-23)));
}
RUST
cargo run --quiet --manifest-path "$work/Cargo.toml" > "$work/seen"
cat "$work/seen"
diff - "$work/seen" <<'SEEN'
bf16 1 of f64, 1.0078125 of f32
f16 1 of f64, 1.0009766 of f32
SEEN

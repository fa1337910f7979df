//! y = x Wᵀ + b on CPU with weights kept as stored: f32, bf16 or f16.

//! Gated (SwiGLU, GeGLU) and plain MLP blocks, and the activations.

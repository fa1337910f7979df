//! RMSNorm, LayerNorm and rows of length one, over ndarray views.

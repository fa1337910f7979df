//! ALiBi: one slope per head and the bias that grows with distance.

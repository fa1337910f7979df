//! Rotary position embedding: half or adjacent pairs, partial, with linear, dynamic NTK, Llama 3 and longrope frequencies.

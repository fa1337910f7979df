//! YaRN's rotary frequencies and attention factor.

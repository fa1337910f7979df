//! Dual chunk attention: where keys and queries sit, and the three runs of keys that a query meets.

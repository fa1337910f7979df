//! MHA, MQA and GQA as mergeable sums over runs of keys: causal, sliding, prefix; soft-cap, slopes, log-n; the KV cache.

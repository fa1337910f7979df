//! The arithmetic that must be fast: GEMM, GEMV, dot, axpy and exp with run-time dispatch, and the thread pool.

//! Throughput of the kernels beside what this machine can do, measured in the same process: read `limits` first.
//!
//! `cargo bench -p camelid-kernels`. One item is one floating-point operation.

use std::hint::black_box;
use std::thread::available_parallelism;

use camelid_kernels::{Backend, Blocks, Compute, Isa, Rows};
use divan::Bencher;
use divan::counter::{BytesCount, ItemsCount};
use half::{bf16, f16};

/// More than any cache holds.
const MEMORY: usize = 256 << 20;

/// `[out, in]` of a few models' layers, from 135M to 2B parameters.
const SHAPES: [[usize; 2]; 5] = [[576, 576], [1536, 576], [4864, 896], [5632, 2048], [9216, 2304]];

fn main() {
    println!("best instruction set: {:?}", Isa::best());
    divan::main();
}

fn threads() -> usize {
    available_parallelism().map_or(1, usize::from)
}

/// Values of about the size of activations, never subnormal.
fn values(count: usize) -> Vec<f32> {
    (0..count).map(|i| (i * 7919 % 1009) as f32 / 504.5 - 1.0).collect()
}

mod limits {
    use super::*;

    /// Each thread reads one stream of its own; nothing is computed but a maximum.
    #[divan::bench(args = [1, threads()])]
    fn read(bencher: Bencher<'_, '_>, threads: usize) {
        let (backend, memory) = (Backend::new(threads, Compute::F32), vec![1.0; MEMORY / 4]);
        let part = memory.len() / threads;
        bencher.counter(BytesCount::new(MEMORY)).bench_local(|| {
            backend.run(threads, |thread| {
                black_box(backend.max(&memory[thread * part..][..part]));
            });
        });
    }

    /// Independent fused multiply-adds from registers, and products of bf16 pairs.
    #[cfg(target_arch = "x86_64")]
    #[divan::bench(args = [(1, Compute::F32), (threads(), Compute::F32), (1, Compute::Bf16), (threads(), Compute::Bf16)])]
    fn multipliers(bencher: Bencher<'_, '_>, (threads, compute): (usize, Compute)) {
        let backend = Backend::new(threads, compute);
        let run: fn() -> f32 = match (backend.isa(), compute) {
            // SAFETY: the instruction set was found available.
            (Isa::Amx, Compute::Bf16) => || unsafe { bf16_tiles() },
            // SAFETY: as above.
            (Isa::Avx512Bf16, Compute::Bf16) => || unsafe { bf16_512() },
            // SAFETY: as above.
            (Isa::Avx512 | Isa::Avx512Bf16 | Isa::Amx, Compute::F32) => || unsafe { f32_512() },
            // SAFETY: as above.
            (Isa::Avx2, Compute::F32) => || unsafe { f32_256() },
            _ => return,
        };
        let flops = match (backend.isa(), compute) {
            (Isa::Amx, Compute::Bf16) => STEPS * 4 * 16 * 16 * 64,
            (_, Compute::Bf16) => STEPS * CHAINS * 64,
            (Isa::Avx2, Compute::F32) => STEPS * CHAINS * 16,
            (_, Compute::F32 | Compute::Q8) => STEPS * CHAINS * 32,
        };
        bencher.counter(ItemsCount::new(flops * threads)).bench_local(|| {
            backend.run(threads, |_| {
                black_box(run());
            });
        });
    }

    const STEPS: usize = 1_000_000;
    /// Chains side by side: more than the multipliers' latency times their number.
    const CHAINS: usize = 12;

    #[cfg(target_arch = "x86_64")]
    macro_rules! chains {
        ($name:ident, $features:literal, $one:expr, $step:expr, $sum:expr) => {
            #[target_feature(enable = $features)]
            fn $name() -> f32 {
                let mut sums = [$one; CHAINS];
                let factor = black_box($one);
                for _ in 0..STEPS {
                    for sum in &mut sums {
                        *sum = $step(*sum, factor);
                    }
                }
                sums.into_iter().map(|sum| $sum(sum)).sum()
            }
        };
    }
    #[cfg(target_arch = "x86_64")]
    use std::arch::x86_64::*;
    #[cfg(target_arch = "x86_64")]
    chains!(f32_512, "avx512f", _mm512_set1_ps(0.5), |s, f| _mm512_fmadd_ps(s, f, f), _mm512_cvtss_f32);
    #[cfg(target_arch = "x86_64")]
    chains!(f32_256, "avx2,fma", _mm256_set1_ps(0.5), |s, f| _mm256_fmadd_ps(s, f, f), _mm256_cvtss_f32);
    #[cfg(target_arch = "x86_64")]
    chains!(bf16_512, "avx512f,avx512bf16", _mm512_set1_ps(0.5), step_bf16, _mm512_cvtss_f32);

    /// Four products of tile registers, `STEPS` times.
    ///
    /// # Safety
    /// The machine has them, and the system allows them.
    #[cfg(target_arch = "x86_64")]
    unsafe fn bf16_tiles() -> f32 {
        // Palette 1; eight registers of 64 bytes by 16 rows.
        let mut config = [0_u8; 64];
        config[0] = 1;
        for register in 0..8 {
            (config[16 + 2 * register], config[48 + register]) = (64, 16);
        }
        // SAFETY: the caller's contract; the registers are configured before they are used, and released.
        unsafe {
            std::arch::asm!(
                "ldtilecfg [{config}]",
                "tilezero tmm4", "tilezero tmm5", "tilezero tmm6", "tilezero tmm7",
                "2:",
                "tdpbf16ps tmm0, tmm4, tmm6", "tdpbf16ps tmm1, tmm4, tmm7",
                "tdpbf16ps tmm2, tmm5, tmm6", "tdpbf16ps tmm3, tmm5, tmm7",
                "dec {steps}",
                "jnz 2b",
                "tilerelease",
                config = in(reg) config.as_ptr(),
                steps = inout(reg) STEPS => _,
                out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
                out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
                options(nostack),
            );
        }
        0.0
    }

    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx512f,avx512bf16")]
    #[inline]
    fn step_bf16(sum: __m512, factor: __m512) -> __m512 {
        // SAFETY: both types are 512 bits.
        let factor = unsafe { std::mem::transmute::<__m512, __m512bh>(factor) };
        _mm512_dpbf16_ps(sum, factor, factor)
    }
}

mod product {
    use super::*;

    /// One token: as fast as the weights can be read.
    mod decode {
        use super::*;

        fn bench(
            bencher: Bencher<'_, '_>,
            [rows, cols]: [usize; 2],
            size: usize,
            weight: impl Fn(usize) -> Rows<'static>,
        ) {
            let (backend, x) = (Backend::new(threads(), Compute::F32), values(cols));
            let copies = MEMORY / (rows * cols * size);
            let mut next = 0;
            bencher.counter(BytesCount::new(rows * cols * size)).bench_local(|| {
                next = (next + 1) % copies;
                black_box(backend.multiply(&x, 1, [weight(next)]));
            });
        }

        macro_rules! of {
            ($name:ident, $type:ty, $rows:path, $one:expr) => {
                #[divan::bench(args = SHAPES, sample_count = 200)]
                fn $name(bencher: Bencher<'_, '_>, [rows, cols]: [usize; 2]) {
                    let all: &'static [$type] = vec![$one; MEMORY / size_of::<$type>()].leak();
                    let size = rows * cols;
                    bench(bencher, [rows, cols], size_of::<$type>(), |i| $rows(&all[i * size..][..size]));
                    // SAFETY: leaked just above, and no longer borrowed.
                    drop(unsafe { Box::from_raw(std::ptr::from_ref(all).cast_mut()) });
                }
            };
        }
        of!(f32, f32, Rows::F32, 0.5);
        of!(bf16, bf16, Rows::Bf16, bf16::from_f32_const(0.5));
        of!(f16, f16, Rows::F16, f16::from_f32_const(0.5));

        /// Quantised blocks of the third shape, and with larger blocks of one that these divide.
        #[divan::bench(args = Blocks::ALL, sample_count = 200)]
        fn quantised(bencher: Bencher<'_, '_>, blocks: Blocks) {
            let [rows, cols] = if blocks.numbers() == 32 { SHAPES[2] } else { SHAPES[3] };
            let size = rows * cols / blocks.numbers() * blocks.bytes();
            let all = vec![0x38_u8; MEMORY / 2]; // as f16 0.53
            let (x, backend) = (values(cols), Backend::new(threads(), Compute::F32));
            let (mut at, count) = (0, all.len() / size);
            bencher.counter(BytesCount::new(size)).bench_local(|| {
                at = (at + 1) % count;
                black_box(backend.multiply(&x, 1, [Rows::Blocks(blocks, &all[at * size..][..size])]));
            });
        }

        #[divan::bench(args = Blocks::ALL, sample_count = 200)]
        fn rounded(bencher: Bencher<'_, '_>, blocks: Blocks) {
            let [rows, cols] = if blocks.numbers() == 32 { SHAPES[2] } else { SHAPES[3] };
            let size = rows * cols / blocks.numbers() * blocks.bytes();
            let all = vec![0x38_u8; MEMORY / 2]; // as f16 0.53
            let (x, backend) = (values(cols), Backend::new(threads(), Compute::Q8));
            let (mut at, count) = (0, all.len() / size);
            bencher.counter(BytesCount::new(size)).bench_local(|| {
                at = (at + 1) % count;
                black_box(backend.multiply(&x, 1, [Rows::Blocks(blocks, &all[at * size..][..size])]));
            });
        }
    }

    /// 512 tokens: as fast as the multipliers go.
    mod prefill {
        use super::*;

        const TOKENS: usize = 512;

        fn bench(bencher: Bencher<'_, '_>, [rows, cols]: [usize; 2], compute: Compute, weight: Rows<'_>) {
            let x = values(TOKENS * cols);
            let backend = Backend::new(threads(), compute);
            bencher.counter(ItemsCount::new(2 * TOKENS * rows * cols)).bench_local(|| {
                black_box(backend.multiply(&x, TOKENS, [weight]));
            });
        }

        #[divan::bench(args = SHAPES, sample_count = 20)]
        fn f32(bencher: Bencher<'_, '_>, [rows, cols]: [usize; 2]) {
            bench(bencher, [rows, cols], Compute::F32, Rows::F32(&values(rows * cols)));
        }

        #[divan::bench(args = SHAPES, sample_count = 20)]
        fn bf16_in_f32(bencher: Bencher<'_, '_>, [rows, cols]: [usize; 2]) {
            let weight: Vec<_> = values(rows * cols).into_iter().map(bf16::from_f32).collect();
            bench(bencher, [rows, cols], Compute::F32, Rows::Bf16(&weight));
        }

        #[divan::bench(args = SHAPES, sample_count = 20)]
        fn bf16_in_bf16(bencher: Bencher<'_, '_>, [rows, cols]: [usize; 2]) {
            let weight: Vec<_> = values(rows * cols).into_iter().map(bf16::from_f32).collect();
            bench(bencher, [rows, cols], Compute::Bf16, Rows::Bf16(&weight));
        }

        #[divan::bench(args = Blocks::ALL, sample_count = 20)]
        fn quantised(bencher: Bencher<'_, '_>, blocks: Blocks) {
            let shape @ [rows, cols] = if blocks.numbers() == 32 { SHAPES[2] } else { SHAPES[3] };
            let bytes = vec![0x38_u8; rows * cols / blocks.numbers() * blocks.bytes()];
            bench(bencher, shape, Compute::F32, Rows::Blocks(blocks, &bytes));
        }

        #[divan::bench(args = Blocks::ALL, sample_count = 20)]
        fn rounded(bencher: Bencher<'_, '_>, blocks: Blocks) {
            let shape @ [rows, cols] = if blocks.numbers() == 32 { SHAPES[2] } else { SHAPES[3] };
            let bytes = vec![0x38_u8; rows * cols / blocks.numbers() * blocks.bytes()];
            bench(bencher, shape, Compute::Q8, Rows::Blocks(blocks, &bytes));
        }
    }
}

/// Functions of 4096 elements, on one thread; one item is one element.
#[divan::bench(args = ["exp", "exp_sum", "sigmoid", "tanh", "erf"])]
fn functions(bencher: Bencher<'_, '_>, name: &str) {
    let backend = Backend::serial();
    let run: fn(&Backend, &mut [f32]) = match name {
        "exp" => Backend::exp,
        "exp_sum" => |backend, x| {
            black_box(backend.exp_sum(x, 1.0));
        },
        "sigmoid" => Backend::sigmoid,
        "tanh" => Backend::tanh,
        _ => Backend::erf,
    };
    let x = values(4096);
    bencher
        .counter(ItemsCount::new(x.len()))
        .with_inputs(|| x.clone())
        .bench_local_refs(|x| run(&backend, x));
}

/// One parallel region of a part per thread, each worth about a microsecond: `parts` one after the other for comparison.
#[divan::bench(args = ["region", "parts"])]
fn region(bencher: Bencher<'_, '_>, name: &str) {
    let backend = Backend::new(if name == "region" { threads() } else { 1 }, Compute::F32);
    let x = values(8192);
    bencher.bench_local(|| {
        backend.run(threads(), |_| {
            black_box(backend.dot(&x, &x));
        });
    });
}

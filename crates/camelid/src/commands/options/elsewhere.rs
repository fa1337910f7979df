//! What other engines' options are called here, for hands that know llama.cpp's: said where one of them was refused.

/// Options, and what is to be done in their place.
const ELSEWHERE: [(&[&str], &str); 12] = [
    (
        &["-ngl", "--gpu-layers", "--n-gpu-layers", "-dev", "--device", "-sm", "--split-mode", "-ts", "-mg"],
        "camelid computes on the processor, so there is nothing to offload: leave it out",
    ),
    (&["-fa", "--flash-attn"], "attention never holds all scores at once here: leave it out"),
    (
        &["-b", "--batch-size", "-ub", "--ubatch-size"],
        "how many tokens pass at once is no option here: leave it out",
    ),
    (&["--warmup", "--no-warmup"], "nothing runs before the prompt: leave it out"),
    (&["--mlock"], "a file is mapped and read as it is needed; --no-mmap reads it into memory first"),
    (&["-cnv", "--conversation", "-i", "--interactive"], "`camelid generate MODEL --chat` is a conversation"),
    (
        &["-no-cnv", "--no-conversation", "-st", "--single-turn"],
        "-p TEXT goes on with a text; --messages FILE answers a conversation once",
    ),
    (&["-hf", "-hfr", "--hf-repo"], "MODEL may be ORG/NAME, or ORG/NAME:Q4_K_M for one of several files"),
    (&["-sys", "--system-prompt"], "it is --system TEXT here"),
    (&["-np"], "it is --parallel N here, of `camelid serve`"),
    (
        &["-ctk", "--cache-type-k", "-ctv", "--cache-type-v"],
        "keys and values are kept in the type that is computed in: f32, or bf16 with --compute bf16",
    ),
    (&["--jinja", "--no-jinja"], "the checkpoint's own chat template is used always: leave it out"),
];

/// What to do in place of the first option of another engine among these arguments; `-ngl=99` is one too.
pub(in crate::commands) fn tip(arguments: impl IntoIterator<Item = String>) -> Option<String> {
    arguments.into_iter().find_map(|argument| {
        let name = argument.split('=').next().unwrap_or_default();
        let (_, tip) = ELSEWHERE.iter().find(|(options, _)| options.contains(&name))?;
        Some(format!("{name}: {tip}"))
    })
}

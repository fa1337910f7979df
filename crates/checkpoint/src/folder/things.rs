//! What lies on disks where weights are looked for: each kind told by its first bytes or by the names in its folder.
//!
//! One row says how a thing is recognised, what it is called, and what to do about it. The rows of a table are tried in
//! their order, so that the more telling stand first. Nothing here decides what is read: that is `weights`.

/// How a thing is recognised, what it is called, and what to do.
pub(super) struct Row {
    pub(super) mark: Mark,
    pub(super) is: &'static str,
    pub(super) advice: &'static str,
}

/// How a thing is recognised.
pub(super) enum Mark {
    /// A file begins with one of these.
    Begins(&'static [&'static [u8]]),
    /// A file has these bytes at a place.
    At(usize, &'static [u8]),
    /// The first bytes of a file pass a test.
    Looks(fn(&[u8]) -> bool),
    /// A folder holds a name for each of these globs.
    Holds(&'static [&'static str]),
}

/// So many bytes of a file are looked at.
pub(super) const OPENING: u64 = 1024;

const fn row(mark: Mark, is: &'static str, advice: &'static str) -> Row {
    Row { mark, is, advice }
}

use Mark::{At, Begins, Holds, Looks};

const AGAIN: &str = "download the file itself";
const ORIGINAL: &str = "get the model's *.safetensors, or a GGUF file";
const UNPACK: &str = "unpack it, and name what is in it";

/// Files, by their first bytes.
pub(super) static FILES: &[Row] = &[
    row(Looks(<[u8]>::is_empty), "an empty file", AGAIN),
    row(
        Begins(&[b"version https://git-lfs"]),
        "a Git LFS pointer, which stands for a file that was not downloaded",
        "run `git lfs pull` in its folder",
    ),
    row(
        Looks(is_link),
        "the text of a link into the hub's cache: links were copied without what they lead to",
        "copy the folder anew with `cp -L`, or download it",
    ),
    row(Looks(is_zeros), "a file of zeros: a download that was begun and not filled", AGAIN),
    row(Looks(is_page), "a web page (an error or a login, saved in place of the file)", AGAIN),
    row(
        Begins(&[b"tjgg", b"lmgg", b"fmgg", b"algg"]),
        "a GGML file, of the format before GGUF",
        "get the model as GGUF, or as *.safetensors",
    ),
    row(
        Begins(&[b"MZ", b"\x7fELF", b"\xcf\xfa\xed\xfe", b"#!"]),
        "a program",
        "if it carries a model, unzip it and name the .gguf",
    ),
    row(Begins(&[b"\x1f\x8b"]), "an archive (gzip)", UNPACK),
    row(Begins(&[b"BZh"]), "an archive (bzip2)", UNPACK),
    row(Begins(&[b"\xfd7zXZ\0"]), "an archive (xz)", UNPACK),
    row(Begins(&[b"\x28\xb5\x2f\xfd"]), "an archive (zstd)", UNPACK),
    row(Begins(&[b"7z\xbc\xaf\x27\x1c"]), "an archive (7z)", UNPACK),
    row(Begins(&[b"Rar!"]), "an archive (rar)", UNPACK),
    row(At(257, b"ustar"), "an archive (tar)", UNPACK),
    row(
        Looks(is_torch),
        "a file of PyTorch's (a zip archive with a pickle)",
        "name it pytorch_model.bin, beside its config.json",
    ),
    row(Begins(&[b"PK\x03\x04", b"PK\x05\x06"]), "an archive (zip)", UNPACK),
    row(
        Looks(is_pickle),
        "a bare pickle: PyTorch's format before 1.6, or another program's",
        "load it there, and save it again as safetensors",
    ),
    row(Begins(&[b"\x89HDF\r\n\x1a\n"]), "an HDF5 file (Keras, TensorFlow)", ORIGINAL),
    row(Begins(&[b"\x93NUMPY"]), "a NumPy array", ORIGINAL),
    row(At(4, b"TFL3"), "a TensorFlow Lite model", ORIGINAL),
    row(At(4, b"ET1"), "an ExecuTorch model", ORIGINAL),
    row(Looks(is_onnx), "an ONNX model", ORIGINAL),
    row(Begins(&[b"PAR1"]), "a table of data (Parquet)", ORIGINAL),
    row(
        Begins(&[b"\0\x05\x16\x07"]),
        "a side file of macOS (its name begins with `._`), not the file itself",
        "delete it, or name the file itself",
    ),
    row(Looks(is_imatrix), "an importance matrix, which serves to quantise a model", "name the model itself"),
    row(Looks(is_bare_sizes), "a checkpoint of a small C program's own format", ORIGINAL),
    row(Looks(is_gguf), "a GGUF file under another name", "name the file itself, or rename it to .gguf"),
    row(Looks(is_safetensors), "a safetensors file under another name", "rename it to .safetensors"),
    row(
        Looks(is_manifest),
        "a manifest of ollama's, which lists a model's files",
        "name the file blobs/sha256-… that it lists as the model",
    ),
    row(Looks(is_text), "text", "download the file again"),
];

/// Folders in which nothing is read, by the names in them.
pub(super) static LAYOUTS: &[Row] = &[
    row(Holds(&["adapter_config.json"]), "an adapter", "merge it into its base model first"),
    row(Holds(&["adapter_model.*"]), "an adapter", "merge it into its base model first"),
    row(Holds(&["adapters.*"]), "an adapter", "merge it into its base model first"),
    row(
        Holds(&["model_index.json"]),
        "a diffusers pipeline, which makes pictures",
        "a model of text may lie in its text_encoder",
    ),
    row(Holds(&["mlc-chat-config.json"]), "a model compiled by MLC", ORIGINAL),
    row(Holds(&["ndarray-cache*.json"]), "a model compiled by MLC", ORIGINAL),
    row(Holds(&["tensor-cache.json"]), "a model compiled by MLC", ORIGINAL),
    row(Holds(&["openvino_*.xml"]), "an OpenVINO model", ORIGINAL),
    row(Holds(&["genai_config.json"]), "an ONNX model", ORIGINAL),
    row(Holds(&["*.onnx"]), "an ONNX model", ORIGINAL),
    row(Holds(&["onnx/*.onnx"]), "an ONNX model", ORIGINAL),
    row(Holds(&["model.bin", "*vocabulary.*"]), "a CTranslate2 model", ORIGINAL),
    row(Holds(&["*.engine"]), "a TensorRT-LLM engine", ORIGINAL),
    row(Holds(&["rank*.safetensors"]), "a TensorRT-LLM checkpoint", ORIGINAL),
    row(Holds(&["*.weights.h5"]), "a Keras model", ORIGINAL),
    row(Holds(&["*.keras"]), "a Keras model", ORIGINAL),
    row(Holds(&["tf_model*.h5"]), "a TensorFlow model", ORIGINAL),
    row(Holds(&["saved_model.pb"]), "a TensorFlow model", ORIGINAL),
    row(Holds(&["flax_model*.msgpack*"]), "a Flax model", ORIGINAL),
    row(Holds(&["*.ocdbt"]), "a JAX checkpoint (Orbax)", ORIGINAL),
    row(Holds(&["_METADATA"]), "a JAX checkpoint (Orbax)", ORIGINAL),
    row(Holds(&["lit_model*"]), "a LitGPT checkpoint", "convert it with `litgpt convert_from_litgpt`"),
    row(Holds(&["medusa_lm_head.*"]), "Medusa heads, which draft for another model", "name that model"),
    row(Holds(&["*.nemo"]), "a NeMo model", ORIGINAL),
    row(Holds(&["model_weights/", "model_config.yaml"]), "a NeMo model", ORIGINAL),
    row(
        Holds(&["latest_checkpointed_iteration.txt"]),
        "a Megatron checkpoint",
        "convert it to transformers' format",
    ),
    row(Holds(&["mp_rank_*"]), "a Megatron or DeepSpeed checkpoint", "convert it to transformers' format"),
    row(
        Holds(&["consolidated.*.pth"]),
        "the weights in Meta's own format",
        "convert them with transformers' convert_*_weights_to_hf.py, or get the folder with *.safetensors and config.json",
    ),
    row(
        Holds(&["consolidated*.safetensors"]),
        "weights as their maker's own program has them",
        "get the same model's model-*.safetensors and config.json",
    ),
    row(
        Holds(&["params.json", "tekken.json"]),
        "a folder as its maker's own program has it (params.json)",
        "get the same model's model-*.safetensors and config.json",
    ),
    row(
        Holds(&["hf_model_*.pt"]),
        "torchtune's output",
        "save it as safetensors (torchtune's `safe_serialization`)",
    ),
    row(
        Holds(&["zero_to_fp32.py"]),
        "the parts of a DeepSpeed training",
        "gather them with `python zero_to_fp32.py . .` in the folder",
    ),
    row(
        Holds(&["global_step*/"]),
        "the parts of a DeepSpeed training",
        "gather them with `python zero_to_fp32.py . .` in the folder",
    ),
    row(
        Holds(&["*.distcp"]),
        "the parts of a distributed checkpoint (FSDP)",
        "gather them with `accelerate merge-weights`",
    ),
    row(
        Holds(&["pytorch_model_fsdp_*/"]),
        "the parts of a distributed checkpoint (FSDP)",
        "gather them with `accelerate merge-weights`",
    ),
    row(
        Holds(&["pytorch_model.bin/"]),
        "the parts of a distributed checkpoint (`pytorch_model.bin` is a folder)",
        "gather them with zero_to_fp32.py or `accelerate merge-weights`",
    ),
    row(Holds(&["qmodel.pt"]), "a quantised model (HQQ)", "get its 16-bit weights, or a GGUF file"),
    row(Holds(&["*.mlpackage/"]), "a Core ML model", ORIGINAL),
    row(Holds(&["*.mlmodelc/"]), "a Core ML model", ORIGINAL),
    row(Holds(&["*.tflite"]), "a TensorFlow Lite model", ORIGINAL),
    row(Holds(&["*.litertlm"]), "a LiteRT model", ORIGINAL),
    row(Holds(&["*.task"]), "a MediaPipe model", ORIGINAL),
    row(Holds(&["*.pte"]), "an ExecuTorch model", ORIGINAL),
    row(Holds(&["*.rkllm"]), "a model compiled for Rockchip", ORIGINAL),
    row(Holds(&["*.llamafile"]), "a program that carries its model", "unzip it and name the .gguf"),
    row(
        Holds(&["imatrix*"]),
        "an importance matrix, which serves to quantise a model",
        "name the model itself",
    ),
    row(
        Holds(&["mmproj*.gguf"]),
        "the part of a model that sees pictures (mmproj), without its language model",
        "name the language model's file",
    ),
    row(
        Holds(&["tokenizer_config.json", "*.pt"]),
        "weights that PyTorch saved under a name of their own (*.pt)",
        "save them as safetensors",
    ),
    row(Holds(&["Modelfile"]), "a Modelfile of ollama's", "name the file after its FROM"),
];

/// Endings of what stands beside a file while it is being downloaded.
pub(super) const BESIDE: [&str; 6] = [".aria2", ".incomplete", ".part", ".partial", ".crdownload", ".!qB"];
/// Endings of what is there in place of a file while it is being downloaded.
pub(super) const UNFINISHED: [&str; 9] =
    [".aria2", ".incomplete", ".part", ".partial", ".crdownload", ".!qB", ".download", ".download/", ".tmp"];

/// What a file's first bytes say that it is, where that is something that people take for weights: what it is, and what to
/// do about it.
#[must_use]
pub fn told(bytes: &[u8]) -> Option<String> {
    let row = of_bytes(&bytes[..bytes.len().min(OPENING as usize)])?;
    let start = match row.is {
        "text" => format!(" that begins {:?}", line(bytes)),
        _ => String::new(),
    };
    Some(format!("{}{start}; {}", row.is, row.advice))
}

/// The beginning of a text, on one line.
fn line(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(60)]);
    text.trim().lines().next().unwrap_or_default().to_owned()
}

/// The first row whose mark a file's first bytes bear.
pub(super) fn of_bytes(bytes: &[u8]) -> Option<&'static Row> {
    FILES.iter().find(|row| match row.mark {
        Begins(starts) => starts.iter().any(|start| bytes.starts_with(start)),
        At(place, wanted) => bytes.get(place..).is_some_and(|rest| rest.starts_with(wanted)),
        Looks(test) => test(bytes),
        Holds(_) => false,
    })
}

/// The first row whose mark the names in a folder bear; the name of a folder ends in `/`.
pub(super) fn of_names(names: &[String]) -> Option<&'static Row> {
    let is_there = |glob: &&str| {
        glob::Pattern::new(glob).is_ok_and(|pattern| names.iter().any(|name| pattern.matches(name)))
    };
    LAYOUTS.iter().find(|row| match row.mark {
        Holds(globs) => globs.iter().all(is_there),
        Begins(_) | At(..) | Looks(_) => false,
    })
}

fn is_zeros(bytes: &[u8]) -> bool {
    bytes.len() >= 8 && bytes.iter().all(|&byte| byte == 0)
}

fn is_link(bytes: &[u8]) -> bool {
    bytes.starts_with(b"../") && bytes.len() < 256 && bytes.windows(7).any(|part| part == b"/blobs/")
}

/// `<!DOCTYPE html>`, `<html>`, `<?xml>`: after blanks and a byte-order mark, in any case.
fn is_page(bytes: &[u8]) -> bool {
    let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes).trim_ascii_start();
    let starts = [&b"<!doctype"[..], b"<html", b"<head", b"<body", b"<?xml", b"<error"];
    starts.iter().any(|start| text.len() >= start.len() && text[..start.len()].eq_ignore_ascii_case(start))
}

/// A zip whose first record is one of `torch.save`'s.
pub(super) fn is_torch(bytes: &[u8]) -> bool {
    let parts = [&b"/data.pkl"[..], b"/byteorder", b"/.format_version", b"/version"];
    bytes.starts_with(b"PK\x03\x04")
        && parts.iter().any(|part| bytes.windows(part.len()).take(256).any(|window| window == *part))
}

/// The version of its format, then the name of the program that made it.
fn is_onnx(bytes: &[u8]) -> bool {
    matches!(bytes, [8, 3..=12, 0x12, ..])
}

fn is_pickle(bytes: &[u8]) -> bool {
    matches!(bytes, [0x80, 2..=5, ..])
}

fn is_gguf(bytes: &[u8]) -> bool {
    bytes.starts_with(b"GGUF") || bytes.starts_with(b"FUGG")
}

/// The length of a header, then the brace that opens it.
pub(super) fn is_safetensors(bytes: &[u8]) -> bool {
    bytes.split_first_chunk::<8>().is_some_and(|(length, rest)| {
        rest.trim_ascii_start().first() == Some(&b'{') && u64::from_le_bytes(*length) <= 100_000_000
    })
}

/// A count, then names with their lengths: the first is that of a block's tensor.
fn is_imatrix(bytes: &[u8]) -> bool {
    bytes.get(8..12) == Some(b"blk.")
}

/// Seven sizes as small positive integers, or that format's later magic.
fn is_bare_sizes(bytes: &[u8]) -> bool {
    let Some(header) = bytes.first_chunk::<28>() else { return false };
    let sizes = header.as_chunks::<4>().0.iter().map(|size| i32::from_le_bytes(*size));
    let plausible = sizes.enumerate().all(|(at, size)| match at {
        // The size of the vocabulary is negative where the head is its own.
        5 => size.unsigned_abs() > 1 && size.unsigned_abs() < 1 << 20,
        _ => size > 0 && size < 1 << 20,
    });
    plausible || bytes.starts_with(b"24ka")
}

fn is_manifest(bytes: &[u8]) -> bool {
    let parts = [&b"application/vnd.ollama"[..], b"application/vnd.docker.distribution.manifest"];
    bytes.trim_ascii_start().starts_with(b"{")
        && parts.iter().any(|part| bytes.windows(part.len()).any(|window| window == *part))
}

fn is_text(bytes: &[u8]) -> bool {
    let start = &bytes[..bytes.len().min(128)];
    let plain = |byte: &u8| matches!(byte, b'\t' | b'\n' | b'\r' | b' '..=b'~');
    start.len() >= 4 && start.iter().all(plain)
}

#[cfg(test)]
mod tests;

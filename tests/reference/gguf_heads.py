"""Writes tests/data/gguf-heads/*.gguf: what llama.cpp's converter makes of the cases in tests/cases, without the
weights: metadata, the list of tensors, and the first 256 bytes of the data, where lists that rotary frequencies are divided
by stand. Run by hand:

    python3 -m venv /tmp/venv && /tmp/venv/bin/pip install torch==2.15.0 transformers==4.57.6 safetensors numpy
    pip download --no-deps --no-binary :all: llama-cpp-python==0.3.36 && tar xzf llama_cpp_python-0.3.36.tar.gz
    /tmp/venv/bin/python tests/reference/gguf_heads.py tests llama_cpp_python-0.3.36/vendor/llama.cpp

Vocabularies are left out: the cases have none. Two things are mended on the way: the converter's class for Baichuan calls itself
without end for every tensor but the packed one, and the one for Gemma 3 reads the size of a tokenizer.json. Cohere 2's wants a key
`rotary_pct`, which transformers does not write. The text model of Mistral 4 is known to it within a larger one only.
The last five were made with transformers 5.24.0.
"""

import json
import shutil
import sys
import tempfile
from pathlib import Path

TESTS, SOURCE = Path(sys.argv[1]), Path(sys.argv[2])
sys.path[:0] = [str(SOURCE / "gguf-py"), str(SOURCE)]

import importlib  # noqa: E402
import pkgutil  # noqa: E402

import conversion  # noqa: E402
import gguf  # noqa: E402
import torch  # noqa: E402
from conversion.base import ModelBase, ModelType  # noqa: E402

CASES = """llama1/base llama2/bias llama2/gqa llama2/linear llama3/3.1-rope llama3/3.2-tied yi/llama qwen1/base qwen1.5/mha
qwen2/tied qwen2/yarn gemma1/mqa gemma2/stdcap minicpm/gqa baichuan1/7b-base chatglm2/base chatglm3/base glm4/remote-ratio500
glm4-hf/base gemma3/base qwen3/base phi3/base granite/base olmo2/base starcoder2/base
qwen3-next/base qwen3.5/base qwen3.5-moe/base gpt-oss/base glm4.5/base smollm3/base cohere2/base olmo3/base
gemma4/e gemma4/moe llama4/base
deepseek2/base deepseek3/base glm4.7-flash/base ministral3/base mistral4/base"""
# Of these the numbers are compared too, so the whole files are kept: experts with a correction, a state, a latent in halves.
WHOLE = "glm4.5/base qwen3.5/base deepseek3/base"


def converter(config):
    cls = ModelBase.from_model_architecture(config["architectures"][0], ModelType.TEXT)
    config = config.get("text_config", config)

    def set_vocab(self):
        self.gguf_writer.add_tokenizer_model("none")
        self.gguf_writer.add_vocab_size(config.get("padded_vocab_size", config.get("vocab_size")))

    def modify_tensors(self, tensor, name, bid):
        packed = "W_pack" in name
        yield from cls.modify_tensors(self, tensor, name, bid) if packed else [(self.map_tensor_name(name), tensor)]

    for inner in ("Ministral3Model", "Mistral4Model"):
        if hasattr(cls, inner):
            setattr(getattr(cls, inner), "set_vocab", set_vocab)
    own = {"model_arch": cls.model_arch, "set_vocab": set_vocab}
    if cls.__name__ == "BaichuanModel":
        own["modify_tensors"] = modify_tensors
    return type(cls.__name__, (cls,), own)


def convert(case, scratch):
    """The whole file's bytes, and where its data begin."""
    folder = scratch / "case"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(case, folder)
    config = json.loads((folder / "config.json").read_text())
    if config["model_type"] == "cohere2":
        config["rotary_pct"] = 1.0
    if config["model_type"] == "mistral4":
        config = {"architectures": ["Mistral3ForConditionalGeneration"], "model_type": "mistral3", "text_config": config}
    (folder / "config.json").write_text(json.dumps(config))
    vocabulary = {str(id): id for id in range(config.get("vocab_size", 0))}
    (folder / "tokenizer.json").write_text(json.dumps({"model": {"vocab": vocabulary}, "added_tokens": []}))
    file = scratch / "whole.gguf"
    with torch.inference_mode():
        model = converter(config)(
            folder, gguf.LlamaFileType.ALL_F32, file, is_big_endian=False, use_temp_file=False, eager=True,
            metadata_override=None, model_name="case", split_max_tensors=0, split_max_size=0, dry_run=False,
            small_first_shard=False,
        )  # fmt: skip
        model.write()
    return file.read_bytes(), gguf.GGUFReader(file).data_offset


def main():
    for module in pkgutil.iter_modules(conversion.__path__):
        importlib.import_module(f"conversion.{module.name}")
    heads = TESTS / "data" / "gguf-heads"
    heads.mkdir(parents=True, exist_ok=True)
    (TESTS / "data" / "gguf-whole").mkdir(exist_ok=True)
    ModelBase.no_mtp = True
    with tempfile.TemporaryDirectory() as scratch:
        for name in CASES.split():
            whole, data = convert(TESTS / "cases" / name, Path(scratch))
            (heads / f"{name.replace('/', '--')}.gguf").write_bytes(whole[: data + 256])
            if name in WHOLE.split():
                (TESTS / "data" / "gguf-whole" / f"{name.replace('/', '--')}.gguf").write_bytes(whole)


main()

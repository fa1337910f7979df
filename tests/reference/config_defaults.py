#!/usr/bin/env python3
"""Writes what each config class takes where config.json does not say: `config_defaults.json` beside this file.

    python config_defaults.py            # once under transformers 4.57.6, once under 5.24.0; torch is not needed

Each run replaces its own version's part and leaves the others. The part `remote` was written by hand from the signatures of
configuration_*.py beside the released checkpoints, as public copies show them; `source` names each.
"""
import json
import pathlib

import transformers
from transformers import AutoConfig
from transformers.models.auto.configuration_auto import CONFIG_MAPPING_NAMES

TYPES = ["llama", "gemma", "gemma2", "gemma3_text", "qwen2", "qwen3", "glm", "mistral", "cohere", "starcoder2", "granite",
         "phi3", "olmo2", "stablelm", "qwen2_moe", "qwen3_moe", "glm4", "glm4_moe", "glm4_moe_lite", "minicpm3", "gemma4_text",
         "llama4_text", "deepseek_v2", "deepseek_v3", "gpt_oss", "ministral3", "mistral4", "cohere2", "smollm3", "olmo3",
         "mixtral", "ernie4_5_moe", "seed_oss", "dots1", "exaone4", "hunyuan_v1_moe", "minimax_m2", "youtu", "qwen3_next", "qwen3_5_text",
         "qwen3_5_moe_text", "olmo_hybrid", "kimi_linear"]


def main():
    path = pathlib.Path(__file__).with_suffix(".json")
    table = json.loads(path.read_text()) if path.exists() else {}
    known = [name for name in TYPES if name in CONFIG_MAPPING_NAMES]      # the older version has fewer
    classes = {name: AutoConfig.for_model(name).to_dict() for name in known}
    first = next(iter(classes.values()))
    missing = object()
    shared = {key: value for key, value in first.items()
              if key != "model_type" and all(one.get(key, missing) == value for one in classes.values())}
    own = {name: {key: value for key, value in one.items() if key not in shared} for name, one in classes.items()}
    table[f"transformers {transformers.__version__}"] = {"shared": shared, "classes": own}
    path.write_text(json.dumps(table, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()

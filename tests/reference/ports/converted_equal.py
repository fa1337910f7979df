"""Runs every conversion of every case in the engine that it was written for, beside the case's reference.

    python tests/reference/ports/converted_equal.py transformers target/debug/camelid [FAMILY/CASE …]
    python tests/reference/ports/converted_equal.py llama.cpp    target/debug/camelid [FAMILY/CASE …]

Which conversions there are is read in docs/conversions.md. A line each: case, form, grade, the largest difference of logits over
the largest logit, and what the engine said. Pinned: transformers 5.24.0 or 4.57.6 with torch from PyPI, llama-cpp-python 0.3.36;
f32, eager attention, CPU.
"""
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
from safetensors import safe_open

ROOT = pathlib.Path(__file__).parents[3]
CASES = ROOT / "tests/cases"


def planned(engine):
    """(case, form, grade, tokens) of an engine's table."""
    text = (ROOT / "docs/conversions.md").read_text().split(f"\n## {engine}\n")[1].split("\n## ")[0]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line.startswith("|")]
    forms = rows[0][1:]
    for case, *cells in rows[2:]:
        for form, cell in zip(forms, cells):
            if cell != "–":
                yield case, form, cell, int(cell.split()[1]) if cell.startswith("≤") else None


def convert(camelid, engine, case, form, out):
    to = ["--for", engine, "--to", form]
    command = [camelid, "convert", "--model", CASES / case, "--family", case.split("/")[0], *to, "--allow", "length", "--out", out]
    done = subprocess.run(command, capture_output=True, text=True)
    return None if done.returncode == 0 else done.stderr.strip().replace("\n", " / ")[:300]


def in_transformers(folder, ids):
    import torch
    import transformers
    from transformers import AutoModelForCausalLM

    transformers.logging.set_verbosity_error()
    model, info = AutoModelForCausalLM.from_pretrained(
        folder, dtype=torch.float32, attn_implementation="eager", output_loading_info=True
    )
    odd = {what: sorted(names)[:3] for what, names in info.items() if names}
    with torch.no_grad():
        logits = model.eval()(torch.tensor(ids.astype(np.int64))[None], use_cache=False).logits[0].double().numpy()
    return logits, str(odd or "")


def in_llama_cpp(file, ids):
    script = ROOT / "crates/camelid/src/commands/converting/data/gguf.py"
    with tempfile.NamedTemporaryFile() as out:
        done = subprocess.run(
            [sys.executable, script, file, ",".join(map(str, ids)), out.name], capture_output=True, text=True
        )
        if done.returncode:
            raise RuntimeError(done.stderr.strip().splitlines()[-1])
        return np.fromfile(out.name, dtype="<f4").reshape(len(ids), -1).astype(np.float64), ""


def main():
    engine, camelid, *only = sys.argv[1:]
    run = in_llama_cpp if engine == "llama.cpp" else in_transformers
    for case, form, grade, tokens in planned(engine):
        if only and case not in only:
            continue
        reference = safe_open(CASES / case / "reference.safetensors", "np")
        ids = reference.get_tensor("input_ids").reshape(-1)[:tokens]
        # The f64 run, where there is one: the f32 one may lie further off than what is looked for.
        name = "logits_f64" if "logits_f64" in reference.keys() else "logits"
        wanted = reference.get_tensor(name).astype(np.float64)
        wanted = wanted.reshape(-1, wanted.shape[-1])[:tokens]
        with tempfile.TemporaryDirectory() as folder:
            out = pathlib.Path(folder) / ("model.gguf" if engine == "llama.cpp" else "model")
            says = convert(camelid, engine, case, form, out)
            if says:
                print(f"{case}\t{form}\t{grade}\tnot converted\t{says}", flush=True)
                continue
            try:
                logits, says = run(out, ids)
            except Exception as error:  # what it refuses is a result here
                print(f"{case}\t{form}\t{grade}\trefused\t{str(error).splitlines()[0][:200]}", flush=True)
                continue
        far = abs(logits - wanted).max() / abs(wanted).max()
        print(f"{case}\t{form}\t{grade}\t{far:.1e}\t{says}", flush=True)


main()

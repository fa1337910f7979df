"""Runs transformers on every case that it loads, and writes what its logits are beside the reference's.

    python tests/reference/ports/transformers_equal.py tests/reference/ports/results/transformers.toml
    python tests/reference/ports/transformers_equal.py tests/reference/ports/results/transformers-4.toml    # with 4.57.6
    python tests/reference/ports/transformers_equal.py --folder CONVERTED tests/cases/FAMILY/CASE

Pinned: transformers 5.24.0 or 4.57.6, torch from PyPI; f32, eager attention, CPU. Remote code is not run.
"""
import datetime
import json
import pathlib
import sys

import torch
import transformers
from safetensors import safe_open
from transformers import AutoModelForCausalLM

transformers.logging.set_verbosity_error()
CASES = pathlib.Path(__file__).parents[2] / "cases"
EQUAL = 1e-5
# findings/rope-parameters-of-5-in-4.sh shows it.
UNREAD = "; config.json has rope_parameters, as 5 saves it, which this version does not read"


def reference(case):
    tensors = safe_open(case / "reference.safetensors", "pt")
    return tensors.get_tensor("input_ids").long()[None], tensors.get_tensor("logits").double()


def fault(folder, case):
    """The largest difference of logits over the largest logit; or why there are none."""
    ids, wanted = reference(case)
    try:
        model, info = AutoModelForCausalLM.from_pretrained(
            folder, dtype=torch.float32, attn_implementation="eager", output_loading_info=True,
            trust_remote_code=False,
        )
    except Exception as error:  # what it refuses is a result here
        says = str(error).splitlines()[0].replace(str(folder), "the folder")
        return None, "refused: " + ("its class is remote code" if "custom code" in says else says[:120])
    odd = {what: sorted(names)[:3] for what, names in info.items() if names}
    with torch.no_grad():
        logits = model.eval()(ids, use_cache=False).logits[0].double()
    wanted = wanted.reshape(logits.shape)
    return ((logits - wanted).abs().max() / wanted.abs().max()).item(), f"{odd}" if odd else ""


def main():
    if sys.argv[1] == "--folder":
        error, says = fault(sys.argv[2], pathlib.Path(sys.argv[3]))
        print(f"{error} {says}")
        return
    lines = [
        f'engine  = "transformers{"" if transformers.__version__.startswith("5.") else " 4"}"',
        f'version = "{transformers.__version__} (torch {torch.__version__})"',
        f'date    = "{datetime.date.today()}"',
        'how     = "run here by tests/reference/ports/transformers_equal.py over all cases: f32, eager, no remote code; '
        'the fault is the largest difference over the largest logit of the case\'s reference, a float32 run of the original"',
    ]
    for case in sorted(path for family in CASES.iterdir() if family.is_dir() for path in family.iterdir()):
        name = f"{case.parent.name}/{case.name}"
        error, says = fault(case, case)
        if error is None:
            verdict, text = "refused", says
        else:
            verdict = "equal" if error < EQUAL else "wrong"
            text = f"{verdict} {error:.1e}" + (f"; {says}" if says else "")
            unread = transformers.__version__.startswith("4.") and "rope_parameters" in (case / "config.json").read_text()
            text += UNREAD if unread and verdict == "wrong" else ""
        print(name, text, flush=True)
        lines += ["", "[[row]]", f"case    = {json.dumps(name)}", f'verdict = "{verdict}"', f"says    = {json.dumps(text)}"]
    pathlib.Path(sys.argv[1]).write_text("\n".join(lines) + "\n")


main()

#!/usr/bin/env python3
"""Makes a case: a tiny checkpoint with random weights, and what transformers makes of it.

    python make_case.py MODEL_TYPE --out DIR [--set key=value ...] [--tokens 48] [--seed 1]

Run by hand, never by the tests; what it writes is committed. Pinned: torch 2.x (CPU), transformers 5.24.0 (older cases: 4.57.6),
safetensors 0.4+, numpy 1.26+. The architecture must be one of transformers' decoder-only models whose base model has
`layers`, each with `self_attn` (or `linear_attn`) and `mlp`, and a norm after them of any name. `logits_f64` is computed in f64 throughout:
the same weights in a model that is built and run with every f32 of the code read as f64, rotary frequencies included.
What each file holds: tests/cases/README.md.
"""
import argparse
import copy
import json
import pathlib

import torch
import transformers
from safetensors.torch import save_file
from torch.overrides import TorchFunctionMode
from transformers import AutoConfig, AutoModelForCausalLM

TINY = dict(hidden_size=64, intermediate_size=112, num_hidden_layers=3, num_attention_heads=8, num_key_value_heads=2,
            vocab_size=257, max_position_embeddings=256, bos_token_id=1, eos_token_id=2, pad_token_id=0,
            tie_word_embeddings=False)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model_type")
    parser.add_argument("--out", required=True, type=pathlib.Path)
    parser.add_argument("--set", action="append", default=[], metavar="key=value", help="a key of config.json, as JSON")
    parser.add_argument("--tokens", type=int, default=48)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--layer-scale", action="store_true", help="each layer's output times a number of its own")
    parser.add_argument("--called", metavar="MODEL_TYPE", help="the model_type to write, where the network is a new one")
    return parser.parse_args()


def build(args):
    """A model whose weights are large enough that softmax is not flat and every norm bites."""
    torch.manual_seed(args.seed)
    known = AutoConfig.for_model(args.model_type).to_dict()
    keys = {key: value for key, value in TINY.items() if key in known or key == "num_key_value_heads"}
    keys |= {key: json.loads(value) for key, value in (pair.split("=", 1) for pair in args.set)}
    config = AutoConfig.for_model(args.model_type, **keys)
    config._attn_implementation = "eager"
    plain = {"attn_implementation": "eager", "experts_implementation": "eager"}
    model = AutoModelForCausalLM.from_config(config, **plain).float().eval()
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if weight.dim() == 1:
                weight.copy_(weight + 0.3 * torch.randn_like(weight))
            else:
                weight.copy_(torch.randn_like(weight) * (1.6 / weight.shape[-1] ** 0.5))
        saved = model.state_dict()
        for name, buffer in model.named_buffers():
            if name in saved and buffer.is_floating_point():
                buffer.copy_(buffer + 0.3 * torch.randn_like(buffer))
    if args.layer_scale:
        scale_layers(model)
    return model, config


def scale_layers(model):
    """What Gemma 4's layers do last (transformers 5.24.0, modeling_gemma4.py): hidden_states *= self.layer_scalar."""
    for layer in model.model.layers:
        layer.register_buffer("layer_scalar", 0.4 + 1.2 * torch.rand(1))
        layer.register_forward_hook(lambda layer, _inputs, output: (
            (output[0] * layer.layer_scalar, *output[1:]) if isinstance(output, tuple) else output * layer.layer_scalar))


class Exact(TorchFunctionMode):
    """Reads f32 as f64 wherever the code asks for it by name."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        exact = lambda value: torch.float64 if value is torch.float32 else value
        if func is torch.Tensor.float:
            func = torch.Tensor.double
        return func(*map(exact, args), **{key: exact(value) for key, value in (kwargs or {}).items()})


def truth(model, config, ids, args):
    """The logits in f64."""
    default = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        with Exact():
            plain = {"attn_implementation": "eager", "experts_implementation": "eager"}
            double = AutoModelForCausalLM.from_config(copy.deepcopy(config), **plain, dtype=torch.float64).double().eval()
            if args.layer_scale:
                scale_layers(double)
            double.load_state_dict(model.state_dict())
            with torch.no_grad():
                return double(ids, use_cache=False).logits[0]
    finally:
        torch.set_default_dtype(default)


def final_norm(base):
    """The norm after the layers: the last child of the base model that is no list and has one weight per feature."""
    norms = [child for child in base.children() if getattr(getattr(child, "weight", None), "ndim", 0) == 1]
    return norms[-1]


def trace(model, ids):
    """Logits and every tap of one pass over the prompt."""
    taps, hooks = {}, []

    def keep(name):
        def hook(_module, _inputs, output):
            taps[name] = (output[0] if isinstance(output, tuple) else output)[0].detach().float().contiguous()
        return hook

    base = model.base_model
    for i, layer in enumerate(base.layers):
        mixer = getattr(layer, "self_attn", None) or layer.linear_attn
        hooks += [mixer.register_forward_hook(keep(f"attention.{i}")),
                  layer.mlp.register_forward_hook(keep(f"mlp.{i}")),
                  layer.register_forward_hook(keep(f"hidden.layer.{i}"))]
    hooks.append(base.layers[0].register_forward_pre_hook(
        lambda _m, args, kwargs: taps.__setitem__(
            "hidden.embedding", (args[0] if args else kwargs["hidden_states"])[0].detach().float().contiguous()),
        with_kwargs=True))
    hooks.append(final_norm(base).register_forward_hook(keep("hidden.final_norm")))
    with torch.no_grad():
        logits = model(ids, use_cache=False).logits[0]
    for hook in hooks:
        hook.remove()
    return logits, taps


def greedy(model, ids, count=16):
    """The continuation, decoded with the reference's cache."""
    out, cache, fresh = [], None, ids
    with torch.no_grad():
        for _ in range(count):
            step = model(fresh, past_key_values=cache, use_cache=True)
            cache = step.past_key_values
            fresh = step.logits[:, -1].argmax(-1, keepdim=True)
            out.append((int(fresh), step.logits[0, -1].float()))
    return torch.tensor([token for token, _ in out]), torch.stack([logits for _, logits in out])


def main():
    args = arguments()
    model, config = build(args)
    ids = torch.randint(3, config.vocab_size, (1, args.tokens))
    logits, taps = trace(model, ids)
    exact = truth(model, config, ids, args)
    assert exact.dtype == torch.float64
    tokens, token_logits = greedy(model, ids)
    args.out.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(args.out)  # with the names and the packing of released checkpoints
    (args.out / "generation_config.json").unlink(missing_ok=True)
    if args.called:
        path = args.out / "config.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | {"model_type": args.called}, indent=2, sort_keys=True) + "\n")
    save_file({"input_ids": ids[0], "logits": logits.float().contiguous(), "logits_f64": exact.double().contiguous(),
               "greedy_ids": tokens, "greedy_logits": token_logits.contiguous(), **taps},
              args.out / "reference.safetensors")
    error = float((logits.double() - exact).abs().max() / exact.abs().max())
    note = {"source": f"transformers {transformers.__version__} {type(model).__name__}, eager attention",
            "torch": torch.__version__, "seed": args.seed, "set": args.set, "layer_scale": args.layer_scale, "T": args.tokens, "rel_err_f32_vs_f64": error}
    (args.out / "reference.json").write_text(json.dumps(note, indent=1) + "\n")
    print(f"{args.out}: {args.tokens} tokens, f32 against f64 {error:.1e}")


if __name__ == "__main__":
    main()

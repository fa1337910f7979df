#!/usr/bin/env bash
# transformers 4.57.6 and 5.24.0, CohereConfig: a config.json without rope_theta.
# One would guess: a key left out is worth the same in every version, since checkpoints don't change.
# Seen: 10000.0 in 4.57.6 and 500000.0 in 5.24.0, so that the same folder computes other numbers.
# Camelid refuses a Cohere config.json without rope_theta and names both values.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
for version in 4.57.6 5.24.0; do
  python3 -m venv "$work/$version"
  "$work/$version/bin/pip" install --quiet --disable-pip-version-check "transformers==$version"
  "$work/$version/bin/python" - 2>/dev/null >> "$work/seen" <<'PY'
import transformers
config = transformers.CohereConfig()
parameters = getattr(config, "rope_parameters", None) or {}
print(transformers.__version__, parameters.get("rope_theta", getattr(config, "rope_theta", None)))
PY
done
cat "$work/seen"
diff - "$work/seen" <<'SEEN'
4.57.6 10000.0
5.24.0 500000.0
SEEN

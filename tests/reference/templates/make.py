"""What transformers' environment makes of each line of lines.py: `python make.py > ../../templates/lines.json`.

Versions: transformers 5.24.0, jinja2 3.1.6. A line that fails there has `null` in place of its text.
"""

import json
import re
import sys

import jinja2
import transformers
from transformers.utils.chat_template_utils import _compile_jinja_template

from lines import DIFFERING, LINES, NAMES

assert (transformers.__version__, jinja2.__version__) == ("5.24.0", "3.1.6")


def rendered(source):
    try:
        return _compile_jinja_template(source).render(**NAMES)
    except Exception as error:  # whatever it is, the user gets no prompt
        print(f"{source!r}: {type(error).__name__}: {error}", file=sys.stderr)
        return None


def parts(line):
    """`{{ a }}|{{ b }}` is two lines, so that one that fails hides no other."""
    return [part for part in re.sub(r"\}\}\|(?=\{\{)", "}}\0", line).split("\0")]


groups = {
    group: [[source, rendered(source)] for line in lines for source in parts(line)] for group, lines in LINES.items()
}
json.dump({"names": NAMES, "groups": groups, "differing": DIFFERING}, sys.stdout, ensure_ascii=False, indent=1)
print()

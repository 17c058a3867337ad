"""What jsonargparse says about a wrong value, in the one line that helps."""

from __future__ import annotations

import re
from pathlib import Path

NO_TYPE_FITS = "Does not validate against any of the Union subtypes"
NOISE = re.compile(
    r"Parser key|Does not validate|Subtypes:|Errors:|Expected a (<class 'NoneType'>|path)|Given value|"
    r"Problem with given class_path"
)
# What is said before and after the reason, where a class is to be called later.
FACTORY = re.compile(
    r"Type \S*Callable\[.*?\] expects a function or a callable class: |\.? ?Got value: Namespace\(.*\)$"
)


def readable(message: str) -> str:
    """The keys down to the one that is wrong, and why, of a message that repeats every type it could have been."""
    keys = ".".join(re.findall(r'Parser key "([^"]+)"', message))
    message = "\n".join(FACTORY.sub("", line) for line in message.splitlines())
    lines = (line.strip(" -") for line in message.splitlines())
    reasons = dict.fromkeys(line for line in lines if line and not NOISE.match(line))
    if NO_TYPE_FITS not in message or not reasons:
        return message
    named = re.findall(r"Problem with given class_path '([^']+)':\n\s+(.+)", message)
    owner = next((f", {name}" for name, reason in named if reason in reasons), "")
    missing = any("No module named" in reason for reason in reasons)
    hint = f"; a module of your own must lie in the current folder ({Path.cwd()}) or be installed" if missing else ""
    return f"{keys}{owner}{': ' * bool(keys)}{'; '.join(reasons)}{hint}"

"""The report's one HTML file: its template with style, script and data put in."""

from __future__ import annotations

import hashlib
import json
from base64 import b64encode
from pathlib import Path
from string import Template
from typing import Any

ASSETS = Path(__file__).parent / "assets"


def page(body: str, data: Any) -> str:
    """The whole file. Its policy runs no script but ours, whatever texts the body holds, and loads nothing.

    Args:
        body: HTML, texts in it escaped.
        data: for the script, as JSON.
    """
    script = (ASSETS / "report.js").read_text()
    digest = b64encode(hashlib.sha256(script.encode()).digest()).decode()
    # No text may end the element that holds it.
    text = json.dumps(data, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    for letter in "<>&\u2028\u2029":
        text = text.replace(letter, f"\\u{ord(letter):04x}")
    return Template((ASSETS / "report.html").read_text()).substitute(
        style=(ASSETS / "report.css").read_text(),
        script=script,
        script_hash=f"sha256-{digest}",
        body=body,
        data=text,
    )

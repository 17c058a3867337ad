"""How the package's docstrings are read: links to public names, and attributes' sentences as they stand."""

from __future__ import annotations

import functools
import re
import sys
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxRole

NAME = re.compile(r"[A-Za-z_][\w.]*")
SENTENCES = ("attribute", "data", "property")
kept: dict[str, list[str]] = {}


class NameRole(SphinxRole):
    """What stands in single backticks: a link if it is a public name, code otherwise."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        """The nodes, as docutils wants them."""
        if not NAME.fullmatch(self.text):
            return [nodes.literal(self.rawtext, self.text)], []
        role: Any = self.env.get_domain("py").role("obj")
        return role("py:obj", self.rawtext, self.text, self.lineno, self.inliner)


def find(app: Sphinx, env: Any, node: Any, contnode: nodes.Element) -> nodes.Node | None:
    """The public name of what a reference calls by the file that defines it, or by its last name alone."""
    if node.get("refdomain") != "py":
        return None
    domain = env.get_domain("py")
    target = homes(env).get(node["reftarget"])
    if target is None:
        return None
    return domain.resolve_xref(env, node["refdoc"], app.builder, "obj", target, node, contnode)


@functools.cache
def homes(env: Any) -> dict[str, str]:
    """`package.file.Name` and, where no two share it, `Name` to the name that the site has a page for."""
    found: dict[str, str] = {}
    short: dict[str, set[str]] = {}
    for full, entry in env.get_domain("py").objects.items():
        if entry.objtype not in ("class", "exception", "function"):
            continue
        package, _, name = full.rpartition(".")
        thing = getattr(sys.modules.get(package), name, None)
        found[f"{getattr(thing, '__module__', package)}.{name}"] = full
        if name[0].isupper():
            short.setdefault(name, set()).add(full)
    return found | {name: full.pop() for name, full in short.items() if len(full) == 1}


def keep(app: Sphinx, what: str, name: str, thing: Any, options: Any, lines: list[str]) -> None:
    """Remember an attribute's docstring: napoleon takes what stands before its first colon for a type."""
    if what in SENTENCES:
        kept[name] = list(lines)


def restore(app: Sphinx, what: str, name: str, thing: Any, options: Any, lines: list[str]) -> None:
    """Put the docstring back after napoleon."""
    if what in SENTENCES:
        lines[:] = kept.pop(name)


def unfence(app: Sphinx, what: str, name: str, thing: Any, options: Any, lines: list[str]) -> None:
    """Make blocks of code of Markdown's fences."""
    fenced = False
    for i, line in enumerate(lines):
        if line.startswith("```"):
            lines[i] = "" if fenced else f".. code-block:: {line[3:] or 'text'}\n"
            fenced = not fenced
        elif fenced:
            lines[i] = f"   {line}"
    lines[:] = "\n".join(lines).split("\n")


def drop_plain_bases(app: Sphinx, domain: str, kind: str, content: nodes.Element) -> None:
    """No line for bases that say nothing."""
    for line in content.children[:1]:
        if line.astext() in ("Bases: object", "Bases: ABC"):
            content.remove(line)


def setup(app: Sphinx) -> dict[str, bool]:
    """As Sphinx wants it."""
    app.add_role("name", NameRole())
    app.connect("missing-reference", find)
    app.connect("autodoc-process-docstring", keep, priority=400)  # napoleon is at 500
    app.connect("autodoc-process-docstring", restore, priority=600)
    app.connect("autodoc-process-docstring", unfence, priority=300)
    app.connect("object-description-transform", drop_plain_bases)
    return {"parallel_read_safe": True, "parallel_write_safe": True}

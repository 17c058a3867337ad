"""Links that leave docs/ for files of the repository lead to a page of the site that shows the file.

On a code host the same links lead to the files themselves. A link to what is not there is a warning.
"""

from __future__ import annotations

import html
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.transforms import SphinxTransform
from sphinx.util import logging

LANGUAGES = {".yaml": "yaml", ".py": "python", ".md": "markdown", ".json": "json", ".toml": "toml", ".csv": "text"}
LANGUAGES |= {".txt": "text", "": "text"}
LONGEST = 200_000
log = logging.getLogger(__name__)


class LeadOut(SphinxTransform):
    """Turns links to files outside docs/ into references of this extension, before Sphinx copies the files."""

    default_priority = 5

    def apply(self, **kwargs: Any) -> None:
        """As docutils has it."""
        for kind in (addnodes.pending_xref, addnodes.download_reference):
            for node in list(self.document.findall(kind)):
                if node.get("reftype") == "myst":
                    self._replace(node)

    def _replace(self, node: nodes.Element) -> None:
        target, _, anchor = node["reftarget"].partition("#")
        anchor = node.get("reftargetid") or anchor
        if not target:
            return
        docs, root = Path(self.env.srcdir).resolve(), Path(self.config.repository_root).resolve()
        base = docs if node.get("refdomain") == "doc" else (docs / self.env.docname).parent
        path = (base / target).resolve()
        if node.get("refdomain") == "doc" and not path.exists():
            path = path.with_name(f"{path.name}.md")  # a page's name
        if path.is_relative_to(docs) or not path.exists():
            return  # MyST finds the page, or warns
        if not path.is_relative_to(root):
            log.warning("%s is outside of the repository", target, location=node, type="repository")
            return
        if not path.is_dir() and path.suffix not in LANGUAGES:
            return  # Sphinx offers it for download
        name = path.relative_to(root).as_posix()
        page = self.config.repository_pages.get(name)
        new = addnodes.pending_xref("", *node.children, refexplicit=True, refwarn=True, refdoc=self.env.docname)
        if page is not None:
            new.attributes |= {"refdomain": "doc", "reftype": "myst", "reftarget": page, "reftargetid": anchor or None}
        else:
            # MyST has dropped a file's anchor, such as a line: the whole file is shown.
            new.attributes |= {"refdomain": "", "reftype": "repository", "reftarget": name}
            self.env.metadata[self.env.docname].setdefault("repository_files", []).append(name)
        node.replace_self(new)


def resolve(app: Sphinx, env: Any, node: addnodes.pending_xref, contnode: nodes.Element) -> nodes.Node | None:
    """The reference to the page that shows a file."""
    if node.get("reftype") != "repository":
        return None
    uri = app.builder.get_relative_uri(node["refdoc"], page_of(node["reftarget"]))
    return nodes.reference("", "", *node.children, internal=True, refuri=uri)


def page_of(name: str) -> str:
    """The page that shows a file or folder."""
    return f"files/{name}"


def pages(app: Sphinx) -> Iterator[tuple[str, dict[str, Any], str]]:
    """A page for each file and folder that is linked, and for all that such a folder holds."""
    root = Path(app.config.repository_root)
    named = {name for meta in app.env.metadata.values() for name in meta.get("repository_files", [])}
    shown = sorted({path for name in named for path in _with_contents(root / name)})
    for path in shown:
        name = path.relative_to(root).as_posix()
        body = _listing(app, path, name) if path.is_dir() else _text(app, path, name)
        yield page_of(name), {"title": name, "body": f"<h1>{html.escape(name)}</h1>{body}"}, "page.html"


def _with_contents(path: Path) -> Iterator[Path]:
    if path.is_dir():
        yield path
        for child in path.iterdir():
            if not child.name.startswith((".", "__")):
                yield from _with_contents(child)
    elif path.suffix in LANGUAGES:
        yield path


def _listing(app: Sphinx, path: Path, name: str) -> str:
    items = []
    for child in sorted(path.iterdir(), key=lambda child: (child.is_file(), child.name)):
        if child.name.startswith((".", "__")):
            continue
        label = html.escape(child.name) + ("/" if child.is_dir() else "")
        if child.is_dir() or child.suffix in LANGUAGES:
            uri = app.builder.get_relative_uri(page_of(name), page_of(f"{name}/{child.name}"))
            label = f'<a href="{html.escape(uri)}">{label}</a>'
        items.append(f"<li>{label}</li>")
    return f"<ul>{''.join(items)}</ul>"


def _text(app: Sphinx, path: Path, name: str) -> str:
    text = path.read_text()
    if len(text) > LONGEST:
        return f"<p>{len(text.splitlines())} lines, too long to be shown here.</p>"
    return str(app.builder.highlighter.highlight_block(text, LANGUAGES[path.suffix], location=name))


def setup(app: Sphinx) -> dict[str, bool]:
    """As Sphinx wants it."""
    app.add_config_value("repository_root", "..", "env")
    app.add_config_value("repository_pages", {}, "env")
    app.add_transform(LeadOut)
    app.connect("missing-reference", resolve)
    app.connect("html-collect-pages", pages)
    return {"parallel_read_safe": True, "parallel_write_safe": True}

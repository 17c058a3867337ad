"""Links within the documentation lead somewhere, every page is in the site, and its experiments can be built."""

import importlib
import inspect
import re
import sys
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import yaml
from markdown_it import MarkdownIt

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
PAGES = sorted(page for page in DOCS.rglob("*.md") if "_build" not in page.parts)
SOURCES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *PAGES]
METHODS = [page for page in PAGES if page.parent.name == "methods" and page.stem != "index"]
pytestmark = pytest.mark.filterwarnings("ignore:.*MystReferenceResolver.app.*")  # MyST with Sphinx 9

ELSEWHERE = re.compile(r"[a-z]+:")


def tokens(page: Path) -> Iterator[Any]:
    for token in MarkdownIt().enable("table").parse(page.read_text()):
        yield token
        yield from token.children or []


def links(page: Path) -> list[str]:
    targets = [token.attrGet("href") or token.attrGet("src") for token in tokens(page)]
    return [target for target in targets if target and not ELSEWHERE.match(target)]


def anchors(page: Path) -> set[str]:
    """Of headings, as code hosts make them."""
    found: set[str] = set()
    heading = False
    for token in tokens(page):
        if token.type == "inline" and heading:
            text = "".join(child.content for child in token.children)
            name = re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-")
            found.add(next(n for n in [name, *(f"{name}-{k}" for k in range(1, 99))] if n not in found))
        heading = token.type == "heading_open"
    return found


def fences(page: Path, kind: str) -> list[str]:
    return [token.content for token in tokens(page) if token.type == "fence" and token.info.split() == [kind]]


@pytest.mark.parametrize("page", SOURCES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_relative_links_lead_to_files_and_anchors(page: Path) -> None:
    for link in links(page):
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        assert target.is_relative_to(ROOT), f"{page}: {link} leaves the repository"
        assert target.exists(), f"{page}: {link} leads to no file"
        if anchor and target.suffix == ".md":
            assert anchor in anchors(target), f"{page}: {link}: there is no such heading in {target.name}"


def test_every_page_is_in_a_toctree() -> None:
    listed = {DOCS / "index.md"}
    for page in PAGES:
        for block in fences(page, "{toctree}"):
            entries = [line for line in block.splitlines() if line and not line.startswith(":")]
            listed |= {page.parent / f"{entry}.md" for entry in entries}
    assert listed == set(PAGES)


def test_every_method_has_a_page_in_the_table() -> None:
    assert {page.name for page in METHODS} == {link for link in links(DOCS / "methods/index.md") if "/" not in link}
    named = "".join(page.read_text() for page in METHODS)
    for package in ("zoo.methods", "zoo.methods.classical"):
        for name in importlib.import_module(package).__all__:
            concrete = inspect.isclass(thing := getattr(importlib.import_module(package), name))
            if concrete and not inspect.isabstract(thing) and name != "InteractiveMethod":
                assert f"zoo.methods.{name}" in named, f"{name} has no page in docs/methods"


@pytest.mark.parametrize("page", METHODS, ids=lambda page: page.stem)
def test_the_classes_and_arguments_of_its_experiments_exist(page: Path) -> None:
    blocks = fences(page, "yaml")
    assert blocks
    for block in blocks:
        check(yaml.safe_load(block))


def check(part: Any) -> None:
    """Every `class_path` is a class that takes its `init_args`; a string that begins with `zoo.` is a class, too."""
    if isinstance(part, str) and part.startswith("zoo."):
        part = {"class_path": part}
    if isinstance(part, list):
        for one in part:
            check(one)
    if not isinstance(part, dict):
        return
    if "class_path" in part:
        module, _, name = part["class_path"].rpartition(".")
        kinds = getattr(importlib.import_module(module), name).__mro__
        arguments = {argument for kind in kinds for argument in inspect.signature(kind).parameters}
        assert set(part.get("init_args", {})) <= arguments, part["class_path"]
    for name, one in part.items():
        if name != "class_path":
            check(one)


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Builds a small repository's docs/ and returns what was warned of."""
    application = pytest.importorskip("sphinx.application")
    from sphinx.util.docutils import docutils_namespace

    monkeypatch.syspath_prepend(str(DOCS / "_extensions"))
    (tmp_path / "docs").mkdir()
    (tmp_path / "experiments").mkdir()
    (tmp_path / "experiments/ritm.yaml").write_text("title: RITM\nside: 256 < 384\n")
    (tmp_path / "experiments/data.h5").write_bytes(b"\x89HDF")
    (tmp_path / "README.md").write_text("# Read me\n")
    (tmp_path / "docs/index.md").write_text("# Start\n\n```{toctree}\ndeep/page\n```\n")
    (tmp_path / "docs/deep").mkdir()

    def build(text: str) -> str:
        (tmp_path / "docs/deep/page.md").write_text(f"# Page\n\n{text}\n")
        warned = StringIO()
        options = {"extensions": ["myst_parser", "repository_files"], "repository_root": str(tmp_path)}
        options |= {"repository_pages": {"README.md": "index"}, "html_theme": "basic"}
        folders = [str(tmp_path / name) for name in ("docs", "out", "trees")]
        where = (folders[0], None, *folders[1:], "html")
        with docutils_namespace():
            application.Sphinx(*where, confoverrides=options, status=None, warning=warned).build()
        return warned.getvalue()

    yield build
    sys.modules.pop("repository_files", None)


def test_a_link_to_a_repository_file_leads_to_a_page_that_shows_it(site: Any, tmp_path: Path) -> None:
    assert site("[one](../../experiments/ritm.yaml) [all](../../experiments/) [start](../../README.md)") == ""
    page = (tmp_path / "out/deep/page.html").read_text()
    assert 'href="../files/experiments/ritm.yaml.html"' in page
    assert 'href="../files/experiments.html"' in page
    assert 'href="../index.html"' in page
    shown = (tmp_path / "out/files/experiments/ritm.yaml.html").read_text()
    assert "256" in shown
    assert "&lt;" in shown
    folder = (tmp_path / "out/files/experiments.html").read_text()
    assert 'href="experiments/ritm.yaml.html"' in folder
    assert "data.h5" in folder
    assert 'data.h5.html"' not in folder


@pytest.mark.parametrize(
    ("link", "complaint"),
    [
        ("../../experiments/fbrs.yaml", "experiments/fbrs.yaml"),
        ("../../../elsewhere/", "elsewhere"),
        ("other.md", "other.md"),
    ],
)
def test_a_link_that_leads_nowhere_is_a_warning(site: Any, link: str, complaint: str) -> None:
    assert complaint in site(f"[here]({link})")

"""The documentation site: `make docs` builds it into docs/_build/html, and warnings are errors."""

import sys
import tomllib
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parent
sys.path[:0] = [str(ROOT), str(HERE / "_extensions")]

project = "isegzoo"
author = "the authors of isegzoo"
release = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "docstrings",
    "repository_files",
]
exclude_patterns = ["_build"]
nitpicky = True
nitpick_ignore_regex = [
    ("py:obj", ".*"),  # docstrings put code of all kinds in backticks
    (
        "py:.*",
        r"(abc|albumentations|collections|contextlib|h5py|lightning|numpy|os|pathlib|torch|torchmetrics|typing)\..*",
    ),
    ("py:.*", r"zoo\.\w+\.\w+\.\w+|[A-Z]\w*"),  # annotations may name what is not public
]

myst_heading_anchors = 4  # as code hosts number them

default_role = "name"
autodoc_default_options = {"members": True, "show-inheritance": True}
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True  # as written, such as torch.optim.Adam
napoleon_numpy_docstring = False
napoleon_use_ivar = True  # attributes that annotations name already would be there twice
python_maximum_signature_line_length = 90
toc_object_entries_show_parents = "hide"

# Pages that are files of the repository's root.
repository_root = str(ROOT)
repository_pages = {
    "README.md": "index",
    "CONTRIBUTING.md": "contributing",
    "CHANGELOG.md": "changelog",
    "leaderboard.md": "leaderboard",
}

html_theme = "pydata_sphinx_theme"
html_title = f"isegzoo {release}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_sourcelink = False
html_copy_source = False
html_sidebars = {"index": [], "leaderboard": [], "changelog": [], "contributing": [], "files/**": []}
html_theme_options = {
    "logo": {"text": "isegzoo"},
    "navbar_align": "left",
    "header_links_before_dropdown": 6,
    "show_prev_next": False,
    "navigation_with_keys": False,
    "footer_start": [],
    "footer_end": [],
    "secondary_sidebar_items": ["page-toc"],
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
}
linkcheck_timeout = 20

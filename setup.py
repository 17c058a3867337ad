"""Puts the experiments and their data into the wheel, as `zoo/experiments`; all else stands in pyproject.toml."""

from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

SHIPPED = (".yaml", ".txt", ".h5", ".md")
"""Endings of what experiments are made of: not the results, nor the programs that drew lists and chose parameters."""


class WithExperiments(build_py):
    """Builds the packages, and copies the experiments beside them."""

    def run(self) -> None:
        """Copy, unless the packages are used as they lie in a clone, where the experiments lie beside them."""
        super().run()
        if self.editable_mode:
            return
        for path in sorted(Path("experiments").rglob("*")):
            if path.suffix in SHIPPED and "results" not in path.parts:
                target = Path(self.build_lib, "zoo", path)
                self.mkpath(str(target.parent))
                self.copy_file(str(path), str(target))


setup(cmdclass={"build_py": WithExperiments})

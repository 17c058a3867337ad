"""A published folder is there whole, whatever happens while it is replaced."""

from pathlib import Path

import pytest

from zoo.publishing.place import replacing_folder


def test_ctrl_c_between_the_two_renames_leaves_the_older_folder(tmp_path, monkeypatch):
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "config.yaml").write_text("older")
    rename = Path.rename

    def interrupted(path: Path, target: Path) -> Path:
        if path.name.endswith(".part"):
            raise KeyboardInterrupt
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", interrupted)
    with pytest.raises(KeyboardInterrupt), replacing_folder(folder, {"config.yaml"}) as work:
        (work / "config.yaml").write_text("newer")
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]
    assert (folder / "config.yaml").read_text() == "older"

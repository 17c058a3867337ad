"""One server for the tests that do not look at what it keeps, and its parts for those that do."""

from pathlib import Path

import pytest

from tests.helpers.annotator import checkpoints, client_of, models_of, pictures


@pytest.fixture(scope="session")
def index(tmp_path_factory) -> Path:
    return checkpoints(tmp_path_factory.mktemp("checkpoints"))


@pytest.fixture(scope="session")
def models(index):
    return models_of(index)


@pytest.fixture(scope="session")
def originals(tmp_path_factory) -> Path:
    return pictures(tmp_path_factory.mktemp("pictures") / "images")


@pytest.fixture(scope="session")
def shared(originals, models, tmp_path_factory):
    """A server that all tests of a process use; each begins objects of its own."""
    with client_of(originals, models, save=tmp_path_factory.mktemp("saved") / "a.sqlite") as client:
        yield client


@pytest.fixture
def client(originals, models, tmp_path):
    """A server of its own, that keeps nothing yet."""
    with client_of(originals, models, save=tmp_path / "a.sqlite") as client:
        yield client

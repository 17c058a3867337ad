"""A server that has just started: the page comes at once, and the default checkpoint without being asked for."""

import threading
import time

import pytest
from starlette.testclient import TestClient

from tests.helpers.annotator import ADDRESS, click, client_of, done, models_of, refused
from zoo.annotate.serving import create_server
from zoo.errors import CheckpointError
from zoo.hub.load import load


@pytest.fixture
def may_load(monkeypatch):
    """Until it is set, checkpoints are not loaded."""
    event = threading.Event()

    def slowly(*args, **options):
        assert event.wait(60)
        return load(*args, **options)

    monkeypatch.setattr("zoo.annotate.models.load", slowly)
    yield event
    event.set()


def come(models):
    """Wait for a checkpoint that nobody asks for."""
    for _ in range(600):
        if models._models:
            return list(models._models)
        time.sleep(0.1)
    return []


def test_the_page_opens_while_the_default_checkpoint_is_loaded(originals, index, tmp_path, may_load):
    models = models_of(index)
    with client_of(originals, models, save=tmp_path / "a.sqlite") as client:
        assert client.get("/").status_code == 200
        assert done(client.get("/api/about"))["default"] == "whole"
        assert not models._models
        may_load.set()
        assert come(models) == ["whole"]


def test_the_server_for_viewers_loads_it_too(index, may_load):
    models = models_of(index)
    may_load.set()
    with TestClient(create_server(models=models), base_url=ADDRESS):
        assert come(models) == ["whole"]


def test_who_asks_before_waits_for_the_same(originals, index, tmp_path, may_load):
    models = models_of(index)
    with client_of(originals, models, save=tmp_path / "a.sqlite") as client:
        threading.Timer(0.5, may_load.set).start()
        body = {"image": "a.png", "interactions": [click(16.5, 14.5)]}
        assert done(client.post("/api/objects", json=body))["checkpoint"] == "whole"


def test_one_that_can_not_be_had_is_told_when_it_is_asked_for(originals, index, tmp_path, monkeypatch):
    def broken(*args, **options):
        raise CheckpointError("whole: no network")

    monkeypatch.setattr("zoo.annotate.models.load", broken)
    with client_of(originals, models_of(index), save=tmp_path / "a.sqlite") as client:
        body = {"image": "a.png", "interactions": [click(16.5, 14.5)]}
        refused(client.post("/api/objects", json=body), 424, "no network")


@pytest.mark.parametrize("path", ["/", "/main.js", "/vendor/openseadragon/openseadragon.min.js"])
def test_a_new_version_of_the_page_is_seen_at_once(shared, path):
    """The browser asks whether a file changed, and is sent it only then."""
    first = shared.get(path)
    assert first.headers["cache-control"] == "no-cache"
    again = shared.get(path, headers={"if-none-match": first.headers["etag"]})
    assert (again.status_code, again.content, again.headers["cache-control"]) == (304, b"", "no-cache")
    assert shared.get(path, headers={"if-none-match": '"older"'}).status_code == 200

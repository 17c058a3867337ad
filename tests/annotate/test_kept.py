"""Nothing that was answered is lost: idle objects, two tabs, two servers, and servers that are killed."""

import os
import random
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx2
import numpy as np
import pytest
from starlette.testclient import TestClient

from tests.helpers.annotator import ADDRESS, begin, click, client_of, done, mask_of, refused, said
from zoo.annotate import pictures
from zoo.annotate.document import History, history_of
from zoo.annotate.journal import Journal
from zoo.annotate.root import Root
from zoo.errors import DataError

FIRST, SECOND = click(16.5, 14.5), click(60.5, 70.5, positive=False)


def service(client):
    return client.app.app.state.service


def test_an_idle_object_leaves_memory_and_comes_back(originals, models, tmp_path):
    with client_of(originals, models, save=tmp_path / "a.sqlite", idle=0) as client:
        made = begin(client, FIRST)
        after = said(client, made["id"], SECOND)
        mask = mask_of(client, made["id"])
        service(client).objects.sweep()
        assert service(client).objects.in_memory == 0
        assert done(client.get(f"/api/objects/{made['id']}")) == after
        np.testing.assert_array_equal(mask_of(client, made["id"]), mask)
        assert service(client).objects.in_memory == 0  # what is known needs no session
        third = said(client, made["id"], click(90.5, 90.5))
        done(client.post(f"/api/objects/{made['id']}/undo"))
        np.testing.assert_array_equal(mask_of(client, made["id"]), mask)
        done(client.post(f"/api/objects/{made['id']}/redo"))
        assert done(client.get(f"/api/objects/{made['id']}"))["area"] == third["area"]


def test_many_pixels_push_the_oldest_out(originals, models, tmp_path, monkeypatch):
    monkeypatch.setattr("zoo.annotate.objects.MOST_LIVE_PIXELS", 2 * 200 * 200)
    with client_of(originals, models, save=tmp_path / "a.sqlite") as client:
        made = [begin(client, FIRST) for _ in range(4)]
        assert service(client).objects.in_memory == 2
        assert [said(client, each["id"], SECOND)["undo"] for each in made] == [2] * 4


def test_a_new_object_has_one_lock_also_when_it_is_found_at_once(client, monkeypatch):
    objects = service(client).objects
    inserted = objects.journal.begin

    def found_at_once(new):
        revision = inserted(new)
        for kept, _ in new:
            objects.get(kept.id)
            found.append(objects._entries[kept.id])
        return revision

    found: list[object] = []
    monkeypatch.setattr(objects.journal, "begin", found_at_once)
    made = begin(client, FIRST)
    assert objects._entries[made["id"]] is found[0]
    assert said(client, made["id"], SECOND)["undo"] == 2


def test_tiles_that_two_ask_for_at_once_are_counted_once(originals, monkeypatch):
    """Else the cache would shrink with each of them, and at last have nothing to let go of."""
    both, made = threading.Barrier(2, timeout=60), pictures.jpeg

    def together(pixels):
        both.wait()
        return made(pixels)

    monkeypatch.setattr(pictures, "jpeg", together)
    opened = pictures.Pictures(Root(originals))
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(lambda _: opened.tile("a.png", 8, 0, 0), range(2))
    assert first == second
    assert opened._tile_bytes == len(first)
    opened.close()


def test_everything_is_there_after_a_restart(originals, models, tmp_path):
    save = tmp_path / "a.sqlite"
    with client_of(originals, models, save=save) as client:
        made = begin(client, FIRST, **{"class": "Tumor"})
        said(client, made["id"], SECOND)
        done(client.post(f"/api/objects/{made['id']}/edit", json={"polygon": [[1, 1], [9, 1], [9, 9]], "add": True}))
        done(client.patch(f"/api/objects/{made['id']}", json={"threshold": 0.4}))
        done(client.post(f"/api/objects/{made['id']}/undo"))
        gone = begin(client)
        done(client.delete(f"/api/objects/{gone['id']}"))
        many = {"image": "a.png", "clicks": [[16.5, 14.5], [20.5, 40.5]], "checkpoint": "fine"}
        done(client.post("/api/many", json=many))
        before = done(client.get("/api/objects", params={"image": "a.png"}))
        masks = [mask_of(client, each["id"]) for each in before["objects"]]
    with client_of(originals, models, save=save) as client:
        after = done(client.get("/api/objects", params={"image": "a.png"}))
        assert after == before
        assert [each["undo"] for each in after["objects"]] == [2, 1, 1]
        for each, mask in zip(after["objects"], masks, strict=True):
            np.testing.assert_array_equal(mask_of(client, each["id"]), mask)
        redone = done(client.post(f"/api/objects/{made['id']}/redo"))
        assert len(redone["edits"]) == 1
        assert done(client.get("/api/images"))["entries"][1]["objects"] == 3


def test_the_file_lies_in_the_folder_and_is_not_listed(originals, models, tmp_path):
    root = tmp_path / "root"
    root.mkdir()
    (root / "a.png").write_bytes((originals / "a.png").read_bytes())
    with client_of(root, models) as client:
        begin(client, FIRST)
        assert (root / "isegzoo.sqlite").is_file()
        assert [each["name"] for each in done(client.get("/api/images"))["entries"]] == ["a.png"]
    assert sorted(path.name for path in root.iterdir()) == ["a.png", "isegzoo.sqlite"]


def test_two_tabs_see_each_other(originals, models, tmp_path):
    with client_of(originals, models, save=tmp_path / "a.sqlite") as one:
        two = TestClient(one.app, base_url=ADDRESS)
        seen = done(two.get("/api/revision", params={"image": "a.png"}))["revision"]
        made = begin(one, FIRST)
        assert done(two.get("/api/revision", params={"image": "a.png"}))["revision"] > seen
        seen = done(two.get("/api/objects", params={"image": "a.png"}))
        assert [each["id"] for each in seen["objects"]] == [made["id"]]
        assert seen["revision"] == made["revision"]
        said(two, made["id"], SECOND)
        undone = done(one.post(f"/api/objects/{made['id']}/undo"))
        assert (undone["undo"], undone["redo"]) == (1, 1)
        begin(one, image="slide.svs", region=[0, 0, 100, 100])
        begin(one)
        asked = {"image": "a.png", "since": seen["revision"]}
        assert done(two.get("/api/revision", params=asked))["changes"] == 3
        other = done(two.get("/api/revision", params={"image": "deep/b.png"}))
        assert other == {"revision": 0, "changes": 0}


def test_two_people_at_once_lose_nothing(originals, models, tmp_path):
    with client_of(originals, models, save=tmp_path / "a.sqlite") as client:
        made = begin(client, FIRST)

        def work(number):
            own = begin(client, FIRST, image="deep/b.png")
            for k in range(3):
                said(client, own["id"], click(10.5 + k, 20.5 + number))
                said(client, made["id"], click(10.5 + number, 20.5 + k))
            return own["id"]

        with ThreadPoolExecutor(4) as pool:
            own = list(pool.map(work, range(4)))
        assert [len(done(client.get(f"/api/objects/{each}"))["interactions"]) for each in own] == [4] * 4
        shared = done(client.get(f"/api/objects/{made['id']}"))
        assert len(shared["interactions"]) == 13
        assert [each["id"] for each in shared["interactions"]] == list(range(1, 14))


def test_others_are_answered_while_a_model_works(originals, models, tmp_path, monkeypatch):
    working, go_on = threading.Event(), threading.Event()
    with client_of(originals, models, save=tmp_path / "a.sqlite") as client:
        made = begin(client, FIRST)
        engine = type(models.get("whole").engine)
        step = engine.change

        def slow(self, *arguments):
            working.set()
            assert go_on.wait(60)
            return step(self, *arguments)

        monkeypatch.setattr(engine, "change", slow)
        with ThreadPoolExecutor(1) as pool:
            answer = pool.submit(said, client, made["id"], SECOND)
            assert working.wait(60)
            done(client.get("/api/about"))
            assert client.get("/api/tile/8/0_0.jpg", params={"image": "a.png"}).status_code == 200
            assert not answer.done()
            go_on.set()
            assert answer.result()["undo"] == 2


def test_two_servers_on_one_file_do_not_overwrite_each_other(originals, models, tmp_path):
    save = tmp_path / "a.sqlite"
    with client_of(originals, models, save=save) as one, client_of(originals, models, save=save) as two:
        made = begin(one, FIRST)
        said(two, made["id"], SECOND)
        sent = {"interactions": [click(90.5, 90.5)]}
        refused(one.post(f"/api/objects/{made['id']}/interactions", json=sent), 409, "another server")
        after = said(one, made["id"], click(90.5, 90.5))
        assert [each["x"] for each in after["interactions"]] == [16.5, 60.5, 90.5]


def test_an_image_that_became_another_one_is_told(originals, models, tmp_path):
    root = tmp_path / "root"
    root.mkdir()
    (root / "a.png").write_bytes((originals / "a.png").read_bytes())
    with client_of(root, models, idle=0) as client:
        made = begin(client, FIRST)
        service(client).objects.sweep()
        (root / "a.png").write_bytes((originals / "deep" / "b.png").read_bytes())
        refused(client.post(f"/api/objects/{made['id']}/interactions", json={"interactions": [SECOND]}), 409, "another")


def test_a_file_of_something_else_is_refused(tmp_path):
    other = Journal(tmp_path / "a.sqlite")
    other._file.execute("PRAGMA user_version=7")
    other.close()
    with pytest.raises(DataError, match="--save"):
        Journal(tmp_path / "a.sqlite")


def test_a_history_is_what_its_events_make_of_it():
    """Against lists that are copied at each step."""
    drawn = random.Random(0)
    about = {"class": None, "checkpoint": "x", "threshold": None}
    for _ in range(30):
        events, states, place, history = [], [[]], 0, History(about)
        for _ in range(25):
            what = drawn.choice(["say", "say", "undo", "redo", "remove", "reset"])
            now = states[place]
            if (what == "undo" and place == 0) or (what == "redo" and place == len(states) - 1):
                continue
            if what in ("remove", "reset") and not now:
                continue
            event = {"do": what}
            if what == "say":
                event["interactions"] = [click(float(len(events)), 0.0)]
                states[place + 1 :] = [[*now, float(len(events))]]
            elif what == "remove":
                k = drawn.randrange(len(now))
                event["number"] = history.said[k][0]
                states[place + 1 :] = [[*now[:k], *now[k + 1 :]]]
            elif what == "reset":
                states[place + 1 :] = [[]]
            place += -1 if what == "undo" else 1
            events.append(event)
            history = history.after(event)
            assert [each.x for _, _, each in history.said] == states[place]
            assert (len(history.past), len(history.future)) == (place, len(states) - 1 - place)
        assert history_of(about, events) == history


@pytest.fixture(scope="module")
def start(originals, index):
    """What starts servers, each a process of its own: gives their ids, and what asks them."""
    command = [sys.executable, "-m", "tests.helpers.annotate_server", str(originals), str(index)]
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2]
    )

    @contextmanager
    def started(save):
        process.stdin.write(f"{save}\n")
        process.stdin.flush()
        server = int(process.stdout.readline())
        said_last: list[str] = []
        try:
            with httpx2.Client(base_url=process.stdout.readline().split()[2], timeout=100) as client:
                yield server, client, said_last
        finally:
            with suppress(ProcessLookupError):
                os.kill(server, signal.SIGKILL)
            while not (said_last and said_last[-1].startswith("ended")):
                said_last.append(process.stdout.readline().strip())
                assert said_last[-1], "the process that starts servers has ended"

    yield started
    process.stdin.close()
    process.wait(60)
    process.stdout.close()


def kill_while_working(start, save, kills):
    """Kill a server that many times at random moments, and look for everything that was answered."""
    drawn, answered = random.Random(kills), []
    with start(save) as (_, client, _):
        identity = begin(client)["id"]
        began = time.monotonic()
        for _ in range(4):
            say_one_more(client, identity, answered)
        each = (time.monotonic() - began) / 4
    for _ in range(kills):
        with start(save) as (server, client, _):
            check(client, identity, answered)
            say_one_more(client, identity, answered)  # the first one takes longer
            timer = threading.Timer(drawn.uniform(0, 4 * each), os.kill, [server, signal.SIGKILL])
            timer.start()
            with suppress(httpx2.HTTPError, OSError):
                while True:
                    say_one_more(client, identity, answered)
            timer.join()
    with start(save) as (_, client, _):
        check(client, identity, answered)
    assert len(answered) >= 4 + kills


def say_one_more(client, identity, answered):
    answered.append(said(client, identity, click(len(answered) % 190 + 0.5, 20.5))["interactions"][-1])


def check(client, identity, answered):
    """All that was answered is there, and at most one more that was not."""
    kept = done(client.get(f"/api/objects/{identity}"))["interactions"]
    assert kept[: len(answered)] == answered
    assert len(kept) - len(answered) in (0, 1)
    answered[:] = kept
    mask_of(client, identity)


def test_a_killed_server_loses_nothing(start, tmp_path):
    kill_while_working(start, tmp_path / "a.sqlite", 2)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_server_killed_twenty_times_loses_nothing(start, tmp_path):
    kill_while_working(start, tmp_path / "a.sqlite", 20)


def wait_for_end(server):
    with suppress(ProcessLookupError):
        for _ in range(600):
            os.kill(server, 0)
            time.sleep(0.1)


def test_ctrl_c_ends_a_server_that_kept_everything(start, tmp_path):
    with start(tmp_path / "a.sqlite") as (server, client, said_last):
        made = begin(client, FIRST)
        client.close()
        os.kill(server, signal.SIGINT)
        wait_for_end(server)
    assert said_last == ["everything is kept", "ended 0"]
    assert not (tmp_path / "a.sqlite-wal").exists()  # all is in the one file
    journal = Journal(tmp_path / "a.sqlite")
    assert journal.of_image("a.png") == [made["id"]]
    journal.close()

"""Whatever is asked, following the descriptions or not, the answer is no error of the server's.

The server is that of `zoo serve`: the annotator's API, and the protocols of all viewers.
"""

from collections import Counter

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from tests.helpers.annotator import ADDRESS, begin, click, done
from tests.helpers.protocols import base64_of, file, photo
from zoo.annotate.serving import create_server

PICTURE = file(photo(24, 32))
KNOWN = ("method", "url", "params", "json", "content", "headers", "data", "files")


@pytest.fixture(scope="module")
def fuzzed(originals, models, tmp_path_factory):
    """A server, an object of it, and the operations that its description lists."""
    app = create_server(originals, tmp_path_factory.mktemp("fuzzed") / "a.sqlite", models)
    with TestClient(app, base_url=ADDRESS, follow_redirects=False) as client:
        description = done(client.get("/api/openapi.json"))
        yield client, begin(client, click(16.5, 14.5))["id"], schemathesis.openapi.from_dict(description)


def ask(fuzzed, count):
    """Ask so much of all operations together, with requests that fit their description and such that do not.

    Returns how often which status was answered.
    """
    client, identity, schema = fuzzed
    operations = [each.ok() for each in schema.get_all_operations()]
    assert len(operations) > 40
    modes = (schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE)
    seen = Counter()
    for operation in operations:
        cases = st.one_of([operation.as_strategy(generation_mode=mode) for mode in modes])

        @settings(
            max_examples=-(-count // len(operations)),
            deadline=None,
            derandomize=True,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=cases, there=st.integers(0, 3), image=st.sampled_from(["a.png", "slide.svs", "deep/b.png"]),
               model=st.sampled_from(["fine", "whole", "fine@0.5", "whole@0.01", "whole@900"]))  # fmt: skip
        def one(case, there, image, model):
            if there:  # mostly: what names nothing is refused at the door
                _name(case, identity, image, model)
            asked = {k: v for k, v in case.as_transport_kwargs(base_url=ADDRESS).items() if k in KNOWN}
            if asked.get("files"):
                asked["files"] = [(key, (name, _bytes(value))) for key, (name, value, *_) in asked["files"]]
            try:
                request = client.build_request(**asked)
            except ValueError:  # no client can send it
                return
            response = client.send(request)  # which raises what the server does not catch
            seen[response.status_code] += 1
            assert response.status_code < 500, (case.method, case.path, asked, response.text)
            if response.status_code >= 400 and case.method != "HEAD":
                assert response.json()["detail"]

        one()
        client.post(f"/api/objects/{identity}/restore")
    done(client.get("/api/about"))
    return seen


def _name(case, identity, image, model):
    """Let a request be about an object, an image, a checkpoint and a picture that are there."""
    names = {"identity": identity, "image": image, "model": model, "function": model}
    for given_ in (case.path_parameters, case.query):
        given_.update({key: names[key] for key in names if isinstance(given_, dict) and key in given_})
    if "x-nuclio-function-name" in (case.headers or {}):
        case.headers["x-nuclio-function-name"] = model
    if isinstance(case.body, dict):
        sent = base64_of(PICTURE)
        names |= {"b64img": sent, "checkpoint_url": model, "url": model, "file": PICTURE}
        names["image"] = image if "/api/" in case.path and "function" not in case.path else sent
        case.body.update({key: names[key] for key in names if key in case.body})


def _bytes(value):
    return value if isinstance(value, bytes) else str(value).encode(errors="surrogatepass")


def test_some_hundred_requests(fuzzed):
    seen = ask(fuzzed, 480)
    assert sum(seen.values()) > 400
    assert seen[200] > 40
    assert seen[422] > 40


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_ten_thousand_requests(fuzzed):
    seen = ask(fuzzed, 14_000)  # of some operations there are not as many different ones
    print(sorted(seen.items()))
    assert sum(seen.values()) >= 10_000

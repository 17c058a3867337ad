"""Whatever is asked, following the description of the API or not, the answer is no error of the server's."""

from collections import Counter

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.helpers.annotator import ADDRESS, begin, click, client_of, done

IDENTITY = "/api/objects/{identity}"


@pytest.fixture(scope="module")
def fuzzed(originals, models, tmp_path_factory):
    """A server, an object of it, and the operations that its description lists."""
    with client_of(originals, models, save=tmp_path_factory.mktemp("fuzzed") / "a.sqlite") as client:
        description = done(client.get("/api/openapi.json"))
        yield client, begin(client, click(16.5, 14.5))["id"], schemathesis.openapi.from_dict(description)


def ask(fuzzed, count):
    """Ask so much of all operations together, with requests that fit their description and such that do not."""
    client, identity, schema = fuzzed
    operations = [each.ok() for each in schema.get_all_operations()]
    assert len(operations) > 20
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
        @given(case=cases, real=st.integers(0, 3), image=st.sampled_from(["a.png", "slide.svs", "deep/b.png"]))
        def one(case, real, image):
            # Mostly of an object and of images that are there: others are refused at the door.
            if real and isinstance(case.path_parameters, dict) and "identity" in case.path_parameters:
                case.path_parameters["identity"] = identity
            if real and isinstance(case.query, dict) and "image" in case.query:
                case.query["image"] = image
            if real and isinstance(case.body, dict) and "image" in case.body:
                case.body["image"] = image
            asked = case.as_transport_kwargs(base_url=ADDRESS)
            asked.pop("cookies", None)
            try:
                response = client.request(**{k: v for k, v in asked.items() if k in KNOWN})
            except UnicodeError:  # a header that can't be sent
                return
            seen[response.status_code] += 1
            assert response.status_code < 500, (case.method, case.path, asked, response.text)
            if response.status_code >= 400 and case.method != "HEAD":
                assert response.json()["detail"]

        one()
        client.post(f"/api/objects/{identity}/restore")
    done(client.get("/api/about"))
    return seen


KNOWN = ("method", "url", "params", "json", "content", "headers", "data")


def test_some_hundred_requests(fuzzed):
    seen = ask(fuzzed, 300)
    assert sum(seen.values()) > 250
    assert seen[200] > 20
    assert seen[422] > 20


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_ten_thousand_requests(fuzzed):
    assert sum(ask(fuzzed, 10_000).values()) >= 9_500

from contextlib import closing

import pytest

from data_prep.ahead import ahead
from data_prep.stream import Stream


def squares(count: int):
    kept = []
    for number in range(count):
        kept.append(number)
        yield number**2
    return kept


@pytest.mark.parametrize("count", [0, 3, 20])
def test_the_result_follows_the_last_item_also_from_another_thread(count):
    stream = Stream(squares(count))
    with pytest.raises(RuntimeError, match="all of its items"):
        _ = stream.result
    assert list(ahead(stream)) == [number**2 for number in range(count)]
    assert stream.result == list(range(count))


def test_a_stream_left_early_has_no_result_and_its_generator_is_closed():
    closed = []

    def items():
        try:
            yield from range(100)
        finally:
            closed.append(True)

    stream = Stream(items())
    with closing(ahead(stream, 2)) as taken:
        assert next(taken) == 0
    assert closed == [True]
    with pytest.raises(RuntimeError):
        _ = stream.result

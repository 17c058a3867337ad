"""Settings of the tests of data preparation."""

import pytest


@pytest.fixture(autouse=True)
def in_this_process(monkeypatch):
    """A machine of one core: starting worker processes takes seconds, and only the tests of the cluster need them."""
    monkeypatch.setattr("data_prep.run.cores", lambda: 1)
    monkeypatch.delenv("DASK_SCHEDULER_ADDRESS", raising=False)

"""For tests, the zoo's own and those of anybody's package: contracts to inherit, a tiny network and a tiny store.

A contract is a plain class with `test_` methods: a subclass called `TestSomething` gives `make`, and pytest (which is
not imported here) finds the rest. `unittest` does too, with `TestCase` as a second base.
"""

import sys

if "pytest" in sys.modules:
    # So that a failed assertion shows its values, as one of the test file itself does.
    sys.modules["pytest"].register_assert_rewrite(
        *(f"{__name__}.{name}" for name in ("comparing", "encoders", "engines", "networks", "refiners", "users"))
    )

from zoo.testing.encoders import EncoderContract
from zoo.testing.engines import EngineContract
from zoo.testing.networks import NetworkContract, TinyNetwork
from zoo.testing.refiners import RefinerContract
from zoo.testing.stores import tiny_image, tiny_store
from zoo.testing.users import UserContract

__all__ = [
    "EncoderContract",
    "EngineContract",
    "NetworkContract",
    "RefinerContract",
    "TinyNetwork",
    "UserContract",
    "tiny_image",
    "tiny_store",
]

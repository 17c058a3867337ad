"""Seconds per interaction or object at batch size 1, in a run of its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from torch import Tensor

from zoo.data.batch import Batch
from zoo.evaluation.clock import now
from zoo.evaluation.protocol import Protocol
from zoo.evaluation.record import Record
from zoo.inference.engine import Change, Engine, Scales, State
from zoo.interactions import Interactions

SAMPLES = {"interaction": 8, "object": 1, "image": 8}


@dataclass(frozen=True)
class Speed:
    """Seconds at batch size 1 after a warm-up.

    Attributes:
        unit: what one time is for: an interaction, an object of a one-shot image, or an image without interactions.
        model: seconds in the engine: network, zoom and refiner, or the classical method.
        end_to_end: seconds from the interaction to the new mask, with post-processing and pasting.
        count: how many were timed.
        evaluation: seconds of the whole evaluation: the simulated user, scores and transfers too, but not the reading
            of images. None in results from before it was measured.
        size: width x height of the timed samples in pixels, such as `384x384`; None as above.
    """

    unit: Literal["interaction", "object", "image"]
    model: float
    end_to_end: float
    count: int
    evaluation: float | None = None
    size: str | None = None


class TimedEngine(Engine):
    """An engine that keeps the seconds of each step, and with `starts` of each start too."""

    def __init__(self, engine: Engine, starts: bool = False) -> None:
        self.engine = engine
        self.resemble(engine)
        self.starts = starts
        self.seconds: list[float] = []

    def start(self, image: Tensor, mask: Tensor | None = None) -> State:
        """The engine's own."""
        began = now(image.device)
        state = self.engine.start(image, mask)
        if self.starts:
            self.seconds.append(now(image.device) - began)
        return state

    def step(self, image: Tensor, interactions: Interactions, state: State) -> State:
        """The engine's own, with the clock running."""
        began = now(image.device)
        state = self.engine.step(image, interactions, state)
        self.seconds.append(now(image.device) - began)
        return state

    def change(self, image: Tensor, interactions: Interactions, state: State) -> Change:
        """The engine's own, with the clock running."""
        began = now(image.device)
        change = self.engine.change(image, interactions, state)
        self.seconds.append(now(image.device) - began)
        return change

    def mask(self, state: State, interactions: Interactions) -> Tensor:
        """The engine's own."""
        return self.engine.mask(state, interactions)

    @property
    def scales(self) -> Scales:
        """The engine's own, with one clock for both."""

        def timed(engine: Engine) -> Engine:
            each = TimedEngine(engine, self.starts)
            each.seconds = self.seconds
            return each

        return self.engine.scales.map(timed)


def measure(engine: Engine, protocol: Protocol[Any, Any], load: Callable[[list[int]], Batch], samples: int) -> Speed:
    """Time an engine on some objects' first interactions, on all objects of the first image, or on some images.

    They are spread evenly over the data, whose images may differ in size.

    Args:
        engine: what is timed; it has just run the test, so that nothing is loaded or compiled any more.
        protocol: what is done with it.
        load: gives the batch of some sample ids.
        samples: how many there are.
    """
    protocol, timed = protocol.brief(), TimedEngine(engine, starts=protocol.unit == "image")
    records: list[Record] = []
    sizes: dict[str, None] = {}
    model = evaluation = 0.0
    number = min(SAMPLES[protocol.unit], samples)
    for sample in (k * samples // number for k in range(number)):
        batch = load([sample])
        sizes[f"{batch.image.shape[3]}x{batch.image.shape[2]}"] = None
        timed.seconds.clear()
        began = now(batch.image.device)
        outcome = protocol.run(timed, batch)
        protocol.score(protocol.metric(), outcome, batch)
        evaluation += now(batch.image.device) - began
        new = protocol.records(outcome, batch)
        records += new
        # Turns that are made but not counted come first: their time does not count either.
        counted = sum(record.units for record in new) if protocol.unit == "interaction" else None
        model += sum(timed.seconds[::-1][:counted])
    count = max(sum(record.units for record in records), 1)
    end_to_end = sum(sum(record.seconds) for record in records)
    return Speed(protocol.unit, model / count, end_to_end / count, count, evaluation / count, ", ".join(sizes))

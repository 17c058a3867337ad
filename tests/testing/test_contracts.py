"""Contracts tell what is wrong: each demand is broken once."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from tests.helpers.fakes import Disks as DiskEngine
from zoo.encoders import Boxes, Disks, InteractionEncoder, TanhDistance
from zoo.inference.engine import State
from zoo.inference.refiner import Refiner
from zoo.interactions import Interactions
from zoo.ops import distance
from zoo.refiners import FBRSC
from zoo.testing import EncoderContract, EngineContract, RefinerContract, UserContract
from zoo.users import BoxAround, NextClick, SimulatedUser


def contract(kind: type, hook: str, broken: object) -> object:
    """A contract whose hook gives what is broken."""
    return type(f"Test{type(broken).__name__}", (kind,), {hook: lambda self: broken})()


class BatchMean(Disks):
    def forward(self, interactions, image):
        maps = super().forward(interactions, image)
        return maps - maps.mean() if len(maps) else maps


class Drawn(Disks):
    def forward(self, interactions, image):
        return super().forward(interactions, image) * torch.rand(())


class Silent(Disks):
    def forward(self, interactions, image):
        return super().forward(interactions, image) * 0


class Liar(Disks):
    out_channels = 3


class Half(Disks):
    def forward(self, interactions, image):
        return super().forward(interactions, image).half()


class Moving(Disks):
    def forward(self, interactions, image):
        interactions.points[..., 0] += 1
        return super().forward(interactions, image)


class Counting(Disks):
    def forward(self, interactions, image):
        return super().forward(interactions, image) + interactions.points.shape[1]


class FromTheLeft(Disks):
    def forward(self, interactions, image):
        return super().forward(interactions, image) * torch.linspace(0.5, 1, image.shape[-1])


class HalfOpen(Boxes):
    def forward(self, interactions, image):
        boxes = interactions.boxes.clone()
        boxes[..., 2:4] -= 0.001
        return super().forward(replace(interactions, boxes=boxes), image)


class PaddedBoxes(Boxes):
    def forward(self, interactions, image):
        boxes = interactions.boxes.clone()
        boxes[..., 4] = 0
        return super().forward(replace(interactions, boxes=boxes), image)


class MovingBoxes(Boxes):
    def forward(self, interactions, image):
        interactions.boxes[..., 0] += 1
        return super().forward(interactions, image)


class Hidden(InteractionEncoder):
    """Weights that no state_dict holds, other ones each time."""

    out_channels = 2

    def __init__(self):
        super().__init__()
        self.hidden = [torch.rand(())]

    def forward(self, interactions, image):
        return Disks()(interactions, image) * self.hidden[0]


@pytest.mark.parametrize(
    ("broken", "test", "demand"),
    [
        (BatchMean(), "batch_equals_single", "sample 0 alone has its maps"),
        (BatchMean(), "compacted_batch", "among fewer others"),
        (Drawn(), "repeats_itself", "the same twice"),
        (Silent(), "says_something", "positive clicks change the maps"),
        (Liar(), "shape_and_type", "out_channels promises"),
        (Half(), "shape_and_type", "float32"),
        (Moving(), "input_unchanged", "points given are not changed"),
        (Counting(), "padding_anywhere", "padding changes nothing"),
        (Counting(), "nothing_given", "padding .* says nothing"),
        (FromTheLeft(), "flip", "not close"),
        (HalfOpen(), "flip", "not close"),
        (PaddedBoxes(), "nothing_given", "a box of turn -1"),
        (MovingBoxes(), "input_unchanged", "boxes given are not changed"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_a_broken_encoder(broken, test, demand):
    with pytest.raises(AssertionError, match=demand):
        getattr(contract(EncoderContract, "make", broken), f"test_{test}")()


def test_an_encoder_with_hidden_weights():
    class TestHidden(EncoderContract):
        def make(self):
            return Hidden()

    with pytest.raises(AssertionError, match="equal weights make equal maps"):
        TestHidden().test_state_dict()


def test_an_encoder_of_another_result_on_accelerators(monkeypatch):
    check = contract(EncoderContract, "make", TanhDistance()).test_accelerator
    check()
    squared = distance._squared
    monkeypatch.setattr(distance, "_squared", lambda mask: squared(mask) + 1)
    with pytest.raises(AssertionError, match="not close"):
        check()


class OffCentre(NextClick):
    def __call__(self, prediction, truth, so_far, turn):
        said = super().__call__(prediction, truth, so_far, turn)
        points = said.points.clone()
        points[..., :2] += 0.25
        return replace(said, points=points)


class Restless(SimulatedUser):
    """Draws from the generator that everybody draws from."""

    def __call__(self, prediction, truth, so_far, turn):
        place = torch.randint(0, 30, (len(truth), 1, 2)) + 0.5
        label = torch.gather(truth.target.flatten(1), 1, (place[..., 1].long() * truth.size[1] + place[..., 0].long()))
        return Interactions.clicks(place[..., 0], place[..., 1], label.float(), turn, truth.size)


class Numbered(NextClick):
    """Ends the sample that stands first in its batch."""

    def __call__(self, prediction, truth, so_far, turn):
        said = super().__call__(prediction, truth, so_far, turn)
        points = said.points.clone()
        points[1:, :, 2] = -1
        return replace(said, points=points)


class Reversed(NextClick):
    def __call__(self, prediction, truth, so_far, turn):
        return super().__call__(~prediction, replace(truth, target=~truth.target), so_far, turn)


class OffImage(BoxAround):
    def __call__(self, prediction, truth, so_far, turn):
        said = super().__call__(prediction, truth, so_far, turn)
        return replace(said, boxes=said.boxes + said.boxes.new_tensor([-4, -4, 4, 4, 0]))


class Timeless(BoxAround):
    def __call__(self, prediction, truth, so_far, turn):
        return super().__call__(prediction, truth, so_far, 0)


class Shared(BoxAround):
    """A box around all targets of the batch."""

    def __call__(self, prediction, truth, so_far, turn):
        every = truth.target.any(0, keepdim=True).expand_as(truth.target)
        return super().__call__(prediction, replace(truth, target=every), so_far, turn)


@pytest.mark.parametrize(
    ("broken", "test", "demand"),
    [
        (OffImage(), "inside_the_image_at_pixel_centres", "boxes lie inside"),
        (Timeless(), "form", "boxes bear the turn"),
        (Shared(), "batch_equals_single", "sample 0 is told alone"),
        (Shared(), "compacted_batch", "told the same wherever"),
        (BoxAround(0.1), "step_and_sample_change_random_words", "random = False"),
        (OffCentre(), "inside_the_image_at_pixel_centres", "pixel centres"),
        (Restless(), "repeats_itself", "says the same"),
        (Restless(), "step_and_sample_change_random_words", "random = False"),
        (Numbered(), "batch_equals_single", "sample 1 is told alone"),
        (Numbered(), "compacted_batch", "told the same wherever"),
        (Reversed(), "signs", "lie on the target"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_a_broken_user(broken, test, demand):
    with pytest.raises(AssertionError, match=demand):
        getattr(contract(UserContract, "make", broken), f"test_{test}")()


class InPlace(DiskEngine):
    def step(self, image, interactions, state):
        state["probability"].copy_(super().step(image, interactions, state)["probability"])
        return state


class Neighbours(DiskEngine):
    def step(self, image, interactions, state):
        probability = super().step(image, interactions, state)["probability"]
        return {"probability": (probability + probability.mean()) / 2}


class Growing(DiskEngine):
    def step(self, image, interactions, state):
        return super().step(image, interactions, state) | {"turn": torch.zeros(len(image))}


class Eager(DiskEngine):
    def start(self, image, mask=None):
        return {"probability": torch.full_like(image[:, :1], 0.5) if mask is None else mask}


class Beside(DiskEngine):
    def change(self, image, interactions, state):
        change = super().change(image, interactions, state)
        edits = change.edits["probability"]
        return replace(change, edits={"probability": tuple(replace(edit, values=edit.values / 2) for edit in edits)})


class Remembering(DiskEngine):
    def step(self, image, interactions, state):
        self.radius += 1
        return super().step(image, interactions, state)


@pytest.mark.parametrize(
    ("broken", "test", "demand"),
    [
        (InPlace(), "states_are_never_changed_in_place", "state given is not changed"),
        (Neighbours(), "a_sample_does_not_depend_on_its_batch", "sample 0 has its state"),
        (Neighbours(), "a_compacted_batch_goes_on_alike", "without others"),
        (Growing(), "states_keep_their_form", "form of the first"),
        (Eager(), "starts_with_a_given_mask", "warmup = 1"),
        (Beside(), "a_change_leads_to_the_state_of_a_step", "what `step` does in turn 0"),
        (Remembering(), "the_same_twice", "lead to the same state"),
        (Remembering(), "undo_and_reset", "after undo"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_a_broken_engine(broken, test, demand):
    with pytest.raises(AssertionError, match=demand):
        getattr(contract(EngineContract, "make", broken), f"test_{test}")()


class Changed(FBRSC):
    """What it gives is changed before it is returned."""

    def __call__(self, view, state) -> tuple[Tensor, State]:
        return self.change_both(*super().__call__(view, state), view)

    def change_both(self, logits, state, view):
        return logits, state


class NaN(Changed):
    def change_both(self, logits, state, view):
        return logits, {name: value / 0 for name, value in state.items()}


class More(Changed):
    def change_both(self, logits, state, view):
        return logits, state | {"turn": torch.zeros(len(logits))}


class Together(Changed):
    def change_both(self, logits, state, view):
        return logits - logits.mean(), state


class Worse(Changed):
    def change_both(self, logits, state, view):
        return -logits, state


class Trains(Changed):
    def change_both(self, logits, state, view):
        with torch.enable_grad():
            view.head(view.trunk("decoder"), "decoder").sum().backward()
        return logits, state


class OneSided(Changed):
    def change_both(self, logits, state, view):
        return logits + torch.linspace(-1, 1, logits.shape[-1]), state


class Sized(FBRSC):
    """Bound to its crop, but doesn't say so."""

    def start(self, batch, channels, size, device):
        return super().start(batch, channels, size, device) | {"map": torch.zeros(batch, *size)}


class Random(FBRSC):
    def start(self, batch, channels, size, device):
        return {name: torch.rand_like(value) for name, value in super().start(batch, channels, size, device).items()}


class Sticky(FBRSC):
    """Remembers its last state itself, whatever it is given."""

    crop_bound = True
    last: State | None = None

    def __call__(self, view, state):
        logits, self.last = FBRSC()(view, self.last or state)
        return logits, self.last


class Module(nn.Module, Refiner):
    at = "decoder"

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(3))

    def start(self, batch, channels, size, device):
        return {}

    def __call__(self, view, state):
        return view.head(view.trunk(self.at), self.at), state


@pytest.mark.parametrize(
    ("broken", "test", "demand"),
    [
        (Module(), "has_no_weights", "no nn.Module"),
        (Module(), "helps", "fewer clicked pixels"),
        (NaN(), "logits_and_states", "state is finite"),
        (NaN(), "finite_whatever_is_said", "state is finite"),
        (More(), "logits_and_states", "keeps its form"),
        (Together(), "a_sample_does_not_depend_on_its_batch", "sample 0 has its state"),
        (Together(), "a_zoomed_flipped_sample_does_not_depend_on_its_batch", "sample 0 has its state"),
        (Worse(), "helps", "no more clicked pixels"),
        (Trains(), "leaves_the_network_alone", "no gradients"),
        (OneSided(), "flip", "mirrored result"),
        (Sized(), "start", "crop_bound = False"),
        (Random(), "start", "draws no random numbers"),
        (Sticky(), "another_crop", "same step leads to the same state"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_a_broken_refiner(broken, test, demand):
    with pytest.raises(AssertionError, match=demand):
        getattr(contract(RefinerContract, "refiner", broken), f"test_{test}")()


@pytest.mark.parametrize("kind", [EncoderContract, UserContract, EngineContract, RefinerContract])
def test_without_its_hook_it_says_what_to_give(kind):
    hook = "refiner" if kind is RefinerContract else "make"
    with pytest.raises(NotImplementedError, match=f"TestMine has to give `{hook}`"):
        getattr(type("TestMine", (kind,), {})(), hook)()

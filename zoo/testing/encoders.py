"""What every interaction encoder must do."""

from __future__ import annotations

from dataclasses import replace
from unittest import SkipTest

import torch
from torch import Tensor

from zoo.encoders import InteractionEncoder
from zoo.interactions import PADDING, Interactions
from zoo.ops.device import pure_torch
from zoo.testing.comparing import assert_equal

SIZE = (24, 33)
BATCH = 4


def some_interactions(seed: int = 0, strokes: bool = True) -> Interactions:
    """Clicks of both signs on, off and beyond the image, never on a pixel's edge; some samples say little.

    Some have boxes, whose edges lie between pixels, in their middle and beyond the image.
    """
    generator = torch.Generator().manual_seed(seed)
    height, width = SIZE
    place = torch.rand(BATCH, 9, 2, generator=generator) * torch.tensor([width * 1.6, height * 1.6])
    place = (place - 8).floor() + 0.1 + 0.8 * torch.rand(BATCH, 9, 2, generator=generator)
    label = torch.randint(-1, 2, (BATCH, 9, 1), generator=generator).float()
    label[0], label[1] = PADDING, 1.0
    turn = torch.arange(9.0).expand(BATCH, 9)[..., None]
    drawn = torch.rand(BATCH, 2, *SIZE, generator=generator) > 0.99
    drawn[1] = False
    boxes = torch.full((BATCH, 2, 5), PADDING)
    boxes[1, 0] = torch.tensor([3.0, 4.0, 11.0, 9.0, 0.0])
    boxes[2] = torch.tensor([[2.5, 1.25, 9.5, 20.5, 0.0], [8.0, -6.0, width + 5.0, 3.5, 2.0]])
    return Interactions.of(torch.cat([place, label, turn], -1), SIZE, drawn if strokes else None, boxes)


def some_images(seed: int = 0) -> Tensor:
    """(BATCH, 3, H, W) in 0..1, each another."""
    return torch.rand(BATCH, 3, *SIZE, generator=torch.Generator().manual_seed(seed))


class EncoderContract:
    """Inherit it in a class `TestSomething` and give `make`.

    What it demands, and why:

    - `out_channels` float32 maps of the image's size, finite whatever is said: networks are built for that number.
    - A sample's maps do not depend on its batch: alone, in another order, among others. Otherwise a result would depend
      on which samples happen to be evaluated together, and samples that leave a batch would change the others.
    - The same twice, from equal weights too: a checkpoint gives the maps it was trained with.
    - Padding anywhere, and a sample or a whole batch without a word, mean nothing: batches are padded to their longest
      sample.
    - Clicks outside the image are no error: a crop sees its neighbours' clicks.
    - A mirrored image has mirrored maps: training and flip averaging mirror images with their interactions.
    - What is given stays as it is: a session gives it again in the next turn, and after an undo.
    - It works where the interactions are, and gives the same on an accelerator.

    It cannot know what maps should look like: compare them with a slow, obvious version of your own.

    Attributes:
        tolerance: of maps that should be equal; more than 0 for encoders with convolutions, whose sums are in another
            order in another batch.
    """

    tolerance = 0.0

    def make(self) -> InteractionEncoder:
        """The encoder under test, built with small arguments; two of them must be equal."""
        raise NotImplementedError(f"{type(self).__name__} has to give `make`, which builds the encoder under test")

    def encode(
        self, interactions: Interactions, encoder: InteractionEncoder | None = None, image: Tensor | None = None
    ) -> Tensor:
        """Its maps (B, C, H, W) in evaluation mode; without an image, of black ones."""
        encoder = (encoder or self._made()).to(interactions.device)
        if image is None:
            image = torch.zeros(len(interactions), 3, *interactions.size)
        with torch.no_grad():
            maps: Tensor = encoder.eval()(interactions, image.to(interactions.device))
        return maps

    def _made(self) -> InteractionEncoder:
        """One, with the weights that every other one has."""
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(0)
            return self.make()

    def test_shape_and_type(self) -> None:
        """`out_channels` finite float32 maps, with and without strokes."""
        encoder = self._made()
        for strokes in (False, True):
            maps = self.encode(some_interactions(strokes=strokes), encoder)
            expected = (BATCH, encoder.out_channels, *SIZE)
            assert maps.shape == expected, f"out_channels promises {expected}, but the maps are {tuple(maps.shape)}"
            assert maps.dtype == torch.float32, f"maps are float32, not {maps.dtype}"
            assert maps.isfinite().all(), "every value is finite"

    def test_says_something(self) -> None:
        """Otherwise an encoder that always returns zeros would pass every other test here."""
        if self.make().out_channels == 0:
            raise SkipTest("this encoder has no channel to say it in")
        spoken = self.encode(some_interactions())
        silent = self.encode(Interactions.empty(BATCH, SIZE))
        assert not torch.equal(spoken[1], silent[1]), "positive clicks change the maps, or boxes do"

    def test_nothing_given(self) -> None:
        """No clicks, only padding, and empty strokes are the same."""
        silent = self.encode(Interactions.empty(BATCH, SIZE))
        assert silent.isfinite().all(), "every value is finite where nothing was said"
        assert_equal(silent, silent[:1].expand_as(silent), "samples that say nothing are alike", self.tolerance)
        padded = Interactions.of(torch.tensor([3.5, 4.5, PADDING, 0.0]).expand(BATCH, 2, 4), SIZE)
        assert_equal(self.encode(padded), silent, "padding (label -1) says nothing", self.tolerance)
        boxes = torch.tensor([3.5, 4.5, 9.5, 8.5, PADDING]).expand(BATCH, 2, 5)
        no_boxes = Interactions.of(torch.zeros(BATCH, 0, 4), SIZE, boxes=boxes)
        assert_equal(self.encode(no_boxes), silent, "padding (a box of turn -1) says nothing", self.tolerance)
        no_strokes = Interactions.of(torch.zeros(BATCH, 0, 4), SIZE, torch.zeros(BATCH, 2, *SIZE, dtype=torch.bool))
        assert_equal(self.encode(no_strokes), silent, "empty strokes say nothing", self.tolerance)

    def test_no_samples(self) -> None:
        """A batch of none has maps of none."""
        assert self.encode(Interactions.empty(0, SIZE)).shape == (0, self.make().out_channels, *SIZE)

    def test_clicks_outside_the_image(self) -> None:
        """Near and far, on all sides."""
        height, width = SIZE
        places = [(-0.5, 3.5), (-700.5, -2.5), (width + 0.5, 3.5), (3.5, height + 0.5), (3.5, -0.5), (1e4, 1e4)]
        points = torch.tensor([[(x, y, float(label), 0.0) for label in (0, 1)] for x, y in places])
        maps = self.encode(Interactions.of(points, SIZE))
        assert maps.shape == (len(places), self.make().out_channels, *SIZE)
        assert maps.isfinite().all(), "every value is finite when clicks lie outside the image"

    def test_batch_equals_single(self) -> None:
        """Each sample alone."""
        encoder, given, image = self._made(), some_interactions(), some_images()
        together = self.encode(given, encoder, image)
        for i in range(BATCH):
            one = torch.tensor([i])
            alone = self.encode(given.select(one), encoder, image[one])
            assert_equal(alone[0], together[i], f"sample {i} alone has its maps of the batch", self.tolerance)

    def test_compacted_batch(self) -> None:
        """Some samples left, in another order."""
        encoder, given, image = self._made(), some_interactions(), some_images()
        left = torch.tensor([3, 0, 1])
        maps = self.encode(given.select(left), encoder, image[left])
        demand = "samples have the maps among fewer others that they have in their batch"
        assert_equal(maps, self.encode(given, encoder, image)[left], demand, self.tolerance)

    def test_padding_anywhere(self) -> None:
        """Before, between and behind the clicks."""
        encoder, given = self._made(), some_interactions()
        padding = torch.tensor([5.5, 6.5, PADDING, 0.0]).expand(BATCH, 1, 4)
        parts = [part for column in given.points.split(1, 1) for part in (padding, column)]
        padded = replace(given, points=torch.cat([*parts, padding], 1))
        maps = self.encode(padded, encoder)
        assert_equal(maps, self.encode(given, encoder), "padding changes nothing", self.tolerance)

    def test_flip(self) -> None:
        """Interactions and image mirrored left to right."""
        encoder, given, image = self._made(), some_interactions(), some_images()
        mirrored = self.encode(given.flip(), encoder, image.flip(-1))
        expected = self.encode(given, encoder, image).flip(-1)
        torch.testing.assert_close(mirrored, expected, rtol=1e-4, atol=max(1e-4, self.tolerance))

    def test_repeats_itself(self) -> None:
        """The same twice, with randomness as it stands then."""
        encoder, given, image = self._made(), some_interactions(), some_images()
        first, second = (self.encode(given, encoder, image) for _ in range(2))
        assert_equal(second, first, "the maps are the same twice")

    def test_input_unchanged(self) -> None:
        """Interactions and image are only read."""
        given, image = some_interactions(), some_images()
        self.encode(given, image=image)
        untouched = some_interactions()
        assert given.strokes is not None
        assert untouched.strokes is not None
        assert_equal(given.points, untouched.points, "the points given are not changed in place")
        assert_equal(given.strokes, untouched.strokes, "the strokes given are not changed in place")
        assert_equal(given.boxes, untouched.boxes, "the boxes given are not changed in place")
        assert_equal(image, some_images(), "the image given is not changed in place")

    def test_state_dict(self) -> None:
        """Everything that decides its maps is an argument or saved with the network."""
        first, second = self.make(), self.make()
        second.load_state_dict(first.state_dict(), strict=True)
        maps, again = (self.encode(some_interactions(), encoder) for encoder in (first, second))
        assert_equal(again, maps, "equal weights make equal maps", self.tolerance)

    def test_accelerator(self) -> None:
        """What runs on an accelerator, on the CPU, and on a GPU where there is one."""
        encoder, given, image = self._made(), some_interactions(), some_images()
        expected = self.encode(given, encoder, image)
        with pure_torch():
            torch.testing.assert_close(self.encode(given, encoder, image), expected, rtol=1e-5, atol=1e-5)
        if torch.cuda.is_available():
            maps = self.encode(given.to("cuda"), encoder, image)
            assert maps.device.type == "cuda", f"maps are where the interactions are, not on {maps.device}"
            torch.testing.assert_close(maps.cpu(), expected, rtol=1e-5, atol=1e-5)

"""A session at a low magnification, parts of which are corrected in sessions at a high one."""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor

from zoo.errors import InteractionError
from zoo.inference.engine import Engine
from zoo.inference.session import Image, Session, as_tensor
from zoo.interactions import Box, Interaction, Interactions
from zoo.ops.frame import Frame, Slices
from zoo.ops.places import part

ROUNDING = 1e-6
"""Pixels; more than any rounding error of a box, so that none adds a row."""


class ParentSession:
    """Segments an image at a low magnification, and parts of it at a high one (ZoomISEG, section 2.3).

    ```python
    session = ParentSession(zoo.load("ritm-glands-glas").engine, zoo.load("ritm-glands-glas").engine)
    session.set_images(low, high)             # (H, W, 3) uint8, the same field at 5x and 20x
    session.add(zoo.Click(120.5, 80.5))       # in pixels of the low image
    child = session.zoom(zoo.Box(90, 40, 170, 120))
    child.add(zoo.Click(31.5, 12.5))          # in pixels of the child's image, at the high magnification
    session.mask                              # (1, 1, H, W) bool at the high magnification
    session.undo()                            # the last turn, wherever it was taken
    ```

    A child begins with the parent's mask in its box, cubically enlarged and thresholded at 0.5 (low-to-high transfer).
    The whole mask is the parent's, enlarged in the same way, with the children's masks pasted in, those opened later on
    top. A child whose box overlaps another's still begins with the parent's mask, as in the paper's Algorithm 1.

    Args:
        parent: segments the low image. Any engine can be parent, child or both.
        child: segments the boxes of the high one.
        device: where.
        undoable: whether earlier states are kept for `undo` and `reset`.
        down: whether a child begins with the parent's mask; else with nothing, or its engine's own beginning.
        up: whether the parent goes on from its children's masks: before its next turn, its probability in their boxes
            is replaced by the share of mask in each of its pixels (high-to-low transfer, the paper's future work).

    Attributes:
        parent: the session on the low image.
        children: the open ones, in the order of their opening.
    """

    def __init__(
        self,
        parent: Engine,
        child: Engine,
        device: torch.device | str = "cpu",
        undoable: bool = True,
        down: bool = True,
        up: bool = False,
    ) -> None:
        self.parent = Session(parent, device, undoable)
        self.engine, self.undoable, self.down, self.up = child, undoable, down, up
        self.children: list[ChildSession] = []
        self._high: Tensor | None = None
        self._frame: Frame | None = None
        self._mpp: float | None = None
        # What was done, in order: turns of the parent, returns to it, openings and turns of children.
        self._done: list[tuple[Literal["parent", "return", "open", "child"], ChildSession | None]] = []
        self._coarse: Tensor | None = None

    def set_images(
        self,
        low: Tensor | Image,
        high: Tensor | Image,
        frame: Frame | None = None,
        mpp: float | None = None,
        high_mpp: float | None = None,
        mask: Tensor | Image | None = None,
    ) -> None:
        """Begin with the same field at two magnifications.

        Args:
            low: (H, W, 3) uint8, or (1, 3, H, W) uint8 or float in 0..1.
            high: the same at the high magnification.
            frame: of one sample, from the low image to the high one; None: both begin at the same corner, and the high
                one is a whole number of times as large, but for what is left over.
            mpp: micrometres per pixel of the low image, as `Session.set_image` takes it.
            high_mpp: of the high one; None: that of the low one, as the frame has it.
            mask: initial mask of the low image; None: start empty.

        Raises:
            InteractionError: no images, several at a time, or sizes that fit no whole number.
        """
        self.parent.set_image(low, mask, mpp)
        large = as_tensor(high).to(self.parent.device)
        if len(large) != 1 or len(self.parent.pixels) != 1:
            raise InteractionError("a parent session holds one field; give one image at each magnification")
        small = self.parent.pixels.shape[-2:]
        frame = _corner_to_corner((small[0], small[1]), large) if frame is None else frame
        self._frame = Frame(frame.x0, frame.y0, frame.scale, (large.shape[-2], large.shape[-1])).to(self.parent.device)
        if high_mpp is None and mpp is not None:
            high_mpp = mpp / float(frame.scale)
        self._high, self._mpp = large, high_mpp
        self.children, self._done = [], []
        self._coarse = None

    @property
    def frame(self) -> Frame:
        """From the low image to the high one."""
        _ = self.parent.pixels
        assert self._frame is not None  # given with them
        return self._frame

    @property
    def low_mask(self) -> Tensor:
        """(1, 1, h, w) bool: the parent's mask, in pixels of the low image."""
        return self.parent.mask

    @property
    def coarse(self) -> Tensor:
        """(1, 1, H, W) bool: the parent's mask at the high magnification, without the children's."""
        if self._coarse is None:
            self._coarse = enlarged(self.parent.mask, self.frame)
        return self._coarse

    @property
    def mask(self) -> Tensor:
        """(1, 1, H, W) bool at the high magnification: the parent's mask with the children's pasted in."""
        whole = self.coarse
        if self.children:
            whole = whole.clone()
            for child in self.children:
                whole[..., *child.place] = child.mask
        return whole

    def add(self, *given: Interaction | Interactions) -> Tensor:
        """One more turn of the parent, in pixels of the low image. Returns its new mask there."""
        if self.up and self._news:
            self.parent.go_on_from(self._returned())
            self._done.append(("return", None))
        mask = self.parent.add(*given)
        self._done.append(("parent", None))
        self._coarse = None
        return mask

    def zoom(self, box: Box) -> ChildSession:
        """Open a session at the high magnification on what a box in pixels of the low image shows.

        It shows whole pixels of the high image, those at its edges included.

        Raises:
            InteractionError: no image yet, or the box shows nothing of the high image.
        """
        frame = self.frame
        assert self._high is not None
        scale = float(frame.scale)
        sides = []
        for low, high, start, length in (
            (box.y0, box.y1, float(frame.y0), frame.size[0]),
            (box.x0, box.x1, float(frame.x0), frame.size[1]),
        ):
            first = max(0, math.floor((low - start) * scale + ROUNDING))
            last = min(length, math.ceil((high - start) * scale - ROUNDING))
            sides.append(slice(first, last))
        rows, columns = sides
        if rows.start >= rows.stop or columns.start >= columns.stop:
            raise InteractionError(
                f"the box from {box.x0:g}, {box.y0:g} to {box.x1:g}, {box.y1:g} shows nothing of the high image; give "
                f"pixels of the low one, which the high one covers from {float(frame.x0):g}, {float(frame.y0):g} on"
            )
        session = Session(self.engine, self.parent.device, self.undoable)
        mask = enlarged(self.parent.mask, part(frame, (rows, columns))) if self.down else None
        session.set_image(self._high[..., rows, columns], mask, self._mpp)
        child = ChildSession(self, session, (rows, columns))
        self.children.append(child)
        self._done.append(("open", child))
        return child

    def undo(self) -> None:
        """Take back the last thing that was done: a turn here or in a child, or the opening of a child."""
        self._check()
        if not self._done:
            return
        what, child = self._done.pop()
        if what == "open":
            self.children.pop()
        elif child is not None:
            child.session.undo()
        else:
            self.parent.undo()
            self._coarse = None
            if self._done and self._done[-1][0] == "return":
                self._done.pop()
                self.parent.undo()

    def reset(self) -> None:
        """Return to the state before the first turn."""
        self._check()
        self.parent.reset()
        self.children, self._done = [], []
        self._coarse = None

    def _check(self) -> None:
        if not self.undoable:
            raise InteractionError("this session keeps no earlier states; make it with undoable=True")

    def _took_turn(self, child: ChildSession) -> None:
        self._done.append(("child", child))

    @property
    def _news(self) -> bool:
        """Whether anything was done in children since the parent last heard of them."""
        last = next((n for n in range(len(self._done) - 1, -1, -1) if self._done[n][0] == "return"), -1)
        return any(child is not None for _, child in self._done[last + 1 :])

    def _returned(self) -> Tensor:
        """The parent's probability, with the share of the children's masks in each pixel of their boxes."""
        frame, size = self.frame, self.parent.pixels.shape[-2:]
        back = frame.inverse((size[0], size[1]))
        mask, probability = self.mask, self.parent.probability
        inside = torch.zeros_like(mask, dtype=torch.float32)
        for child in self.children:
            inside[..., *child.place] = 1
        # A pixel of the low image that a box holds in part keeps its own probability in the rest.
        covered, share = back.crop(inside), back.crop(inside * mask)
        within = back.crop(torch.ones_like(inside), outside="zero") > 0
        new = share + (1 - covered) * probability
        return torch.where(within, new, probability).clamp(0, 1)


class ChildSession:
    """A session on a box of the high image, as `ParentSession.zoom` opens it. Its pixels are those of the box.

    Attributes:
        session: what segments it.
        place: rows and columns of the high image that it shows.
    """

    def __init__(self, parent: ParentSession, session: Session, place: Slices) -> None:
        self.parent, self.session, self.place = parent, session, place

    def add(self, *given: Interaction | Interactions) -> Tensor:
        """One more turn, in pixels of the box at the high magnification. Returns its new mask.

        Raises:
            InteractionError: the child was taken back.
        """
        if self not in self.parent.children:
            raise InteractionError("this child was taken back by undo or reset; open another one")
        mask = self.session.add(*given)
        self.parent._took_turn(self)
        return mask

    @property
    def mask(self) -> Tensor:
        """(1, 1, h, w) bool."""
        return self.session.mask

    @property
    def interactions(self) -> Interactions:
        """Everything said so far, in pixels of the box."""
        return self.session.interactions

    @property
    def box(self) -> Box:
        """What it shows, in pixels of the low image."""
        rows, columns = self.place
        frame = self.parent.frame
        x, y, scale = float(frame.x0), float(frame.y0), float(frame.scale)
        xs = (x + columns.start / scale, x + columns.stop / scale)
        ys = (y + rows.start / scale, y + rows.stop / scale)
        return Box(xs[0], ys[0], xs[1], ys[1])


def enlarged(mask: Tensor, frame: Frame) -> Tensor:
    """A mask (B, 1, h, w) of the low image as one (B, 1, H, W) bool of a frame's crop: cubic, then above 0.5."""
    return frame.crop(mask.float(), "cubic") > 0.5


def _corner_to_corner(small: tuple[int, int], high: Tensor) -> Frame:
    sides = list(zip(high.shape[-2:], small, strict=True))
    scale = max(1, min(large // low for large, low in sides))
    if any(not 0 <= large - scale * low < scale for large, low in sides):
        raise InteractionError(
            f"images of {small[1]}x{small[0]} and {high.shape[-1]}x{high.shape[-2]} px: the high one is no whole "
            "number of times as large; give the frame that leads from the low one to it"
        )
    zero = torch.zeros(1, dtype=torch.float64)
    return Frame(zero, zero, zero + scale, (high.shape[-2], high.shape[-1]))

"""torchmetrics classes over the functional metrics; right under DDP, where samplers repeat samples as padding."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.utilities import dim_zero_cat

from zoo.errors import MetricError
from zoo.metrics.interaction import fill_forward, summarise
from zoo.metrics.regions import overlap_pixels, region_dice, region_iou
from zoo.metrics.statistics import STATISTICS, InstanceStatistics, instance_statistics, overall_scores


class SampleMetric(Metric):
    """Keeps rows of numbers by sample id, gathers them from all processes and counts every sample once.

    Args:
        columns: name of each table of rows and its number of columns, all float64.
    """

    full_state_update = False

    def __init__(self, columns: dict[str, int], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.columns = columns
        for name in ("sample_id", *columns):
            self.add_state(name, default=[], dist_reduce_fx="cat")

    def add(self, sample_id: Tensor, **rows: Tensor) -> None:
        """Append rows (B, columns) of the samples (B,)."""
        self._table("sample_id").append(sample_id.to(self.device, torch.int64))
        for name, values in rows.items():
            self._table(name).append(values.to(self.device, torch.float64))

    def sync(self, *args: Any, **kwargs: Any) -> None:
        """Gather from all processes; one without samples takes part with empty tables of the right shape."""
        if not self._is_synced and not self._table("sample_id"):
            shapes = {name: torch.empty(0, n, dtype=torch.float64) for name, n in self.columns.items()}
            self.add(torch.empty(0, dtype=torch.int64), **shapes)
        super().sync(*args, **kwargs)

    def gathered(self) -> dict[str, np.ndarray]:
        """Every table with one row for each sample, in the order of their ids.

        Raises:
            MetricError: nothing was added.
        """
        ids = self._table("sample_id")
        if not sum(map(torch.numel, ids)):
            raise MetricError(f"{type(self).__name__} has seen no sample. Call `update` before `compute`.")
        unique, first = np.unique(dim_zero_cat(ids).cpu().numpy(), return_index=True)
        tables = {name: dim_zero_cat(self._table(name)).cpu().numpy()[first] for name in self.columns}
        return {"sample_id": unique, **tables}

    def _table(self, name: str) -> list[Tensor]:
        table: list[Tensor] = getattr(self, name)  # a list before, one tensor after synchronisation
        return table


class InstanceMetrics(SampleMetric):
    """All instance metrics over images: `aji` and so on as image means, `aji_pooled` over all objects, `images`.

    Keys are those of `zoo.metrics.INSTANCE_METRICS`; definitions as in `score_instances`.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__({"statistics": len(STATISTICS)}, **kwargs)

    def update(self, prediction: Tensor, target: Tensor, sample_id: Tensor | int) -> None:
        """Add an image or a batch of images.

        Args:
            prediction: (H, W) or (B, H, W) integer label maps; any ids, 0 is background.
            target: the same.
            sample_id: an integer, or (B,) of them: an image given twice counts once.
        """
        ids = torch.as_tensor(sample_id).reshape(-1)
        predictions = prediction[None] if prediction.ndim == 2 else prediction
        targets = target[None] if target.ndim == 2 else target
        if not len(ids) == len(predictions) == len(targets):
            raise MetricError(
                f"{len(predictions)} predictions, {len(targets)} targets and {len(ids)} sample ids: "
                "give one of each for every image."
            )
        rows = [
            instance_statistics(p, t).row()
            for p, t in zip(predictions.cpu().numpy(), targets.cpu().numpy(), strict=True)
        ]
        self.add(ids, statistics=torch.from_numpy(np.reshape(rows, (-1, len(STATISTICS)))))

    def compute(self) -> dict[str, Tensor]:
        """Scores by name, float64 scalars."""
        rows = self.gathered()["statistics"]
        overall = overall_scores([InstanceStatistics.from_row(row) for row in rows])
        pooled = {f"{key}_pooled": value for key, value in overall["pooled"].items()}
        return _scalars({**overall["mean"], **pooled, "images": len(rows)})


class RegionMetrics(SampleMetric):
    """IoU and Dice of masks: `iou`, `dice` as means over samples, `iou_pooled`, `dice_pooled` over all pixels.

    Where both masks are empty, both scores are 1.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__({"pixels": 3}, **kwargs)

    def update(self, mask: Tensor, target: Tensor, ignore: Tensor | None, sample_id: Tensor) -> None:
        """Add a batch.

        Args:
            mask: (B, 1, H, W) bool.
            target: the same.
            ignore: the same, pixels that do not count; None for none.
            sample_id: (B,) integers: a sample given twice counts once.
        """
        self.add(sample_id, pixels=overlap_pixels(mask, target, ignore))

    def compute(self) -> dict[str, Tensor]:
        """Scores by name, float64 scalars."""
        rows = torch.from_numpy(self.gathered()["pixels"])
        scores = {"iou": region_iou, "dice": region_dice}
        mean = {name: float(score(rows).numpy().mean()) for name, score in scores.items()}
        pooled = {f"{name}_pooled": float(score(rows.sum(0, keepdim=True))) for name, score in scores.items()}
        return _scalars({**mean, **pooled, "samples": len(rows)})


class InteractionMetrics(SampleMetric):
    """NoC, NoF, success ratios, IoU@k, area under the curve and SPI over sessions; names as in `summarise`.

    Args:
        targets: IoUs whose number of interactions is reported.
        max_interactions: turns of a session at most, and what a failure counts as.
        stop_at: IoU at which sessions end; None: they go on.
    """

    def __init__(
        self,
        targets: Sequence[float] = (0.8, 0.85, 0.9),
        max_interactions: int = 20,
        stop_at: float | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__({"session": 2, "ious": max_interactions, "seconds": max_interactions}, **kwargs)
        self.targets = tuple(targets)
        self.stop_at = stop_at
        self.max_interactions = max_interactions

    def update(
        self,
        sample_id: Tensor,
        ious: Tensor,
        seconds: Tensor,
        image_id: Tensor,
        initial: Tensor | None = None,
    ) -> None:
        """Add a batch of sessions.

        Args:
            sample_id: (B,) integers: a session given twice counts once.
            ious: (B, T) after each interaction, NaN after the session ended.
            seconds: (B, T), NaN where no interaction was made.
            image_id: (B,) integers below 2^53.
            initial: (B,) IoU before the first interaction, for sessions that start from a mask.

        Raises:
            MetricError: a session has neither an IoU after its first interaction nor `initial`.
        """
        before = torch.full(sample_id.shape, torch.nan) if initial is None else initial
        fill_forward(ious.cpu().numpy(), self.max_interactions, before.cpu().numpy())
        session = torch.stack([image_id.cpu().double(), before.cpu().double()], 1)
        self.add(sample_id, session=session, ious=self._widen(ious), seconds=self._widen(seconds))

    def compute(self) -> dict[str, Tensor]:
        """Metrics by name, float64 scalars."""
        rows = self.gathered()
        image_id, initial = rows["session"].T
        seconds, turns = rows["seconds"], self.max_interactions
        return _scalars(summarise(rows["ious"], self.targets, turns, seconds, image_id, initial, self.stop_at))

    def _widen(self, values: Tensor) -> Tensor:
        values = values[:, : self.max_interactions].double()
        return torch.nn.functional.pad(values, (0, self.max_interactions - values.shape[1]), value=torch.nan)


def _scalars(values: dict[str, float]) -> dict[str, Tensor]:
    return {name: torch.tensor(value, dtype=torch.float64) for name, value in values.items()}

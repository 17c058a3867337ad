"""Options of every data set of slides: magnification, patches and filters, and the papers' settings by name."""

import argparse
import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data_prep.arguments import positive
from data_prep.slides.grid import Grid
from zoo.errors import ConfigError
from zoo.slides import BACKENDS, Slide
from zoo.store.schema import IGNORE, Labels

# Below the share of one pixel in any patch: 'any tumour' as a lower limit.
ANY = 1e-12

# How the papers cut their patches. They set no limit on tissue where they set one on tumour.
PRESETS: dict[str, dict[str, float]] = {
    # Cho et al., DeepScribble, ISBI 2021, section 2.1.
    "deepscribble-guide": {"magnification": 5, "size": 256},
    "deepscribble-refine": {"magnification": 5, "size": 384, "min_tissue": 0, "min_tumour": 0.2, "max_tumour": 0.8},
    # ZoomISEG, section 3.1.1: its L2 and L1 patches, and both as pairs for the zoom simulation.
    "zoomiseg-l2": {"magnification": 5, "size": 1024, "min_tissue": 0, "min_tumour": ANY},
    "zoomiseg-l1": {"magnification": 20, "size": 1024, "min_tissue": 0, "min_tumour": 0.1, "max_tumour": 0.9},
}
PRESETS["zoomiseg"] = PRESETS["zoomiseg-l1"] | {f"parent_{key}": v for key, v in PRESETS["zoomiseg-l2"].items()}

_USUAL = {"size": 512, "min_tissue": 0.1, "min_tumour": 0.0, "max_tumour": 1.0}
_PARENT = "parent_"
_NAMES = ("magnification", "mpp", "size", "stride", "min_tissue", "min_tumour", "max_tumour")
_KEYS = tuple(prefix + name for prefix in ("", _PARENT) for name in _NAMES)


@dataclass(frozen=True)
class Setting:
    """How one stack is cut from a slide.

    Attributes:
        size: side of a patch in its own pixels.
        stride: pixels from one patch to the next.
        magnification: of the patches; None where `mpp` says it.
        mpp: micrometres per pixel of the patches; None where `magnification` says it.
        min_tissue: least share of tissue in a patch, 0..1.
        min_tumour: least share of the label's region in a patch, 0..1; ignored pixels don't count.
        max_tumour: largest such share. Both limits themselves are kept.
    """

    size: int
    stride: int
    magnification: float | None
    mpp: float | None
    min_tissue: float
    min_tumour: float
    max_tumour: float

    @property
    def name(self) -> str:
        """Name of the group, e.g. '5x' or '0.5um'."""
        return f"{self.magnification:g}x" if self.magnification else f"{self.mpp:g}um"

    def grid(self, slide: Slide) -> Grid:
        """Grid on a slide.

        Raises:
            DataError: the slide's resolution is unknown or coarser than wanted.
        """
        return Grid(self.size, self.stride, slide.downsample(mpp=self.mpp, magnification=self.magnification))

    def reject(self, label: NDArray[np.integer], labels: Labels) -> str | None:
        """Why a patch with this label (H, W) is left out; None if it is kept."""
        ignored = np.count_nonzero(label == IGNORE) if labels == "region" else 0
        if ignored == label.size:
            return "ignored"
        share = (np.count_nonzero(label) - ignored) / (label.size - ignored)
        if share < self.min_tumour:
            return "little tumour"
        return "much tumour" if share > self.max_tumour else None


def add_slide_arguments(parser: argparse.ArgumentParser, **defaults: Any) -> None:
    """Options of a data set of slides.

    Args:
        parser: parser of the data set.
        defaults: the data set's own defaults by option, e.g. preset='zoomiseg' or magnification=20, size=256. They
            give way to a preset that is asked for.
    """
    presets = "".join(f"\n  {name}: {_told(PRESETS[name])}" for name in sorted(PRESETS))
    about = f"Fractions are 0..1, and patches at a limit are kept. Presets:{presets}"
    group = parser.add_argument_group("patches", about)
    group.add_argument(
        "--preset",
        choices=sorted(PRESETS),
        help="settings of a paper, as above; other options override them"
        + (f" (default: {defaults['preset']})" if "preset" in defaults else ""),
    )
    for prefix, of in (("", "patches"), ("parent-", "the lower magnification's patches, for pairs")):
        group.add_argument(f"--{prefix}magnification", type=float, metavar="X", help=f"of {of}, e.g. 20")
        group.add_argument(f"--{prefix}mpp", type=float, metavar="UM", help=f"micrometres per pixel of {of}")
        group.add_argument(f"--{prefix}size", type=int, metavar="PX", help=f"side of {of} (512)")
        group.add_argument(f"--{prefix}stride", type=int, metavar="PX", help="from one to the next (their side)")
        group.add_argument(f"--{prefix}min-tissue", type=_share, metavar="F", help="least tissue in one (0.1)")
        group.add_argument(f"--{prefix}min-tumour", type=_share, metavar="F", help="least tumour, or 'any' (0)")
        group.add_argument(f"--{prefix}max-tumour", type=_share, metavar="F", help="largest share of tumour (1)")
    group.add_argument(
        "--slide-mpp", type=positive, metavar="UM", help="of slides whose files don't say it, or wrongly"
    )
    group.add_argument("--slide-magnification", type=positive, metavar="X", help="likewise, of their objective")
    group.add_argument(
        "--slide-backend",
        choices=sorted(BACKENDS),
        help="what reads the slides; default: openslide, and what else can read those it can't. tiffslide decodes "
        "tiled TIFFs, SVS among them, three times as fast (pip install 'isegzoo[tiffslide]')",
    )
    parser.set_defaults(slide_defaults=defaults, resolve=resolved)


def settings(args: argparse.Namespace) -> list[Setting]:
    """The stacks that options ask for, lower magnification first: one, or two for pairs.

    Raises:
        ConfigError: no magnification, or options that contradict each other.
    """
    preset = args.preset or args.slide_defaults.get("preset")
    merged = dict(PRESETS[preset]) if preset else {}
    if not args.preset:
        merged = _merge(merged, {key: value for key, value in args.slide_defaults.items() if key != "preset"})
    merged = _merge(merged, {key: getattr(args, key) for key in _KEYS if getattr(args, key) is not None})
    own = _setting(merged, "")
    if not any(key.startswith(_PARENT) for key in merged):
        return [own]
    return [_setting(merged, _PARENT), own]


def resolved(args: argparse.Namespace) -> dict[str, Any]:
    """What presets and defaults made of the options, by their names; None where there is no parent.

    Raises:
        ConfigError: see `settings`.
    """
    own, *parent = reversed(settings(args))
    values = asdict(own) | {_PARENT + name: value for setting in parent for name, value in asdict(setting).items()}
    return {key: values.get(key) for key in _KEYS}


def _merge(older: dict[str, Any], newer: dict[str, Any]) -> dict[str, Any]:
    """Newer values over older ones, where a resolution in one unit replaces one in the other."""
    kept = dict(older)
    for prefix in ("", _PARENT):
        for one, other in (("mpp", "magnification"), ("magnification", "mpp")):
            if prefix + one in newer:
                kept.pop(prefix + other, None)
    return kept | newer


def _setting(values: dict[str, Any], prefix: str) -> Setting:
    found = {name: values[prefix + name] for name in _NAMES if prefix + name in values}
    option = f"--{prefix.replace('_', '-')}"
    if ("magnification" in found) == ("mpp" in found):
        raise ConfigError(f"give either {option}magnification or {option}mpp, or a --preset: how fine are patches?")
    found = {"magnification": None, "mpp": None, **_USUAL, **found}
    setting = Setting(**{"stride": found["size"], **found})
    resolution = setting.magnification or setting.mpp or 0
    if min(setting.size, setting.stride) <= 0 or not 0 < resolution < math.inf:
        raise ConfigError(f"{option}size, {option}stride and the resolution must be above 0, and no resolution endless")
    if setting.min_tumour > setting.max_tumour:
        raise ConfigError(
            f"{option}min-tumour {setting.min_tumour:g} is above {option}max-tumour: nothing would be kept"
        )
    return setting


def _told(preset: dict[str, float]) -> str:
    values = {key.replace("_", "-"): "any" if value == ANY else f"{value:g}" for key, value in preset.items()}
    return " ".join(f"--{key} {value}" for key, value in values.items())


def _share(text: str) -> float:
    value = ANY if text == "any" else float(text)
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"{text} is no fraction; give 0..1, e.g. 0.2 for 20 %")
    return value

"""Opening a slide with the backend that can read it."""

from collections.abc import Callable
from pathlib import Path

from zoo.errors import DataError
from zoo.slides.openslide_reader import OpenSlideReader
from zoo.slides.picture import PictureReader
from zoo.slides.reader import SlideReader
from zoo.slides.slide import Slide
from zoo.slides.tiffslide_reader import TiffSlideReader

BACKENDS: dict[str, Callable[[Path], SlideReader]] = {
    "openslide": OpenSlideReader,
    "picture": PictureReader,
    "tiffslide": TiffSlideReader,
}


def open_slide(
    path: str | Path, *, mpp: float | None = None, magnification: float | None = None, backend: str | None = None
) -> Slide:
    """Open a slide, or a plain picture as a slide of one level.

    Args:
        path: the slide's file.
        mpp: micrometres a level-0 pixel, instead of what the file says or doesn't say.
        magnification: of the objective, likewise.
        backend: 'openslide', 'picture' or 'tiffslide'; without it the first of them that can open the file.

    Raises:
        DataError: missing, no slide, incomplete, or an unknown backend.
    """
    path = Path(path)
    if not path.is_file():
        raise DataError(f"{path}: no such slide")
    if backend is not None and backend not in BACKENDS:
        raise DataError(f"{path}: unknown backend {backend!r}; choose from {', '.join(BACKENDS)}")
    problems = []
    for name in [backend] if backend else BACKENDS:
        try:
            reader = BACKENDS[name](path)
        except DataError as error:
            problems.append(f"{name}: {str(error).removeprefix(f'{path}: ')}")
        else:
            return Slide(reader, mpp, magnification)
    raise DataError(f"{path}: not a slide, or an incomplete one; " + "; ".join(problems))

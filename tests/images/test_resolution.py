from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from tests.helpers.slides import write_pyramid
from zoo.errors import DataError
from zoo.images.reading import read_image
from zoo.images.resolution import micrometres
from zoo.slides import open_slide

PIXELS = np.random.default_rng(0).integers(0, 256, (16, 16, 3), np.uint8)


def ome(path: Path, x: float, y: float | None = None, unit: str | None = None, um: float | None = None, **how) -> Path:
    """An OME-TIFF whose XML says `x`, `y` in `unit`, and whose tags say `um` micrometres."""
    metadata = {"axes": "YXS", "PhysicalSizeX": x, "PhysicalSizeY": x if y is None else y}
    if unit is not None:
        metadata |= {"PhysicalSizeXUnit": unit, "PhysicalSizeYUnit": unit}
    if um is not None:
        how |= {"resolution": (1e4 / um,) * 2, "resolutionunit": "CENTIMETER"}
    tifffile.imwrite(path, PIXELS, photometric="rgb", ome=True, metadata=metadata, **how)
    return path


@pytest.mark.parametrize("unit", ["INCH", "CENTIMETER", "NONE"])
def test_tiff_tags(tmp_path: Path, unit: str) -> None:
    pixels = {"INCH": 25_400, "CENTIMETER": 10_000, "NONE": 1}[unit] / 0.25
    tifffile.imwrite(tmp_path / "a.tif", PIXELS, photometric="rgb", resolution=(pixels, pixels), resolutionunit=unit)
    assert read_image(tmp_path / "a.tif").mpp == (None if unit == "NONE" else pytest.approx(0.25))
    Image.fromarray(PIXELS).save(tmp_path / "b.tif", dpi=(25_400 / 0.25,) * 2)
    assert read_image(tmp_path / "b.tif").mpp == pytest.approx(0.25)


@pytest.mark.parametrize("kind", ["png", "jpg", "tif", "bmp"])
@pytest.mark.parametrize(("dpi", "mpp"), [(72, None), (300, None), (1200, None), (50_800, 0.5)])
def test_dots_per_inch(tmp_path: Path, kind: str, dpi: int, mpp: float | None) -> None:
    Image.fromarray(PIXELS).save(tmp_path / f"a.{kind}", dpi=(dpi, dpi))
    assert read_image(tmp_path / f"a.{kind}").mpp == (mpp and pytest.approx(mpp, rel=1e-4))


def test_units() -> None:
    same = {"nm": 250, "um": 0.25, "µm": 0.25, "μm": 0.25, "micron": 0.25, "mm": 2.5e-4, "cm": 2.5e-5, "m": 2.5e-7}
    same |= {"\u00c5": 2500, "\u212b": 2500, "Angstrom": 2500, "pm": 250_000, "inch": 0.25 / 25_400}
    for unit, value in same.items():
        assert value * micrometres(unit) == pytest.approx(0.25), unit
    assert micrometres("pixel") is None
    assert micrometres("reference frame") is None


@pytest.mark.parametrize(
    ("value", "unit"),
    [(250, "nm"), (0.25, "µm"), (2.5e-4, "mm"), (2.5e-5, "cm"), (2.5e-7, "m"), (2500, "Å"), (0.25, None)],
)
def test_ome_xml(tmp_path: Path, value: float, unit: str | None) -> None:
    assert read_image(ome(tmp_path / "a.ome.tif", value, unit=unit)).mpp == pytest.approx(0.25)
    assert read_image(ome(tmp_path / "b.tif", 7, unit="pixel")).mpp is None


def test_imagej(tmp_path: Path) -> None:
    for unit, per in (("micron", 4), ("um", 4), ("\\u00B5m", 4), ("nm", 0.004), ("pixel", 4)):
        metadata = {"unit": unit, "axes": "YXS"}
        tifffile.imwrite(tmp_path / "a.tif", PIXELS, imagej=True, resolution=(per, per), metadata=metadata)
        assert read_image(tmp_path / "a.tif").mpp == (None if unit == "pixel" else pytest.approx(0.25))


@pytest.mark.parametrize("how", [{}, {"tile": (16, 16)}])
def test_two_statements(tmp_path: Path, how: dict) -> None:
    """Of a picture and of a slide."""
    agree = ome(tmp_path / "agree.ome.tif", 250, unit="nm", um=0.2525, **how)
    assert read_image(agree).mpp == pytest.approx(0.25)
    assert open_slide(agree).mpp == pytest.approx(0.25)
    differ = ome(tmp_path / "differ.ome.tif", 250, unit="nm", um=1.0, **how)
    image = read_image(differ)
    for ask in (lambda: image.mpp, lambda: open_slide(differ)):
        with pytest.raises(DataError, match=r"OME-XML says 0\.25 um/px, its TIFF resolution tag 1;.*--mpp"):
            ask()
    assert open_slide(differ, mpp=0.5).mpp == 0.5
    mpp, notes = image.mpp_or(0.25)
    assert mpp == 0.25
    assert len(notes) == 1
    assert "1 (TIFF resolution tag)" in notes[0]
    assert "OME" not in notes[0]
    assert read_image(agree).mpp_or(0.25) == (0.25, [])
    print_resolution = ome(tmp_path / "dpi.ome.tif", 250, unit="nm", um=25_400 / 72, **how)
    assert read_image(print_resolution).mpp == pytest.approx(0.25)


def test_not_square(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"0\.25x0\.5 um \(OME-XML\) are not square"):
        _ = read_image(ome(tmp_path / "a.ome.tif", 0.25, 0.5)).mpp
    assert read_image(ome(tmp_path / "a.ome.tif", 0.25, 0.252)).mpp == pytest.approx(0.251)
    assert read_image(ome(tmp_path / "a.ome.tif", 0.25, 0.5)).mpp_or(0.3)[0] == 0.3


def test_aperio(tmp_path: Path) -> None:
    description = "Aperio Image Library v11\r\n16x16|AppMag = 20|MPP = 0.4990"
    tifffile.imwrite(tmp_path / "a.tif", PIXELS, photometric="rgb", description=description, metadata=None)
    image = read_image(tmp_path / "a.tif")
    assert (image.mpp, image.magnification) == (0.499, 20)
    write_pyramid(tmp_path / "b.svs", np.zeros((64, 64, 3), np.uint8), mpp=0.25, magnification=40, levels=1)
    with open_slide(tmp_path / "b.svs") as slide:
        assert (slide.mpp, slide.magnification) == (0.25, 40)


def test_magnification_of_ome_xml(tmp_path: Path) -> None:
    path = ome(tmp_path / "a.ome.tif", 0.5)
    with tifffile.TiffFile(path) as file:
        xml = file.ome_metadata
    instrument = (
        '<Instrument ID="I:0"><Objective ID="O:1" NominalMagnification="10"/>'
        '<Objective ID="O:2" NominalMagnification="20"/></Instrument><Image '
    )
    xml = xml.replace("<Image ", instrument, 1).replace("<Pixels ", '<ObjectiveSettings ID="O:2"/><Pixels ', 1)
    tifffile.imwrite(path, PIXELS, photometric="rgb", description=xml.encode(), metadata=None)
    assert read_image(path).magnification == 20
    assert read_image(path).mpp == 0.5

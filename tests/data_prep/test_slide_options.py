import argparse
import json

import numpy as np
import pytest

from data_prep import cli
from data_prep.slides.options import ANY, PRESETS, Setting, add_slide_arguments, settings
from zoo.errors import ConfigError


def read(*options: str, **defaults) -> list[Setting]:
    parser = argparse.ArgumentParser()
    add_slide_arguments(parser, **defaults)
    return settings(parser.parse_args(options))


def test_presets_are_the_papers_settings():
    assert read("--preset", "deepscribble-guide") == [Setting(256, 256, 5, None, 0.1, 0, 1)]
    assert read("--preset", "deepscribble-refine") == [Setting(384, 384, 5, None, 0, 0.2, 0.8)]
    assert read("--preset", "zoomiseg-l2") == [Setting(1024, 1024, 5, None, 0, ANY, 1)]
    assert read("--preset", "zoomiseg-l1") == [Setting(1024, 1024, 20, None, 0, 0.1, 0.9)]
    assert read("--preset", "zoomiseg") == [*read("--preset", "zoomiseg-l2"), *read("--preset", "zoomiseg-l1")]
    for preset in PRESETS:
        assert read("--preset", preset)


def test_stores_say_what_presets_and_defaults_stood_for(monkeypatch):
    command = ["paip2019", "--source", "raw", "--out", "out", "--preset", "zoomiseg", "--stride", "512"]

    def parameters() -> str:
        return cli.options(cli.build_parser().parse_args(command))

    before = parameters()
    told = json.loads(before)
    own = (told["preset"], told["magnification"], told["mpp"], told["size"], told["stride"], told["max_tumour"])
    assert own == ("zoomiseg", 20, None, 1024, 512, 0.9)
    assert (told["parent_magnification"], told["parent_stride"], told["parent_min_tumour"]) == (5, 1024, ANY)
    monkeypatch.setitem(PRESETS, "zoomiseg", PRESETS["zoomiseg"] | {"min_tumour": 0.2})
    changed = json.loads(parameters())
    assert {key for key in told if told[key] != changed[key]} == {"min_tumour"}
    command[5:] = []
    told = json.loads(parameters())
    assert (told["magnification"], told["size"], told["parent_magnification"]) == (5, 512, None)


def test_options_come_before_presets_and_these_before_the_data_sets_defaults():
    assert read(magnification=20, size=256) == [Setting(256, 256, 20, None, 0.1, 0, 1)]
    assert read("--preset", "deepscribble-guide", magnification=20, size=128) == read("--preset", "deepscribble-guide")
    assert read("--size", "64", preset="deepscribble-refine") == [Setting(64, 64, 5, None, 0, 0.2, 0.8)]
    assert read("--mpp", "1", "--stride", "32", magnification=20, size=256) == [Setting(256, 32, None, 1, 0.1, 0, 1)]
    assert read("--parent-mpp", "2", preset="zoomiseg")[0] == Setting(1024, 1024, None, 2, 0, ANY, 1)
    assert read("--min-tumour", "any", magnification=20)[0].min_tumour == ANY
    assert read("--min-tumour", "0", preset="zoomiseg-l2")[0].min_tumour == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ((), "--magnification or --mpp"),
        (("--magnification", "20", "--mpp", "1"), "--magnification or --mpp"),
        (("--magnification", "20", "--parent-size", "512"), "--parent-magnification or --parent-mpp"),
        (("--magnification", "20", "--size", "0"), "above 0"),
        (("--magnification", "20", "--stride", "-1"), "above 0"),
        (("--mpp", "-2"), "above 0"),
        (("--mpp", "nan"), "above 0"),
        (("--magnification", "inf"), "above 0"),
        (("--magnification", "20", "--min-tumour", "0.9", "--max-tumour", "0.1"), "nothing would be kept"),
    ],
)
def test_contradictions_are_named(options, message):
    with pytest.raises(ConfigError, match=message):
        read(*options)


@pytest.mark.parametrize("text", ["20", "-0.1", "nan", "some"])
def test_shares_are_fractions(text, capsys):
    with pytest.raises(SystemExit):
        read("--magnification", "20", "--min-tumour", text)
    assert "--min-tumour" in capsys.readouterr().err


def label(ones: int, ignored: int = 0) -> np.ndarray:
    flat = np.zeros(100, np.uint8)
    flat[:ones] = 1
    flat[100 - ignored :] = 255 if ignored else flat[100:]
    return flat.reshape(10, 10)


def test_limits_of_tumour_are_kept_themselves():
    refine = Setting(10, 10, 5, None, 0, 0.2, 0.8)
    reasons = {ones: refine.reject(label(ones), "region") for ones in (0, 19, 20, 50, 80, 81, 100)}
    kept = {20: None, 50: None, 80: None}
    assert reasons == {0: "little tumour", 19: "little tumour", **kept, 81: "much tumour", 100: "much tumour"}


def test_ignored_pixels_do_not_count():
    refine = Setting(10, 10, 5, None, 0, 0.2, 0.8)
    assert refine.reject(label(10, 50), "region") is None
    assert refine.reject(label(9, 50), "region") == "little tumour"
    assert refine.reject(label(40, 50), "region") is None
    assert refine.reject(label(41, 50), "region") == "much tumour"
    assert refine.reject(label(0, 100), "region") == "ignored"
    assert refine.reject(label(0, 20).astype(np.int32), "instances") is None  # 255 is an id like any other


def test_any_tumour_is_one_pixel():
    largest = Setting(2048, 2048, 5, None, 0, ANY, 1)
    patch = np.zeros((2048, 2048), np.uint8)
    assert largest.reject(patch, "region") == "little tumour"
    patch[7, 9] = 1
    assert largest.reject(patch, "region") is None

"""The annotator's page where the address shows another folder than before."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.helpers.told import told_folder

pytest.importorskip("fastapi", reason="the annotator needs FastAPI: pip install 'isegzoo[annotator]'")
pytest.importorskip("selenium", reason="the browser tests need selenium")

from selenium.webdriver.support.ui import Select

from tests.helpers.page import BROWSER, Page, chromium, served, until
from zoo.annotate.models import Models

pytestmark = BROWSER
COLOURS = {"first": (200, 40, 40), "second": (40, 40, 200)}
TISSUE = """
const canvas = document.querySelector("#viewer canvas");
return [...canvas.getContext("2d").getImageData(canvas.width / 2, canvas.height / 2, 1, 1).data].slice(0, 3);
"""
LISTED = "return document.querySelector('#picker[open] [data-path]') !== null;"


@pytest.fixture
def folders(tmp_path: Path) -> list[Path]:
    """Two, each with an image of the same name."""
    for name, colour in COLOURS.items():
        (tmp_path / name).mkdir()
        Image.fromarray(np.full((256, 256, 3), colour, np.uint8)).save(tmp_path / name / "1.png")
        Image.fromarray(np.full((256, 256, 3), colour, np.uint8)).save(tmp_path / name / "2.png")
    return [tmp_path / name for name in COLOURS]


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> list[Models]:
    """Two, with different defaults."""
    return [Models(str(told_folder(tmp_path_factory.mktemp("told")))) for _ in range(2)]


@pytest.fixture
def browser(tmp_path: Path) -> Iterator:
    browser = chromium(tmp_path / "browser")
    yield browser
    browser.quit()


def test_another_folder_at_the_same_address_shows_its_own(browser, folders, models):
    with served(folders[0], models[0]) as address:
        page = Page(browser, address)
        page.open("1.png")
        until(lambda: browser.execute_script(TISSUE)[0] > 150, "the first tissue")
        own = Select(page.find("#checkpoint")).first_selected_option.get_attribute("value")
        Select(page.find("#checkpoint")).select_by_value("nuclei")
        page.find("#mpp").send_keys("0.25\t")
        page.reload()
        page.until_state("state.about", "the checkpoints")
        assert page.state("state.checkpoint") == "nuclei"
        assert page.find("#mpp").get_attribute("value") == "0.25"
    with served(folders[1], models[1], int(address.split(":")[-1].strip("/"))):
        until(lambda: browser.execute_script(LISTED), "the page to begin anew")
        page.find("[data-path='1.png']").click()
        page.wait()
        page.until_state("state.about", "the checkpoints")
        until(lambda: browser.execute_script(TISSUE)[2] > 150, "the second tissue")
        assert page.state("state.checkpoint") == models[1].default != own
        assert page.find("#mpp").get_attribute("value") == ""
        page.press("1")
        page.click(100, 100)
        page.quiet()
        (kept,) = page.objects("1.png")
        assert kept["mpp"] is None


def test_a_click_before_the_page_has_noticed_is_not_saved_in_the_other_folder(browser, folders, models):
    with served(folders[0], models[0]) as address:
        page = Page(browser, address)
        page.open("1.png")
        browser.execute_script("Object.defineProperty(document, 'hidden', { value: true })")  # so that it never looks
    with served(folders[1], models[0], int(address.split(":")[-1].strip("/"))):
        page.press("1")
        page.click(100, 100)
        until(lambda: browser.execute_script(LISTED) or page.objects("1.png"), "the server's answer")
        assert page.objects("1.png") == []
        assert browser.execute_script(LISTED)

"""The annotator's page where something goes wrong, or looks alike and is not."""

from collections.abc import Iterator

import numpy as np
import pytest
from PIL import Image

from tests.helpers.slides import mosaic, write_pyramid
from tests.helpers.told import told_folder

pytest.importorskip("fastapi", reason="the annotator needs FastAPI: pip install 'isegzoo[annotator]'")
pytest.importorskip("selenium", reason="the browser tests need selenium")

from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys

from tests.helpers.page import BROWSER, Page, chromium, served, until
from zoo.annotate.models import Models

pytestmark = BROWSER
SIDE = 512
NAMES = ("keys", "slider", "sync", "damage")


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    folder = tmp_path_factory.mktemp("root")
    tissue = mosaic(1024, 1024)
    for name in NAMES:
        Image.fromarray(tissue[256 : 256 + SIDE, 256 : 256 + SIDE]).save(folder / f"{name}.png")
    write_pyramid(folder / "slide.tif", np.tile(tissue, (3, 3, 1)))
    whole = (folder / "damage.png").read_bytes()
    (folder / "damaged.png").write_bytes(whole[:20])
    models = Models(str(told_folder(tmp_path_factory.mktemp("told"))))
    with served(folder, models) as address:
        browser = chromium(tmp_path_factory.mktemp("browser"))
        yield Page(browser, address)
        browser.quit()


def typed(page: Page, key: str, code: str, shift: bool = False) -> None:
    """A key of another keyboard than the one that the browser believes in."""
    init = {"key": key, "code": code, "shiftKey": shift, "bubbles": True, "cancelable": True}
    page.browser.execute_script("document.body.dispatchEvent(new KeyboardEvent('keydown', arguments[0]))", init)


def test_an_image_that_cannot_be_opened_is_said_in_the_dialog(page):
    page.open("damage.png")
    page.press("i")
    until(lambda: page.find("#picker").is_displayed(), "the list")
    page.find("[data-path='damaged.png']").click()
    until(lambda: page.find("#picker-note").is_displayed(), "the sentence")
    assert "damaged.png" in page.find("#picker-note").text
    page.press(Keys.ESCAPE, "i")
    until(lambda: page.find("#picker").is_displayed(), "the list again")
    assert not page.find("#picker-note").is_displayed()
    page.press(Keys.ESCAPE)


def test_keys_of_other_keyboards(page):
    page.open("keys.png")
    page.until_state("state.classes?.length > 2", "the classes")
    before = page.state("state.klass")
    for key, code, shift, tool in (
        ("3", "Digit3", True, "scribble+"),  # French: digits need Shift
        ("&", "Digit1", False, "click+"),
        ('"', "Digit3", False, "scribble+"),
        ("2", "Digit2", False, "click-"),
        ("р", "KeyH", False, "hand"),  # Russian
    ):
        page.press("6")
        typed(page, key, code, shift)
        assert page.state("state.tool") == tool, (key, code)
        assert page.state("state.klass") == before
    typed(page, "§", "Digit3", shift=True)
    assert page.state("state.klass") == page.state("state.classes[2].name") != before
    page.press("1")
    page.click(100, 100)
    page.quiet()
    typed(page, "я", "KeyZ")
    page.quiet()
    assert page.objects("keys.png")[0]["interactions"] == []


def test_the_slider_shows_the_chosen_objects_threshold(page):
    page.open("slider.png")
    page.press("1")
    for x in (100, 300):
        page.press("n")
        page.click(x, 100)
        page.quiet()
    first, second = page.objects("slider.png")
    slider = page.find("#threshold")
    ActionChains(page.browser).move_to_element(slider).click_and_hold().move_by_offset(40, 0).release().perform()
    page.quiet()
    page.press("j")
    page.until_state(f"state.target.id === '{first['id']}'", "the other object")
    assert float(slider.get_attribute("value")) == pytest.approx(first["threshold"], abs=0.01)
    page.press(Keys.ARROW_RIGHT)
    page.quiet()
    first, second = (each["threshold"] for each in page.objects("slider.png"))
    assert first == pytest.approx(0.51, abs=0.01)
    assert second > 0.6


def test_what_this_page_did_is_not_asked_for_again(page):
    asked = "performance.getEntriesByType('resource').filter(({ name }) => name.includes('/api/%s?')).length"
    page.open("sync.png")
    page.until_state(asked % "revision", "the page to know all objects")
    page.press("1", "m")
    page.click(100, 100)
    page.click(300, 100)
    page.press("m", "n")
    page.click(100, 300)
    page.quiet()
    page.browser.execute_script("performance.clearResourceTimings()")
    page.until_state(asked % "revision", "the page to look for changes")
    page.quiet()
    assert page.state(asked % "objects") == 0
    assert len(page.objects("sync.png")) == 3

"""The annotator's page where something goes wrong, or looks alike and is not."""

import json
import time
from collections.abc import Iterator
from urllib.request import Request, urlopen

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
from zoo.images.labels import write_labels

pytestmark = BROWSER
SIDE = 512
NAMES = ("keys", "slider", "sync", "damage", "labels", "undo", "waits", "between", "edge")


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


def test_undo_takes_back_what_was_collected_first(page):
    page.open("undo.png")
    page.press("1")
    page.click(100, 100)
    page.quiet()
    for x in (200, 300):
        page.click(x, 100, held=Keys.SHIFT)
    page.press("z")
    assert [each["x"] for each in page.state("state.queue")] == [pytest.approx(200, abs=2)]
    page.press("z")
    page.quiet()
    assert page.state("state.queue") == []
    assert len(page.objects("undo.png")[0]["interactions"]) == 1
    page.press("z")
    page.quiet()
    assert page.objects("undo.png")[0]["interactions"] == []


def test_undo_brings_back_what_was_deleted(page):
    page.open("undo.png")
    page.press("1")
    page.press("n")
    page.click(100, 300)
    page.quiet()
    before = [each["id"] for each in page.objects("undo.png")]
    page.press(Keys.DELETE)
    page.quiet()
    assert page.find("[data-step=undo]").is_enabled()
    page.press("z")
    page.quiet()
    assert [each["id"] for each in page.objects("undo.png")] == before
    assert len(page.objects("undo.png")[-1]["interactions"]) == 1
    page.press(Keys.DELETE)
    page.quiet()
    page.click(300, 300)  # something else was done since
    page.quiet()
    page.press("z")
    page.quiet()
    *others, last = page.objects("undo.png")
    assert [each["id"] for each in others] == before[:-1]
    assert last["interactions"] == []


def test_what_was_collected_is_there_after_a_reload(page):
    page.open("waits.png")
    page.press("1")
    page.click(100, 100)
    page.quiet()
    page.click(150, 100, held=Keys.SHIFT)
    page.click(200, 100, held=Keys.SHIFT)
    page.reload()
    page.quiet()
    page.until_state("state.objects.size === 1", "the object")
    assert page.state("state.queue.length") == 2
    page.press(Keys.ENTER)
    page.quiet()
    (kept,) = page.objects("waits.png")
    assert len(kept["interactions"]) == 3
    page.reload()
    assert page.state("state.queue.length") == 0


def test_a_lasso_outside_of_the_part_that_is_worked_on_says_so(page):
    page.open("slide.tif")
    page.press("1", *"+++")
    page.browser.execute_script("return import('./viewer.js').then(({ fit }) => fit([1500, 1500, 200, 200]))")
    until(lambda: page.place(1600, 1600)[0] - page.place(1500, 1500)[0] > 100, "the part")
    time.sleep(0.5)
    page.click(1600, 1600)
    page.quiet()
    (kept,) = page.objects("slide.tif")
    x, y, width, height = kept["region"]
    right, middle = x + width, y + height / 2
    move = f"return import('./viewer.js').then(({{ fit }}) => fit([{right - 50}, {middle - 50}, 100, 100]))"
    page.browser.execute_script(move)
    time.sleep(1)
    page.press("6")
    page.drag((right + 10, middle), (right + 40, middle), (right + 40, middle + 30), (right + 10, middle + 30))
    page.quiet()
    assert page.find("#notice p").text.startswith("That lies outside the dashed part")
    assert page.objects("slide.tif") == [kept]
    page.drag((right - 30, middle), (right + 30, middle), (right + 30, middle + 30), (right - 30, middle + 30))
    page.quiet()
    assert page.find("#notice p").text.startswith("What was drawn outside the dashed part")
    assert page.objects("slide.tif")[0]["area"] > kept["area"]


def test_a_lasso_over_the_edge_of_the_image_is_cut_and_says_so(page):
    page.open("edge.png")
    page.press("6", "n")
    page.drag((10, 10), (60, 10), (60, 60), (10, 60), (10, 10))
    page.quiet()
    assert not page.find("#notice").is_displayed()
    page.drag((-30, 100), (60, 100), (60, 150), (-30, 150), (-30, 100))
    page.quiet()
    assert page.find("#notice p").text == "What was drawn outside the image is left out."
    assert page.objects("edge.png")[0]["area"] == pytest.approx(50 * 50 + 60 * 50, rel=0.1)


def test_more_objects_than_a_byte_counts_come_in(page, tmp_path):
    labels = np.zeros((SIDE, SIDE), np.int32)
    for number in range(1, 301):
        row, column = divmod(number, 20)
        labels[20 * row + 2 : 20 * row + 14, 20 * column + 2 : 20 * column + 14] = number
    write_labels(tmp_path / "labels.png", labels)
    page.open("labels.png")
    page.find("#file").send_keys(str(tmp_path / "labels.png"))
    until(lambda: page.find("#notice").is_displayed(), "the sentence")
    assert page.find("#notice p").text == "300 objects imported."
    assert {each["area"] for each in page.objects("labels.png")} == {144}


def test_what_this_page_did_is_not_asked_for_again(page):
    """Whatever is done to other images meanwhile."""
    asked = "performance.getEntriesByType('resource').filter(({ name }) => name.includes('/api/%s?')).length"
    page.open("sync.png")
    page.until_state(asked % "objects", "the page to know all objects")
    page.browser.execute_script("performance.clearResourceTimings()")
    begun(page, "slider.png")
    page.press("1", "m")
    page.click(100, 100)
    page.click(300, 100)
    page.press("m", "n")
    begun(page, "slider.png")
    page.click(100, 300)
    page.quiet()
    page.press(Keys.DELETE)
    page.quiet()
    page.press("z")
    page.quiet()
    assert page.state("state.objects.size") == 3
    looks = page.state(asked % "revision")
    page.until_state(f"{asked % 'revision'} > {looks} + 1", "a look that was begun after all that")
    assert page.state(asked % "objects") == 0
    begun(page, "sync.png")
    page.until_state("state.objects.size === 4", "what another one did")


def test_what_others_do_between_is_seen(page):
    page.open("between.png")
    page.press("1")
    for x in (100, 300):
        page.press("n")
        page.click(x, 100)
        page.quiet()
        begun(page, "between.png")
    page.until_state("state.objects.size === 4", "all objects")


def begun(page: Page, image: str) -> None:
    """An object that another program begins."""
    body = json.dumps({"image": image}).encode()
    urlopen(Request(f"{page.address}api/objects", body, {"Content-Type": "application/json"})).read()

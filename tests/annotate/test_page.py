"""The annotator's page in a real browser, with a network whose masks are known beforehand."""

import json
import time
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from statistics import median
from urllib.request import Request, urlopen

import numpy as np
import pytest
from PIL import Image

from tests.helpers.slides import mosaic, write_pyramid
from tests.helpers.told import RADIUS, told_folder

pytest.importorskip("fastapi", reason="the annotator needs FastAPI: pip install 'isegzoo[annotator]'")
pytest.importorskip("selenium", reason="the browser tests need selenium")

from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select

from tests.helpers.page import BROWSER, Page, chromium, served, until
from zoo.annotate.models import Models

pytestmark = BROWSER

SIDE = 512
NAMES = ("click", "scribble", "again", "export", "tabs", "error", "many", "narrow", "labels", "keys", "box")


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Of a server that shows a folder of images and a slide."""
    folder = tmp_path_factory.mktemp("root")
    tissue = mosaic(1024, 1024)
    for name in NAMES:
        Image.fromarray(tissue[256 : 256 + SIDE, 256 : 256 + SIDE]).save(folder / f"{name}.png")
    write_pyramid(folder / "slide.tif", np.tile(tissue, (3, 3, 1)))
    models = Models(str(told_folder(tmp_path_factory.mktemp("told"))))
    with served(folder, models) as address:
        yield address


@pytest.fixture(scope="module")
def downloads(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("browser")


@pytest.fixture(scope="module")
def page(address: str, downloads: Path) -> Iterator[Page]:
    browser = chromium(downloads)
    yield Page(browser, address)
    browser.quit()


def mask_of(page: Page, identity: str) -> np.ndarray:
    with urlopen(f"{page.address}api/objects/{identity}/mask.png") as answer:
        return np.asarray(Image.open(BytesIO(answer.read())))


def spent(page: Page) -> tuple[float, float]:
    """Seconds of CPU so far: of the server, which runs in other threads than this test, and of the page."""
    return time.process_time() - time.thread_time(), page.thread_time()


def test_a_click_shows_its_mask_at_its_place(page):
    page.open("click.png")
    assert not page.covered(200, 150)
    page.press("1")
    page.click(200, 150)
    until(lambda: page.covered(200 - RADIUS + 5, 150), "the mask")
    assert page.covered(200, 150 + RADIUS - 5)
    assert not page.covered(200 + RADIUS + 5, 150)
    assert not page.covered(150, 200)
    (kept,) = page.objects("click.png")
    (said,) = kept["interactions"]
    assert (said["type"], said["positive"]) == ("click", True)
    assert said["x"] == pytest.approx(200, abs=1)
    assert said["y"] == pytest.approx(150, abs=1)
    assert page.find("#saved").text == "Saved"
    assert page.find("#area").text.replace("\u2009", "").startswith(f"{round(kept['area'])}")


def test_a_mask_is_on_the_screen_soon_after_the_model_made_it(page):
    page.open("click.png")
    shown = "performance.getEntriesByName('mask on screen')"
    page.press("n", "1")
    page.click(60, 400)
    page.until_state(f"{shown}.length === 1", "the first mask")
    rounds = 5
    idle = page.thread_time()
    time.sleep(1)
    idle = page.thread_time() - idle  # the viewer looks for changes all the time
    before, began = spent(page), time.monotonic()
    for i in range(rounds):
        page.click(120 + 60 * i, 400)
        time.sleep(0.5)
    page.quiet()
    until(lambda: page.covered(120 + 60 * (rounds - 1) + 10, 400), "the last mask")
    server, screen = [1000 * (now - then) / rounds for now, then in zip(spent(page), before, strict=True)]
    screen -= 1000 * idle * (time.monotonic() - began) / rounds
    # One that the next came before is not told.
    told = page.state(f"{shown}.map((e) => [e.duration, e.detail.milliseconds.model])")[1:]
    after = [duration - model for duration, model in told]
    ratio = median(duration / model for duration, model in told)
    print(f"\na mask takes {server:.0f} ms of the server's CPU and {screen:.0f} ms of the page's")
    print(f"it is on the screen {min(after):.0f} to {max(after):.0f} ms after the model's own time")
    print(f"from the click to the screen it takes {ratio:.1f} times the model's own time")
    assert told
    # Seconds of the clock are those of whatever else runs on the machine, so the limit is in time of the CPU, that of
    # the small network included.
    assert server + screen < 100


def test_scribble_undo_and_taking_a_single_interaction_back(page):
    page.open("scribble.png")
    page.press("1")
    page.click(100, 100)
    until(lambda: page.covered(110, 100), "the click's mask")
    page.press("3")
    page.drag((200, 300), (260, 310), (320, 300))
    until(lambda: page.covered(260, 310), "the scribble's mask")
    page.press("z")
    until(lambda: not page.covered(260, 310), "the mask without the scribble")
    assert page.covered(110, 100)
    page.press("y")
    until(lambda: page.covered(260, 310), "the scribble again")
    page.press("8")
    page.click(100, 100)
    until(lambda: not page.covered(110, 100), "the mask without the click")
    assert page.covered(260, 310)
    (kept,) = page.objects("scribble.png")
    assert [each["type"] for each in kept["interactions"]] == ["scribble"]


def test_a_box_shows_the_object_in_it(page):
    page.open("box.png")
    page.press("5")
    page.drag((60, 60), (140, 140))
    until(lambda: page.covered(100, 100), "the mask")
    assert not page.covered(65, 65)
    page.press("n")
    page.drag((300, 300), (330, 400))  # narrower than what the network makes of a click
    until(lambda: page.covered(315, 350), "the next object's mask")
    assert page.covered(315, 350 + RADIUS - 5)
    assert not page.covered(315 + RADIUS - 5, 350)
    page.press("z")
    until(lambda: not page.covered(315, 350), "its end")
    page.press("y")
    until(lambda: page.covered(315, 350), "it again")
    page.press("8")
    page.click(300, 320)  # on the box's edge
    until(lambda: not page.covered(315, 350), "its end")
    first, second = page.objects("box.png")
    assert [each["type"] for each in first["interactions"]] == ["box"]
    assert second["interactions"] == []


def test_a_reload_finds_everything(page):
    page.open("again.png")
    page.press("1")
    page.click(100, 100)
    page.quiet()
    page.click(160, 100)
    page.quiet()
    page.press("n")
    page.click(300, 300)
    page.quiet()
    before = page.objects("again.png")
    page.reload()
    until(lambda: page.covered(160, 110) and page.covered(310, 300), "the masks")
    assert page.state("[...state.objects.values()].map(({ interactions }) => interactions.length)") == [2, 1]
    page.press("h")
    page.click(105, 105)
    until(lambda: page.state("state.target.id") == before[0]["id"], "the choice")
    until(lambda: page.colour(160, 100, "marks")[3] > 0, "the mark of the second click")
    page.press("1")
    page.click(130, 140)
    page.quiet()
    first, second = page.objects("again.png")
    assert [len(first["interactions"]), len(second["interactions"])] == [3, 1]


def test_an_export_is_the_servers_mask(page, downloads):
    page.open("export.png")
    page.press("1")
    page.click(100, 100)
    page.quiet()
    page.press("n")
    page.click(300, 300)
    page.quiet()
    page.press("7")  # a bite taken by hand
    page.drag((300, 290), (300, 340), (340, 340), (340, 290), (300, 290))
    page.quiet()
    page.find("[data-export=png]").click()
    path = until(lambda: next((each for each in downloads.glob("*.png")), None), "the file")
    labels = np.asarray(Image.open(path))
    ids = [each["id"] for each in page.objects("export.png")]
    assert set(np.unique(labels)) == {0, 1, 2}
    for number, identity in enumerate(ids, 1):
        np.testing.assert_array_equal(labels == number, mask_of(page, identity) > 0)
    assert labels[310, 310] == 0
    assert labels[310, 290] == 2


def test_two_tabs_see_each_others_objects(page):
    browser = page.browser
    page.open("tabs.png")
    page.press("1")
    page.click(100, 100)
    page.quiet()
    first = browser.current_window_handle
    browser.switch_to.new_window("tab")
    try:
        page.open("tabs.png")
        until(lambda: page.covered(110, 100), "the first tab's object")
        page.click(300, 300)
        page.quiet()
        browser.close()
    finally:
        browser.switch_to.window(first)
    until(lambda: page.covered(310, 300), "the second tab's object")
    assert page.state("state.objects.size") == 2
    page.click(160, 100)  # and goes on where it was
    page.quiet()
    assert [len(each["interactions"]) for each in page.objects("tabs.png")] == [2, 1]


def test_errors_are_said_in_a_sentence(page, tmp_path):
    page.open("error.png")
    empty = tmp_path / "empty.geojson"
    empty.write_text(json.dumps({"type": "FeatureCollection", "features": []}))
    page.find("#file").send_keys(str(empty))
    until(lambda: page.find("#notice").is_displayed(), "the bar")
    assert page.find("#notice p").text.startswith("There is no polygon in it")
    for name, said in (("small.png", "The label image has 20 x 10 pixels"), ("no.json", "no.json: this is not JSON")):
        Image.new("L", (20, 10)).save(tmp_path / name, "PNG")
        page.find("#file").send_keys(str(tmp_path / name))
        until(lambda said=said: page.find("#notice p").text.startswith(said), "the next sentence")
    page.press("1")
    page.click(100, 100)
    until(lambda: page.covered(110, 100), "the mask")
    assert not page.find("#notice").is_displayed()
    kept = page.objects("error.png")[0]
    urlopen(Request(f"{page.address}api/objects/{kept['id']}", method="DELETE")).read()
    until(lambda: not page.covered(110, 100), "the mask that another program deleted")


def test_many_clicks_are_an_object_each_in_one_run(page):
    page.open("many.png")
    page.press("1", "m")
    try:
        for x, y in ((100, 100), (200, 100), (300, 100), (100, 300)):
            page.click(x, y, held=Keys.SHIFT)
        assert page.objects("many.png") == []
        assert page.find("#run").text == "Run 4 (Enter)"
        page.press("5")  # a box runs what lies in it
        page.drag((60, 60), (340, 140))
        page.quiet()
        assert len(page.objects("many.png")) == 3
        page.press(Keys.ENTER)
        page.quiet()
        assert [len(each["interactions"]) for each in page.objects("many.png")] == [1, 1, 1, 1]
        until(lambda: all(page.covered(x + 10, y) for x, y in ((100, 100), (300, 100), (100, 300))), "the masks")
    finally:
        page.press("m")


def test_a_mask_is_where_a_correction_begins(page, tmp_path):
    labels = np.zeros((SIDE, SIDE), np.uint8)
    labels[100:200, 100:200] = 120
    labels[130:170, 130:170] = 0
    labels[300:360, 250:400] = 255
    path = tmp_path / "labels.tif"
    Image.fromarray(labels).save(path)
    page.open("labels.png")
    page.find("#file").send_keys(str(path))
    until(lambda: page.covered(110, 110) and page.covered(390, 310), "the masks")
    assert not page.covered(150, 150)
    kept = sorted(page.objects("labels.png"), key=lambda each: each["area"])
    assert [each["area"] for each in kept] == [100**2 - 40**2, 60 * 150]
    page.press("h")
    page.click(300, 330)
    page.press("1")
    page.click(410, 330)
    until(lambda: page.covered(420, 330), "the correction")
    assert page.covered(260, 310)
    assert not page.covered(450, 330)


def test_a_slide_pans_zooms_and_is_segmented_in_view(page):
    page.open("slide.tif")
    page.press("1", *"++++")
    time.sleep(0.5)
    x0 = page.place(1500, 1500)[0]
    page.press(Keys.ARROW_RIGHT)
    until(lambda: page.place(1500, 1500)[0] < x0 - 50, "the move")
    time.sleep(0.5)
    u, v = page.state("(await import('./viewer.js')).toImage({ x: 300, y: 300 })")
    page.click(u, v)
    until(lambda: page.covered(u, v - 10), "the mask")
    (kept,) = page.objects("slide.tif")
    x, y, width, height = kept["region"]
    assert 0 < width < 3072
    assert 0 < height < 3072
    assert x < u < x + width
    assert y < v < y + height


def test_a_narrow_screen_has_all_tools(page):
    size = {"width": 420, "height": 800, "deviceScaleFactor": 2, "mobile": False}
    page.browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    try:
        page.open("narrow.png")
        assert page.browser.execute_script("return document.documentElement.scrollWidth") <= 420
        for button in page.browser.find_elements("css selector", "#rail button"):
            box = button.rect
            assert box["x"] >= 0
            assert box["x"] + box["width"] <= 420
            assert box["y"] + box["height"] <= 800
        assert not page.find("#panel").is_displayed()
        page.find("#rail [data-tool='click+']").click()
        page.tap(200, 150)
        until(lambda: page.covered(210, 150), "the mask")
        page.find("#drawer").click()
        assert page.find("#checkpoint").is_displayed()
        page.find("#drawer").click()
    finally:
        page.browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_a_tool_that_the_checkpoint_does_not_take_says_why(page):
    page.open("keys.png")
    chosen = Select(page.find("#checkpoint"))
    own = chosen.first_selected_option.get_attribute("value")
    scribble = page.find("#rail [data-tool='scribble+']")
    assert scribble.get_attribute("aria-disabled") == "false"
    chosen.select_by_value("nuclei")
    try:
        assert scribble.get_attribute("aria-disabled") == "true"
        assert scribble.get_attribute("title") == "nuclei does not take scribbles: it takes clicks and boxes."
        for name in ("click+", "click-", "box"):
            assert page.find(f"#rail [data-tool='{name}']").get_attribute("aria-disabled") == "false"
    finally:
        chosen.select_by_value(own)
    assert scribble.get_attribute("aria-disabled") == "false"


def test_keys_work_after_a_checkpoint_was_chosen_by_mouse(page):
    page.open("keys.png")
    chosen = page.find("#checkpoint")
    own = chosen.get_attribute("value")
    chosen.click()
    chosen.find_element("css selector", "option[value='nuclei']").click()
    page.press("2")
    try:
        assert page.state("state.checkpoint") == "nuclei"
        assert page.state("state.tool") == "click-"
    finally:
        Select(page.find("#checkpoint")).select_by_value(own)


def test_what_was_collected_waits_again_if_the_server_refuses(page):
    page.open("error.png")
    page.press("1", "n")
    page.click(400, 100, held=Keys.SHIFT)
    page.click(440, 100, held=Keys.SHIFT)
    page.browser.execute_script("window.own = window.fetch; window.fetch = () => Promise.reject(new Error('away'));")
    page.press(Keys.ENTER)
    page.quiet()
    assert page.find("#notice p").text.startswith("The server does not answer.")
    assert page.state("state.queue.length") == 2
    page.browser.execute_script("window.fetch = window.own;")
    page.press(Keys.ENTER)
    until(lambda: page.covered(440, 110), "the mask")
    assert page.state("state.queue.length") == 0
    assert [len(each["interactions"]) for each in page.objects("error.png")][-1] == 2


def test_what_is_brought_back_stays_in_its_image(page):
    page.open("export.png")
    page.press("1", "n")
    page.click(450, 450)
    page.quiet()
    before = len(page.objects("export.png"))
    page.press(Keys.DELETE)
    page.quiet()
    page.press("i")
    until(lambda: page.find("#picker").is_displayed(), "the list")
    page.find("[data-path='again.png']").click()
    until(lambda: page.state("state.image.image") == "again.png", "the other image")
    page.quiet()
    page.find("#notice .action").click()
    page.quiet()
    until(lambda: len(page.objects("export.png")) == before, "the object again")
    assert page.state("[...state.objects.values()].every(({ image }) => image === 'again.png')")


def test_a_deleted_object_can_be_had_back(page):
    page.open("keys.png")
    page.press("1", "n")
    page.click(400, 400)
    until(lambda: page.covered(410, 400), "the mask")
    page.press(Keys.DELETE)
    until(lambda: not page.covered(410, 400), "the mask to go")
    assert page.objects("keys.png") == []
    page.find("#notice .action").click()
    until(lambda: page.covered(410, 400), "the mask again")
    assert len(page.objects("keys.png")) == 1


@pytest.mark.parametrize("system", ["light", "dark"])
def test_the_first_picture_has_the_theme_of_the_system(page, system):
    features = [{"name": "prefers-color-scheme", "value": system}]
    page.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    other = {"light": "dark", "dark": "light"}[system]
    script = page.browser.execute_cdp_cmd(
        "Page.addScriptToEvaluateOnNewDocument",
        {"source": "requestAnimationFrame(() => { window.first = document.documentElement.dataset.theme; });"},
    )
    try:
        page.open("keys.png")
        assert page.state("window.first") == page.state("state.theme") == system
        page.press("t")
        page.reload()
        assert page.state("window.first") == page.state("state.theme") == other
        page.press("t")
        page.browser.execute_script("localStorage.removeItem('isegzoo.theme')")
        features[0]["value"] = other
        page.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
        page.until_state(f"state.theme === '{other}'", "the system's other theme")
    finally:
        page.browser.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", script)
        page.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


def test_keys_theme_and_nothing_of_others(page):
    page.open("keys.png")
    page.press("?")
    assert page.find("#keys").is_displayed()
    page.press(Keys.ESCAPE)
    assert not page.find("#keys").is_displayed()
    ground = "return getComputedStyle(document.body).backgroundColor"
    before = page.browser.execute_script(ground)
    page.press("t")
    assert page.browser.execute_script(ground) != before
    page.press("t")
    assert page.browser.execute_script(ground) == before
    page.press("i")
    until(lambda: page.find("#picker").is_displayed(), "the list")
    assert len(page.browser.find_elements("css selector", "#entries li")) == len(NAMES) + 1
    page.find("[data-path='click.png']").click()
    until(lambda: page.state("state.image.image") == "click.png", "the other image")
    asked = page.state("performance.getEntriesByType('resource').map(({ name }) => name)")
    assert asked
    assert all(each.startswith((page.address, "blob:")) for each in asked)
    # What is wrong with the page itself; answers of the server that refuse are no such thing.
    said = [each["message"] for each in page.browser.get_log("browser") if each["level"] == "SEVERE"]
    assert [each for each in said if "Failed to load resource" not in each] == []

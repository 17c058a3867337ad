"""The annotator's page in Chromium, used as a person uses it."""

import json
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote
from urllib.request import urlopen

import pytest
import uvicorn
from selenium import webdriver
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement

from zoo.annotate.app import create_app
from zoo.annotate.models import Models

BINARY, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
NONE = "no Chromium here: install chromium and chromium-driver to test the annotator's page"
BROWSER = [pytest.mark.browser, pytest.mark.skipif(None in (BINARY, DRIVER), reason=NONE)]
FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
PATIENCE = 60.0
"""Seconds that something may take on a busy machine."""
PLACE = """
const [x, y] = arguments;
return import("./viewer.js").then(({ frame }) => {
  const at = frame();
  const { left, top } = document.getElementById("viewer").getBoundingClientRect();
  return [left + at.x + at.scale * x, top + at.y + at.scale * y];
});
"""
COLOUR = """
const [layer, x, y] = arguments;
const canvas = document.getElementById(layer);
const { left, top, width } = canvas.getBoundingClientRect();
const ratio = canvas.width / width;
return [...canvas.getContext("2d").getImageData((x - left) * ratio, (y - top) * ratio, 1, 1).data];
"""


@contextmanager
def served(folder: Path, models: Models, port: int = 0) -> Iterator[str]:
    """The address of a server that shows a folder; port 0: a free one."""
    app = create_app(folder, models=models)
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_level="warning", ws="none"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    until(lambda: server.started, "the server")
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}/"
    finally:
        server.should_exit = True
        thread.join(10)


def chromium(folder: Path) -> webdriver.Chrome:
    """A browser that knows nothing yet and saves files to a folder."""
    assert BINARY is not None
    assert DRIVER is not None
    options = webdriver.ChromeOptions()
    options.binary_location = BINARY
    for flag in (*FLAGS, f"--user-data-dir={folder / 'profile'}", "--window-size=1400,900"):
        options.add_argument(flag)
    options.add_experimental_option("prefs", {"download.default_directory": str(folder)})
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    return webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))


def until(condition: Callable[[], Any], what: str) -> Any:
    """What a condition gives, once it gives something."""
    end = time.monotonic() + PATIENCE
    while not (found := condition()):
        assert time.monotonic() < end, f"waited for {what}"
        time.sleep(0.05)
    return found


class Page:
    """The page of a server, in one tab. Places are pixels of the image."""

    def __init__(self, browser: webdriver.Chrome, address: str) -> None:
        self.browser, self.address = browser, address

    def open(self, image: str) -> None:
        """Open an image as for the first time."""
        self.browser.get("about:blank")
        self.browser.get(f"{self.address}#image={quote(image)}")
        self.wait()

    def reload(self) -> None:
        self.browser.refresh()
        self.wait()

    def wait(self) -> None:
        """Until the image can be used."""
        self.until_state("state.image && (await import('./viewer.js')).frame()", "the image")

    def state(self, expression: str) -> Any:
        """What an expression of the page's `state` gives."""
        script = f"return (async () => {{ const {{ state }} = await import('./state.js'); return {expression}; }})()"
        return self.browser.execute_script(script)

    def until_state(self, expression: str, what: str) -> None:
        until(lambda: self.state(f"Boolean({expression})"), what)

    def quiet(self) -> None:
        """Until all that was asked for is answered."""
        self.until_state("!state.busy", "the server's answer")

    def find(self, selector: str) -> WebElement:
        return self.browser.find_element(By.CSS_SELECTOR, selector)

    def press(self, *keys: str) -> None:
        actions = ActionChains(self.browser)
        for key in keys:
            actions.send_keys(key)
        actions.perform()

    def click(self, x: float, y: float, held: str | None = None) -> None:
        """Click on a pixel of the image, with a key held."""
        actions = self._to(x, y)
        if held is not None:
            actions.key_down(held).click().key_up(held).perform()
        else:
            actions.click().perform()

    def tap(self, x: float, y: float) -> None:
        """Touch a pixel of the image with a finger."""
        u, v = self.place(x, y)
        for kind, points in (("touchStart", [{"x": u, "y": v}]), ("touchEnd", [])):
            self.browser.execute_cdp_cmd("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    def drag(self, *points: tuple[float, float]) -> None:
        """Draw a line through pixels of the image."""
        actions = self._to(*points[0]).click_and_hold()
        (x, y), *others = [self.place(*point) for point in points]
        for u, v in others:
            actions.move_by_offset(round(u) - round(x), round(v) - round(y))
            x, y = u, v
        actions.release().perform()

    def place(self, x: float, y: float) -> tuple[float, float]:
        """Where a pixel of the image lies in the window."""
        u, v = self.browser.execute_script(PLACE, x, y)
        return u, v

    def colour(self, x: float, y: float, layer: str = "masks") -> list[int]:
        """Red, green, blue and alpha that are drawn over a pixel of the image."""
        found: list[int] = self.browser.execute_script(COLOUR, layer, *self.place(x, y))
        return found

    def covered(self, x: float, y: float) -> bool:
        """Whether a mask is drawn over a pixel of the image."""
        return self.colour(x, y)[3] > 0

    def thread_time(self) -> float:
        """Seconds of CPU that the page's own thread used so far."""
        self.browser.execute_cdp_cmd("Performance.enable", {})
        metrics = self.browser.execute_cdp_cmd("Performance.getMetrics", {})["metrics"]
        return next(each["value"] for each in metrics if each["name"] == "ThreadTime")

    def objects(self, image: str) -> list[dict[str, Any]]:
        """What the server knows."""
        with urlopen(f"{self.address}api/objects?image={quote(image)}") as answer:
            found: list[dict[str, Any]] = json.load(answer)["objects"]
        return found

    def _to(self, x: float, y: float) -> ActionChains:
        viewer = self.find("#viewer")
        u, v = self.place(x, y)
        box = viewer.rect
        middle = (box["x"] + int(box["width"] / 2), box["y"] + int(box["height"] / 2))
        return ActionChains(self.browser, duration=20).move_to_element_with_offset(
            viewer, round(u - middle[0]), round(v - middle[1])
        )

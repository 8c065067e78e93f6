"""A visit to the page, in the words of a visitor."""

from __future__ import annotations

import base64
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zipfile import ZipFile

from PIL import Image

if TYPE_CHECKING:
    from playwright.sync_api import Browser, ConsoleMessage, Locator, Route

TIMEOUT = 30_000  # milliseconds
WIDE = {"width": 1400, "height": 900}
NO_SUCCESS = "Failed to load resource: the server responded with a status of"  # Chromium's own note on any error


class Visit:
    """One page in a browser context of its own, which remembers nothing of other visits."""

    def __init__(self, browser: Browser, url: str, **options: Any):
        self.settings: dict[str, Any] = {"locale": "en-GB", "viewport": WIDE, **options}
        self.context = browser.new_context(**self.settings)
        self.url = url
        self.complaints: list[str] = []
        self.refusals: list[str] = []
        self.addresses: list[str] = []
        self.open()

    def begin_again(self) -> None:
        """As a new visit, for half its price: nothing is kept but the browser's cache."""
        self.check()
        self.context.unroute_all()
        self.page.unroute_all()
        self.page.goto("about:blank")
        kinds = {"origin": self.url, "storageTypes": "cookies,local_storage,indexeddb"}
        self.session.send("Storage.clearDataForOrigin", kinds)
        self.page.emulate_media(color_scheme="null", reduced_motion="null")
        self.page.set_viewport_size(self.settings["viewport"])
        self.addresses.clear()
        self.refusals.clear()
        self.page.goto(f"{self.url}/")
        self.wait_until_ready()

    def open(self) -> None:
        """A new page in the same browser context, ready for its visitor."""
        self.page = self.context.new_page()
        self.session = self.context.new_cdp_session(self.page)
        self.page.set_default_timeout(TIMEOUT)
        self.page.on("console", self.note)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda request: self.addresses.append(request.url))
        self.page.goto(f"{self.url}/")
        self.wait_until_ready()

    def wait_until_ready(self) -> None:
        self.find("html[data-ready]").wait_for()

    def reload(self) -> None:
        """The page again; what was typed a moment ago is kept by then."""
        self.page.wait_for_timeout(250)
        self.page.reload()
        self.wait_until_ready()

    def note(self, message: ConsoleMessage) -> None:
        if message.text.startswith(NO_SUCCESS):
            self.refusals.append(message.text)
        elif message.type in ("error", "warning"):
            self.complaints.append(message.text)

    def check(self) -> None:
        """There were no complaints, and no requests to other hosts."""
        complaints, addresses = self.complaints[:], self.addresses[:]
        self.complaints.clear()
        self.addresses.clear()
        assert complaints == []
        own = (f"{self.url}/", "blob:", "data:", "about:")
        assert [one for one in addresses if not one.startswith(own)] == []

    def end(self) -> None:
        """Checks that nothing went wrong, and closes everything."""
        try:
            self.check()
        finally:
            self.context.close()

    def find(self, selector: str) -> Locator:
        return self.page.locator(selector)

    def text(self, selector: str) -> str:
        return self.find(selector).inner_text()

    def draw_at_once(self) -> None:
        """Small pictures in place of the sandbox's, where a test is about the page around them."""
        self.page.route("**/v1/images/generations", lambda route: route.fulfill(json=small_answer(route)))

    # ---- what a visitor does ----

    def choose_lens(self, name: str) -> None:
        self.find(f'.lens[data-lens="{name}"]').click()

    def open_advanced(self) -> None:
        if not self.find("#advanced[open]").count():
            self.page.click("#advanced summary")

    def set_key(self, key: str) -> None:
        self.open_advanced()
        self.page.fill("#key", key)

    def choose_stream(self) -> None:
        self.open_advanced()
        self.find(".switch").first.click()

    def choose_ratio(self, ratio: str) -> None:
        self.find(".ratio").get_by_text(ratio, exact=True).click()

    def release(self, prompt: str | None = None) -> None:
        """Press the button."""
        if prompt is not None:
            self.page.fill("#prompt", prompt)
        self.page.click("#shutter")

    def take(self, prompt: str | None = None) -> None:
        """Press the button and wait for the picture."""
        self.call(prompt)
        self.wait_for("done")

    def call(self, prompt: str | None = None) -> None:
        """Press the button and wait until the call is in the history."""
        frames = self.find("#sheet li").count()
        self.release(prompt)
        self.find("#sheet li").nth(frames).wait_for()

    def wait_for(self, state: str) -> None:
        """Wait until the glass shows it: done, failed, cancelled."""
        self.find(f'#glass[data-state="{state}"]').wait_for()

    def add_picture(self, path: Path) -> None:
        count = self.find("#inputs li").count()
        self.page.set_input_files("#files", path)
        self.find("#inputs li").nth(count).wait_for()

    def open_easel(self) -> Locator:
        """Begin to paint a mask; returns the canvas."""
        self.find(".mask-tool").first.click()
        self.find("dialog[open]").wait_for()
        return self.find("#mask-canvas")

    def paint(self, *places: tuple[float, float]) -> None:
        """A stroke with the mouse through these places, given as shares of width and height."""
        box = self.find("#mask-canvas").bounding_box()
        assert box is not None
        spots = [(box["x"] + box["width"] * x, box["y"] + box["height"] * y) for x, y in places]
        self.page.mouse.move(*spots[0])
        self.page.mouse.down()
        for spot in spots[1:]:
            self.page.mouse.move(*spot, steps=4)
        self.page.mouse.up()

    def leave_easel(self, button: str) -> None:
        """Press one of the buttons that end the painting."""
        self.page.click(button)
        self.find("#mask").wait_for(state="hidden")

    # ---- results ----

    def facts(self) -> dict[str, str]:
        """The caption's facts by their names."""
        return {
            one.get_attribute("data-fact") or "": one.locator("dd").inner_text()
            for one in self.find("[data-fact]").all()
        }

    def download(self) -> tuple[str, bytes]:
        """Name and bytes of the picture of a call that has one."""
        with self.page.expect_download() as download:
            self.find('.caption [data-act="download"]').click()
        return download.value.suggested_filename, download.value.path().read_bytes()

    def every_picture(self) -> dict[str, bytes]:
        """All pictures of the call that is shown, by their names."""
        if self.find(".frame img").count() == 1:
            return dict([self.download()])
        with self.page.expect_download() as download:
            self.find(".caption .acts").get_by_text("Download all").click()
        with ZipFile(download.value.path()) as archive:
            assert archive.testzip() is None
            return {name: archive.read(name) for name in archive.namelist()}

    def code(self, tab: str) -> str:
        """The code below a tab."""
        self.page.click(f"#tab-{tab}")
        return self.find("#code").text_content() or ""


def picture_body(count: int = 1) -> dict[str, Any]:
    """An answer of OpenAI's with small pictures."""
    file = BytesIO()
    Image.new("RGB", (64, 32), "teal").save(file, "PNG")
    usage = {"input_tokens": 1, "output_tokens": 2, "total_tokens": 3, "cost": 0.01}
    picture = {"b64_json": base64.b64encode(file.getvalue()).decode()}
    return {"data": [picture] * count, "output_format": "png", "usage": usage}


def small_answer(route: Route) -> dict[str, Any]:
    """As many small pictures as are asked for."""
    return picture_body((route.request.post_data_json or {}).get("n", 1))


def pixels(picture: bytes) -> tuple[int, int]:
    return Image.open(BytesIO(picture)).size


def draw_file(path: Path, size: tuple[int, int] = (300, 200), color: str = "tomato") -> Path:
    """A small picture in a file, of the type in its name."""
    Image.new("RGB", size, color).save(path)
    return path

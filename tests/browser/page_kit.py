"""The page in a real browser, as one who looks at it finds things: by their roles and names."""

from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import ConsoleMessage, Locator, Page, ViewportSize, expect, sync_playwright

CHROMIUM = "/usr/bin/chromium"
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
WAIT_MS = 120_000
PIXELS_OF_PRICE_AXIS = """colour => {
  const axis = document.querySelector(".canvas tr:first-child td:last-child canvas");
  const { data } = axis.getContext("2d").getImageData(0, 0, axis.width, axis.height);
  let count = 0;
  for (let i = 0; i < data.length; i += 4)
    if (colour.every((part, j) => data[i + j] === part)) count += 1;
  return count;
}"""
HEAR_FINGER = """() => {
  window.moves = [];
  window.addEventListener("touchmove", event => window.moves.push(event.defaultPrevented));
}"""
WIDE: ViewportSize = {"width": 1400, "height": 860}


class MarketPage:
    """The page, opened."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.errors: list[str] = []
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("console", self._heard)

    def _heard(self, said: ConsoleMessage) -> None:
        """Keep what the page calls an error; that a server is away is the browser's own remark, and no fault."""
        if said.type == "error" and "net::ERR_CONNECTION" not in said.text:
            self.errors.append(said.text)

    def open(self, url: str) -> None:
        """Load the page."""
        self.page.goto(url)

    @property
    def connection(self) -> Locator:
        """Where the page says how it is connected, to which namespace and with what lag."""
        return self.page.get_by_role("group", name="Connection")

    @property
    def legend(self) -> Locator:
        """The values of the newest bar, or of the one under the cross-hair."""
        return self.page.get_by_label("Bar", exact=True)

    @property
    def trades(self) -> Locator:
        """The rows of the tape."""
        return self.page.get_by_role("region", name="Trades").locator("tbody tr")

    @property
    def bars(self) -> Locator:
        """The rows of bars, newest first."""
        return self.page.get_by_role("region", name="Bars").locator("tbody tr")

    def press_and_see(self, key: str) -> None:
        """Press a key and wait until what it does is drawn: the chart scrolls from where it was drawn last."""
        self.page.keyboard.press(key)
        self._wait_for_frames()

    def wheel_and_see(self, pixels: int) -> None:
        """Turn the wheel sideways over the chart, once it is drawn, and wait until what that does is drawn."""
        self._wait_for_frames()
        self.page.locator(".canvas").hover()
        self.page.mouse.wheel(pixels, 0)
        self._wait_for_frames()

    def _wait_for_frames(self) -> None:
        """Wait until what the page knows by now is drawn."""
        self.page.evaluate("() => new Promise(drawn => requestAnimationFrame(() => requestAnimationFrame(drawn)))")

    def told_bars(self) -> list[list[str]]:
        """Start, prices, volume, imbalance, VWAP, trades, missing and state of the newest bars, newest first."""
        rows: list[list[str]] = self.bars.evaluate_all(
            "rows => rows.map(row => [...row.cells].map(cell => cell.innerText.trim()))"
        )
        return rows

    @property
    def problem(self) -> Locator:
        """What the page says is wrong."""
        return self.page.get_by_role("alert")

    @property
    def last_price(self) -> Locator:
        """The price of the last trade, which no bar has yet."""
        return self.page.get_by_label("Last price")

    @property
    def chart_group(self) -> Locator:
        """The chart, as what takes keys."""
        return self.page.get_by_role("group", name="Candles")

    def settled_chart(self) -> bytes:
        """What the chart looks like when nothing moves in it any more."""
        seen, now = b"", self.chart()
        while seen != now:
            self._wait_for_frames()
            seen, now = now, self.chart()
        return now

    def pixels_of_price_axis(self, colour: tuple[int, int, int]) -> int:
        """How many pixels of the chart's price axis are of a colour: red, green and blue from 0 to 255."""
        count: int = self.page.evaluate(PIXELS_OF_PRICE_AXIS, colour)
        return count

    def holds_finger(self, place: Locator) -> bool:
        """Move a finger up from the middle of a place: whether the place keeps the page from scrolling with it."""
        box = place.bounding_box()
        assert box is not None
        x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        touch = self.page.context.new_cdp_session(self.page)
        self.page.evaluate(HEAR_FINGER)
        touch.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [{"x": x, "y": y}]})
        for moved in range(20, 220, 20):
            touch.send("Input.dispatchTouchEvent", {"type": "touchMove", "touchPoints": [{"x": x, "y": y - moved}]})
        touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
        self.page.wait_for_function("moves.length > 0")
        return bool(self.page.evaluate("moves.some(isHeld => isHeld)"))

    def chart(self) -> bytes:
        """What the chart looks like now, as PNG."""
        return self.page.locator(".canvas").screenshot()


@contextmanager
def browser_page() -> Iterator[MarketPage]:
    """A page of a new Chromium."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS, timeout=WAIT_MS)
        try:
            page = browser.new_page(viewport=WIDE, color_scheme="dark")
            page.set_default_timeout(WAIT_MS)
            expect.set_options(timeout=WAIT_MS)
            yield MarketPage(page)
        finally:
            browser.close()

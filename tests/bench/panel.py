"""The panel, in a browser."""

import contextlib
import statistics

from programs import ADMIN_PASSWORD, Product
from table import Row, at_most

LOADS = 11
PAINT_MS, WIRE_KB = 300, 150
FEW, MANY, FRAMES = 100, 10_000, 120

# What an element that says `elementtiming` told the browser, ms after the navigation began.
USEFUL = """const done = arguments[0];
new PerformanceObserver(list => done(list.getEntries()[0].renderTime)).observe({ type: "element", buffered: true });"""
FIRST = """const done = arguments[0];
new PerformanceObserver(list => { const one = list.getEntriesByName("first-contentful-paint")[0]; if (one) done(one.startTime); }).observe({ type: "paint", buffered: true });"""
WIRE = "return [...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')].filter(one => !one.name.includes('/api/')).map(one => one.transferSize).reduce((a, b) => a + b)"
# A screenful a frame, to the end and back; ms between frames.
SCROLL = """const [most, done] = arguments, box = document.querySelector(".table"), frames = [];
let last, step = box.clientHeight;
requestAnimationFrame(function frame(now) {
	if (last)
		frames.push(now - last);
	last = now;
	if (box.scrollTop + box.clientHeight >= box.scrollHeight) step = -box.clientHeight;
	else if (box.scrollTop === 0) step = box.clientHeight;
	box.scrollTop += step;
	if (frames.length < most) requestAnimationFrame(frame); else done(frames);
});"""


@contextlib.contextmanager
def browser():
    from browser import Browser    # Selenium is needed by these rows only
    one = Browser()
    try:
        yield one
    finally:
        one.close()


def loads(page, product, path, script):
    """Median over loads without a cache, from another page of the same server: a browser that starts a process is no part of it."""
    took = []
    page.cdp("Network.setCacheDisabled", cacheDisabled=True)
    for _ in range(LOADS):
        page.driver.get(f"{product.url}/healthz")
        page.driver.get(f"{product.url}/{path}")
        took.append(page.driver.execute_async_script(script))
    page.cdp("Network.setCacheDisabled", cacheDisabled=False)
    return statistics.median(took)


def paint(work):
    """First useful paint of the panel, nothing cached, and what goes over the wire."""
    with Product(work / "product").start("mgmtd", "switchcore").fill(FEW, enabled=False) as product, browser() as chromium:
        product.wait_switch()
        page = chromium.page().at(product)
        floor = loads(page, product, "vendor/LICENSE.htm.txt", FIRST)
        log_in = loads(page, product, "", USEFUL)
        wire = page.js(WIRE)
        page.log_in(password=ADMIN_PASSWORD)
        overview = loads(page, product, "#/", USEFUL)
    return [Row(f"panel, {what}: first useful paint", f"{took:.0f} ms ({took / floor:.1f}x a page of plain text, {floor:.0f} ms)", f"<= {PAINT_MS} ms", PAINT_MS / took)
            for what, took in (("log-in", log_in), ("overview", overview))] + \
        [Row("panel: bytes over the wire", f"{wire / 1000:.1f} kB", f"<= {WIRE_KB} kB", WIRE_KB / (wire / 1000))]


def frames(product, page, count):
    page.open("#/registrations")
    page.says("p.foot", rf"^{count:,} registrations$", within=60)
    times = page.driver.execute_async_script(SCROLL, FRAMES)
    return statistics.median(times), sorted(times)[int(0.95 * len(times))]


def scroll(work):
    """A screenful a frame through 10,000 registrations, against 100."""
    with Product(work / "product").start("mgmtd", "switchcore").fill(FEW, enabled=False) as product, browser() as chromium:
        product.wait_switch()
        page = chromium.page().at(product).log_in(password=ADMIN_PASSWORD)
        few, few_p95 = frames(product, page, FEW)
        product.fill(MANY, enabled=False)
        many, many_p95 = frames(product, page, MANY)
    row = at_most(f"panel: a frame while scrolling, {MANY:,} registrations against {FEW}", many / few, 1.5, f"{many / few:.2f}x ({many:.1f}; {few:.1f} ms)")
    row.notes.append(f"p95 {many_p95:.1f}; {few_p95:.1f} ms; drawn by the processor, no graphics card")
    return [row]

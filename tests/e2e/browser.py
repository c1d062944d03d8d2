"""A Chromium that a test drives as a person would: what it sees, clicks and types; at the end nothing may have gone wrong in it.

One process serves all the tests of a worker, each in a tab of its own without cookies: a start takes seconds."""

import pathlib
import re
import tempfile
import time

from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException, WebDriverException
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys

import until as waiting
from lab import ADMIN_PASSWORD, BUILD

OPTIONS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
           "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--no-default-browser-check", "--lang=en-GB",
           "--disable-features=Translate,MediaRouter,OptimizationHints", "--password-store=basic")
AXE = pathlib.Path(__file__).parents[2] / "build/npm/node_modules/axe-core/axe.min.js"
AXE_RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"]
WITHIN = 15
WIDE, PHONE = 1440, 390

# In every document before its own scripts: what the policy forbade.
LISTENER = """window.forbidden = [];
addEventListener("securitypolicyviolation", event => forbidden.push(`${event.violatedDirective}: ${event.blockedURI} ${event.sourceFile}:${event.lineNumber}`));"""

# Elements that are seen; of a text: the whole of it, or what a /pattern/ finds in it.
FIND = """const [css, text, pattern, root] = arguments;
const told = one => one.nodeType === 3 ? one.data : one.nodeType !== 1 || one.getAttribute("aria-hidden") === "true" ? "" : [...one.childNodes].map(told).join("");
const said = one => (one.getAttribute("aria-label") || told(one)).replace(/\\s+/g, " ").trim();
const fits = one => text !== null ? said(one) === text : pattern !== null ? new RegExp(pattern).test(said(one)) : true;
return [...(root || document).querySelectorAll(css)].filter(one => one.checkVisibility({ checkVisibilityCSS: true }) && fits(one));"""

BUTTON = "button, [role=button], input[type=submit]"


def until(found, within, what):
    """The same with a pause: each look at the page costs it time in which it could draw."""
    def look():
        value = found()
        if not value:
            time.sleep(0.04)
        return value
    return waiting.until(look, within, what)


class Browser:
    """The process."""

    def __init__(self):
        self.profile = tempfile.TemporaryDirectory(prefix="tandem-browser-", ignore_cleanup_errors=True)
        options = webdriver.ChromeOptions()
        options.binary_location = "/usr/bin/chromium"
        for option in (*OPTIONS, f"--user-data-dir={self.profile.name}"):
            options.add_argument(option)
        options.add_experimental_option("prefs", {"download.default_directory": self.profile.name})
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        self.driver = webdriver.Chrome(service=Service("/usr/bin/chromedriver"), options=options)
        self.shown = None
        self.driver.set_script_timeout(60)
        self.driver.set_page_load_timeout(30)

    def close(self):
        self.driver.quit()
        self.profile.cleanup()

    def page(self):
        """A new tab in which nobody was ever here; the one before it is gone."""
        before = self.driver.window_handles
        self.driver.switch_to.new_window("tab")
        own = self.driver.current_window_handle
        for one in before:
            self.driver.switch_to.window(one)
            self.driver.close()
        self.driver.switch_to.window(own)
        self.shown = Page(self.driver)
        return self.shown

    def shows(self, page):
        return page is not None and page is self.shown


class Page:
    def __init__(self, driver):
        self.driver, self.lab, self.url, self.failed = driver, None, None, False
        self.expected = set()
        self.cdp("Page.addScriptToEvaluateOnNewDocument", source=LISTENER)
        self.cdp("Network.enable")
        self.cdp("Network.clearBrowserCookies")
        self.size(WIDE)
        self.driver.get_log("browser")

    def cdp(self, command, **words):
        return self.driver.execute_cdp_cmd(command, words)

    def js(self, script, *words):
        return self.driver.execute_script(script, *words)

    # Where it is and how it looks.

    def at(self, lab):
        """Of this lab's panel; a port may have had another one before."""
        self.lab, self.url = lab, lab.url
        self.cdp("Storage.clearDataForOrigin", origin=self.url, storageTypes="all")
        return self

    def open(self, where="#/"):
        """From nothing, as a bookmark would."""
        self.driver.get(f"{self.url}/{where}")
        return self

    def go(self, where):
        """Within the page, without loading it anew."""
        self.driver.execute_async_script("""const [where, done] = arguments, frame = window.requestAnimationFrame;
            location.hash = where;
            setTimeout(() => frame(() => frame(done)));""", where)
        self.see("#content h1")
        return self

    def size(self, width):
        self.cdp("Emulation.setDeviceMetricsOverride", width=width, height=900 if width > 600 else 844, deviceScaleFactor=1, mobile=width < 600)

    def system(self, colours):
        """What the operating system would like: light or dark."""
        self.cdp("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": colours}, {"name": "prefers-reduced-motion", "value": "reduce"}])

    def mark(self):
        """For `marked`: whether the document is still the same."""
        self.js("window.marked = true")

    @property
    def marked(self):
        return self.js("return window.marked === true")

    # What is seen.

    def all(self, css, text=None, like=None, inside=None):
        try:
            return self.driver.execute_script(FIND, css, text, like, inside)
        except StaleElementReferenceException:
            return []

    def see(self, css, text=None, like=None, within=WITHIN, inside=None):
        """The first such element, once there is one; text: all that it says, like: a pattern in it."""
        return until(lambda: self.all(css, text, like, inside), within, lambda: f"{css} {text or like or ''} in:\n{self.text()}")[0]

    def gone(self, css, text=None, like=None, within=WITHIN):
        until(lambda: not self.all(css, text, like), within, lambda: f"end of {css} {text or like or ''} in:\n{self.text()}")

    def text(self, css="body"):
        return self.js("return [...document.querySelectorAll(arguments[0])].map(one => one.innerText).join('\\n')", css)

    def says(self, css, like, within=WITHIN):
        """The match of the pattern in what such an element says."""
        def found():
            try:
                text = re.sub(r"\s+", " ", self.text(css))
            except WebDriverException:
                return None
            return re.search(like, text)
        return until(found, within, lambda: f"{like!r} in {css}: {self.text(css)!r}")

    def button(self, text=None, like=None, inside=None):
        return self.see(BUTTON, text, like, inside=inside)

    def labelled(self, label, inside=None):
        """The control of which a label says this."""
        def found():
            return self.js("""const [label, root] = arguments, clean = text => text.replace(/\\s+/g, " ").trim();
                const own = one => clean([...one.childNodes].filter(node => node.nodeType === 3).map(node => node.data).join(""));
                for (const one of (root || document).querySelectorAll("input, select, textarea"))
                    if (one.checkVisibility() && (one.getAttribute("aria-label") === label || [...one.labels || []].some(of => own(of) === label || clean(of.textContent) === label)))
                        return one;
                return null;""", label, inside)
        return until(found, WITHIN, lambda: f"control labelled {label!r} in:\n{self.text()}")

    def rows(self):
        """The rows of the table of a list: what each cell says, by the column's title."""
        return self.js("""const titles = [...document.querySelectorAll(".table thead th")].map(one => (one.querySelector("button")?.firstChild || one.firstChild).textContent);
            return [...document.querySelectorAll(".table tbody tr[aria-rowindex]")].map(row => Object.fromEntries([...row.cells].map((cell, i) => [titles[i], cell.innerText.trim()])))""")

    def focused(self):
        return self.driver.switch_to.active_element

    # What is done.

    def press(self, text=None, like=None, inside=None):
        """Clicks a button or what acts as one."""
        self.acting(lambda: self.button(text, like, inside).click())

    def follow(self, text, inside=None):
        self.acting(lambda: self.see("a", text, inside=inside).click())

    @staticmethod
    def acting(act):
        """An element may be drawn anew between being found and being clicked."""
        def done():
            try:
                act()
                return True
            except StaleElementReferenceException:
                return False
        until(done, WITHIN, "element that stays")

    @staticmethod
    def put(element, text):
        """In place of what stands in it."""
        element.send_keys(Keys.CONTROL, "a")
        element.send_keys(Keys.DELETE)
        element.send_keys(text)

    def fill(self, label, text, inside=None):
        self.put(self.labelled(label, inside), text)

    def keys(self, *keys):
        ActionChains(self.driver, duration=0).send_keys(*keys).perform()

    def shift(self, key):
        ActionChains(self.driver, duration=0).key_down(Keys.SHIFT).send_keys(key).key_up(Keys.SHIFT).perform()

    # Who it is.

    def log_in(self, username="admin", password=ADMIN_PASSWORD, where="#/"):
        self.open(where)
        self.see(".credentials")
        self.fill("User name", username)
        self.fill("Password", password)
        self.press("Log in")
        self.see("header.top")
        return self

    def enter(self, where="#/"):
        """As the administrator who is logged in already: for tests of what comes after, since each log-in is a slow hash."""
        self.cdp("Network.setCookie", url=self.url, name="tandem_session", value=self.lab.api().token, httpOnly=True, sameSite="Strict")
        self.cdp("Page.addScriptToEvaluateOnNewDocument", source="if (location.protocol === 'http:') localStorage.setItem('tandem-came', '1')")
        self.open(where)
        self.see("header.top")
        return self

    def cookie(self):
        return self.driver.get_cookie("tandem_session")

    # What went wrong.

    def expect(self, *what):
        """Answers that the test provokes (401, 412, 422), or "lost": that nobody answers.  The browser puts them on its console."""
        self.expected.update(str(one) for one in what)

    def complaints(self):
        found = []
        for entry in self.driver.get_log("browser"):
            message, source = entry["message"], entry["source"]
            status = re.search(r"responded with a status of (\d+)", message)
            if status and status.group(1) in self.expected:
                continue
            if "lost" in self.expected and source == "network" and re.search(r"net::ERR_(CONNECTION|EMPTY|INCOMPLETE|NETWORK|SOCKET|FAILED|ABORTED)", message):
                continue
            if entry["level"] in ("SEVERE", "WARNING"):
                found.append(f"{source}: {message}")
        try:
            found += [f"policy: {one}" for one in self.js("return window.forbidden || []")]
        except WebDriverException as error:
            found.append(f"the page is gone: {error.msg}")
        return found

    def clean(self):
        """No error on the console but those that are expected, and nothing that the content policy forbade."""
        found = self.complaints()
        assert not found, "the browser complains:\n" + "\n".join(found)

    def axe(self, *only):
        """What axe-core finds, readable; `only`: these rules."""
        self.js("if (!window.axe) { const module = undefined, exports = undefined, define = undefined; " + AXE.read_text() + "; window.axe = axe; }")
        run = {"runOnly": {"type": "rule", "values": list(only)} if only else {"type": "tag", "values": AXE_RULES}, "resultTypes": ["violations"]}
        answer = self.driver.execute_async_script("""const [run, done] = arguments;
            axe.run(document, run).then(({ violations }) => done(violations), error => done(String(error)));""", run)
        assert isinstance(answer, list), answer
        return [f"{one['id']} ({one['impact']}): {one['help']}\n" + "\n".join(
            f"    {' '.join(str(part) for part in node['target'])}\n      {node['html'][:160]}\n      {'; '.join(line.strip() for line in node['failureSummary'].splitlines()[1:])}"
            for node in one["nodes"][:6]) + (f"\n    … {len(one['nodes'])} of them" if len(one["nodes"]) > 6 else "") for one in answer]

    def overflow(self):
        """By how many pixels the page is wider than its window."""
        return self.js("return document.documentElement.scrollWidth - document.documentElement.clientWidth")

    def kept(self, name):
        """For whoever looks at a failure: where the picture of it is, what the page said and what the browser complained of."""
        path = BUILD / "panel-failures" / f"{re.sub(r'[^A-Za-z0-9_.-]+', '-', name)}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self.driver.save_screenshot(str(path))
            said = f"{self.driver.current_url}\n{self.text()}"
        except WebDriverException as error:
            said = f"no picture: {error.msg}"
        return "\n".join([str(path), *self.complaints(), said])


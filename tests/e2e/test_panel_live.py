"""What the panel shows moves by itself: states, countdowns, what is sorted and filtered, and whether any of it is still true."""

import re

import pytest
from selenium.webdriver.common.keys import Keys

from until import stays, until

pytestmark = pytest.mark.panel
MANY = 10000


def name_of(cells):
    return cells["Name"].split("\n")[0]


def row(page, name):
    """The cells of a registration's row, by column."""
    return next((cells for cells in page.rows() if name_of(cells) == name), {})


def wait_row(page, name, within=8, **having):
    def found():
        cells = row(page, name)
        return cells if cells and all(re.search(pattern, cells[column]) for column, pattern in having.items()) else None
    return until(found, within, lambda: f"{having} of {name}: {page.rows()}")


def glyph(page, name):
    """(colour, shape) of the state in a registration's row, as they are drawn."""
    return tuple(page.js("""const row = [...document.querySelectorAll(".table tbody tr")].find(row => row.cells[1]?.querySelector("a")?.textContent === arguments[0]);
        const glyph = row.querySelector(".glyph"); return [getComputedStyle(glyph).color, glyph.firstElementChild.getAttribute("d")]""", name))


def names(page):
    return [name_of(cells) for cells in page.rows()]


def seconds(text):
    """Of "retry in 28 s" or "refresh in 4:59 min"."""
    match = re.search(r"in (?:(\d+):)?(\d+)", text)
    return int(match.group(1) or 0) * 60 + int(match.group(2)) if match else None


def counts_down(page, name):
    first = seconds(wait_row(page, name, Next=r" in \d")["Next"])
    until(lambda: (seconds(row(page, name).get("Next", "")) or first) < first, 5, lambda: f"less than {first} s: {row(page, name)}")


def test_a_state_changes_in_the_page_when_the_registrar_goes_and_when_it_comes(lab, page):
    api = lab.start("mgmtd", "switchcore").api()
    registrar = lab.kamailio()
    registrar.account("carrier-a", "secret")
    api.registration("carrier-a", registrar, register_period=600)
    page.at(lab).enter("#/registrations")
    wait_row(page, "carrier-a", State="^registered$", Answer="200 OK", Next="refresh in")
    page.see(".table .drain", like=r"^(9:|10:0)")  # of ten minutes
    good = glyph(page, "carrier-a")
    counts_down(page, "carrier-a")
    page.mark()
    registrar.stop()
    page.press("Register now carrier-a")
    wait_row(page, "carrier-a", State="^waiting$", Answer="no connection|no answer", Next=r"retry in \d")
    wait = glyph(page, "carrier-a")
    assert wait[0] != good[0] and wait[1] != good[1], "the state must differ in colour and in shape"
    counts_down(page, "carrier-a")
    registrar.start()
    page.press("Register now carrier-a")
    wait_row(page, "carrier-a", State="^registered$", Answer="200 OK")
    assert glyph(page, "carrier-a") == good and page.marked, "no new document was loaded"
    page.follow("carrier-a")
    page.see("h1", "carrier-a")
    page.says(".now .lead", "registered.*200 OK.*refresh in")
    page.says(".attempts tbody", "by hand")
    before = len(registrar.registers("carrier-a"))
    page.press("Register now carrier-a")
    until(lambda: len(registrar.registers("carrier-a")) > before, 5, "a REGISTER more at the registrar")


def test_the_list_is_sorted_and_filtered_and_the_address_keeps_it(lab, page):
    api = lab.start("mgmtd", "switchcore").api()
    registrar = lab.peer()
    for name, more in (("alpha", {}), ("bravo", {"enabled": False}), ("carrier-10", {"note": "of the north"}), ("carrier-9", {})):
        api.registration(name, registrar, **more)
    page.at(lab).enter("#/registrations")
    for name in ("alpha", "carrier-9", "carrier-10"):
        wait_row(page, name, State="^registered$")
    assert names(page) == ["alpha", "bravo", "carrier-9", "carrier-10"], "numbers in names are numbers"
    page.press("Name", inside=page.see(".table thead"))
    until(lambda: names(page) == ["carrier-10", "carrier-9", "bravo", "alpha"], 5, lambda: f"the other way round: {names(page)}")
    assert page.see("th[aria-sort]").get_attribute("aria-sort") == "descending"
    page.press("State", inside=page.see(".table thead"))
    until(lambda: names(page)[0] == "bravo", 5, lambda: f"by state: {names(page)}")
    page.press(like="^disabled 1$")
    until(lambda: names(page) == ["bravo"], 5, lambda: f"only the disabled: {names(page)}")
    page.says("[role=status].foot", "1 registration of 4")
    page.press(like="^all 4$")
    page.put(page.see("input[type=search]"), "north")
    until(lambda: names(page) == ["carrier-10"], 5, lambda: f"by its note: {names(page)}")
    page.driver.refresh()
    until(lambda: names(page) == ["carrier-10"], 8, lambda: f"the same from the address: {names(page)}")
    page.put(page.see("input[type=search]"), "nothing like it")
    page.see(".empty", "None is like that.")
    page.put(page.see("input[type=search]"), "carrier")
    api.delete("/registrations/carrier-9").expect(200)
    until(lambda: names(page) == ["carrier-10"], 5, lambda: f"without the deleted one: {names(page)}")


def test_a_lost_connection_is_said_and_the_states_are_live_when_it_is_back(lab, page):
    api = lab.start("mgmtd", "switchcore").api()
    registrar = lab.kamailio()
    registrar.account("carrier-a", "secret")
    api.registration("carrier-a", registrar)
    page.at(lab).enter("#/registrations")
    wait_row(page, "carrier-a", State="^registered$")
    page.gone(".banner")
    page.mark()
    page.expect("lost")
    lab.kill("mgmtd")
    page.says(".banner", r"Connection lost\. What you see is of \d\d:\d\d:\d\d; trying again")
    wait_row(page, "carrier-a")  # it is still there
    lab.start("mgmtd")
    page.gone(".banner", within=15)
    wait_row(page, "carrier-a", State="^registered$")
    registrar.refuse("carrier-a", 403, "Not Today")
    lab.api().post("/registrations/carrier-a/refresh").expect(202)
    wait_row(page, "carrier-a", State="^waiting$", Answer="Not Today")
    lab.api().registration("carrier-b", registrar, enabled=False)
    wait_row(page, "carrier-b", State="^disabled$")
    assert page.marked


def test_a_switch_that_is_down_leaves_no_state_green(lab, page):
    api = lab.start("mgmtd", "switchcore").api()
    api.registration("carrier-a", lab.peer())
    page.at(lab).enter("#/registrations")
    wait_row(page, "carrier-a", State="^registered$")
    good = glyph(page, "carrier-a")
    page.mark()
    lab.kill("switchcore")
    page.says(".banner", "The switch is down: states are the last known.*not running.*Changes are stored", within=10)
    wait_row(page, "carrier-a", State="^stale$")
    stale = glyph(page, "carrier-a")
    assert stale[0] != good[0] and stale[1] != good[1]
    page.follow("carrier-a")
    page.says(".now .lead", "^stale")
    page.go("#/")
    page.see(".tile .state", "down")
    page.go("#/registrations")
    lab.start("switchcore")
    page.gone(".banner", within=15)
    wait_row(page, "carrier-a", State="^registered$")
    assert glyph(page, "carrier-a") == good and page.marked


def test_ten_thousand_registrations_are_a_list_like_any_other(lab, page):
    api = lab.start("mgmtd", "switchcore").api()
    config = api.get("/config").expect(200).json
    config["registrations"] = [{"name": f"carrier-{i:05}", "server": "127.0.0.1", "port": 9, "username": f"user{i}", "enabled": False} for i in range(MANY)]
    api.put("/config", config, query={"wait": "applied", "timeout": 10}).expect(200)
    page.at(lab).enter("#/registrations")
    page.says("[role=status].foot", "^10,000 registrations$", within=20)
    assert page.see("table[aria-rowcount]").get_attribute("aria-rowcount") == str(MANY + 1)
    assert names(page)[0] == "carrier-00000" and 5 < len(page.rows()) < 100
    box = page.see(".table")
    page.js("arguments[0].scrollTop = arguments[0].scrollHeight / 2", box)
    until(lambda: f"carrier-{MANY // 2:05}" in names(page), 5, lambda: f"the middle: {names(page)}")
    page.js("arguments[0].focus()", box)
    page.keys(Keys.END)
    until(lambda: names(page)[-1] == f"carrier-{MANY - 1:05}", 5, lambda: f"the last: {names(page)}")
    last = page.see("tr[aria-rowindex='10001']")
    frame = page.js("const row = arguments[0].getBoundingClientRect(), box = arguments[1].getBoundingClientRect(); return [row.bottom, box.bottom, row.height]", last, box)
    assert frame[0] <= frame[1] + 1 and frame[2] == 44, frame
    assert len(page.rows()) < 100 and page.js("return document.querySelectorAll('*').length") < 2500
    page.put(page.see("input[type=search]"), "user777")
    page.says("[role=status].foot", "^11 registrations of 10,000$")  # user777, user7770 to user7779
    assert len(names(page)) == 11
    api.change("carrier-00777", note="changed meanwhile")
    page.says(".table", "changed meanwhile")
    stays(lambda: len(page.rows()) == 11, 0.5, "the filter holds")

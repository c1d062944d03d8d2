"""Every view: for those who cannot see well or use no mouse, on a phone, in the dark; and nothing on it that would be refused."""

import pytest
from selenium.webdriver.common.keys import Keys

from browser import PHONE, WIDE
from furniture import CARRIER, ROUTES, VIEWER
from until import until

pytestmark = pytest.mark.panel
CHANGES = r"^(Save|Create|Delete|New |Register now|Hang up|Restore|Bring it back|Make |Lock|Unlock|Add a rule|Apply|Reset |Look at the|Keep it)"
COLOURS = ("color-contrast", "link-in-text-block")
KINDS = ("registrations", "routing-gateways", "mapping-gateways")


@pytest.fixture
def inside(furnished, page):
    return page.at(furnished).enter()


def visit(page, lab, route):
    """The view, once it has all that it asked for."""
    page.go(ROUTES[route].format(revision=lab.revision))
    settle(page)


def settle(page):
    page.gone("#content [aria-busy=true]")
    until(lambda: page.js("""const last = performance.getEntriesByType("resource").filter(one => !one.name.endsWith("/events")).reduce((most, one) => Math.max(most, one.responseEnd), 0);
        return performance.now() - last > 250 || location.hash === "#/" """), 8, "rest")


def healthy(page, what):
    """What axe finds, light and dark, wide and on a phone, and whether it is wider than the window.  Colours do not hang on the width nor
    names on the colours: each rule sees both of both, not every pair."""
    found = []
    for colour, width, rules in (("light", WIDE, ()), ("dark", WIDE, COLOURS), ("dark", PHONE, ()), ("light", PHONE, COLOURS)):
        page.system(colour)
        page.size(width)
        until(lambda: page.js("return getComputedStyle(document.documentElement).colorScheme") == colour, 5, f"{colour} page")
        found += [f"{what}, {colour}, {width} px: {one}" for one in page.axe(*rules)]
        if page.overflow() > 0:
            found.append(f"{what}, {width} px: {page.overflow()} px wider than the window")
    return found


@pytest.fixture
def walker(furnished, browser):
    """A tab that goes from view to view over several tests."""
    if not browser.shows(walkers.get(browser)):
        walkers[browser] = browser.page().at(furnished).enter()
    yield walkers[browser]
    walkers[browser].clean()


walkers = {}


@pytest.mark.parametrize("route", ROUTES)
def test_axe_finds_nothing_in(route, furnished, walker):
    walker.size(WIDE)
    visit(walker, furnished, route)
    assert (walker.text("h1") == "Not here") == (route == "nowhere")
    found = healthy(walker, route)
    assert not found, "\n".join(found)


def test_axe_finds_nothing_at_the_log_in_and_in_the_dialogs(furnished, page):
    page.at(furnished).open()
    page.see(".credentials")
    found = healthy(page, "log-in")
    page.log_in(where=f"#/registrations/{CARRIER}")
    for button, title in (("Password", "Change your password"), ("Delete …", f"Delete registration {CARRIER}?")):
        page.size(WIDE)
        page.press(button)
        page.see("dialog h2", title)
        settle(page)
        found += healthy(page, title)
        page.keys(Keys.ESCAPE)
        page.gone("dialog")
    page.size(WIDE)
    page.put(page.see(".field[data-pointer='/note'] input"), "other")
    page.says(".savebar", "1 change")
    page.expect(422)
    page.put(page.see(".field[data-pointer='/server'] input"), "a b")
    page.see(".field .error")
    found += healthy(page, "a change with a wrong value")
    assert not found, "\n".join(found)


def press_all(page):
    """Every button of the view, and what unfolds; but not the ones around it."""
    page.js("""for (const one of document.querySelectorAll("#content summary")) one.parentElement.open = true;
        for (const one of document.querySelectorAll("#content button, #content [role=button]:not(a)")) if (!one.disabled) one.click();""")
    settle(page)
    page.js("for (const one of document.querySelectorAll('dialog button')) if (one.textContent !== 'Cancel') one.click()")
    settle(page)


def test_who_may_only_look_sees_nothing_that_would_be_refused(furnished, page):
    page.at(furnished).log_in(*VIEWER)
    page.see(".who", "vera viewer")
    for route in ROUTES:
        visit(page, furnished, route)
        assert not page.all("button, [role=button], input[type=submit]", like=CHANGES), route
        assert not page.js("""return [...document.querySelectorAll("form.object :is(input, select, textarea, button)")].filter(one => !one.disabled && one.type !== "search").map(one => one.outerHTML)"""), route
        assert bool(page.all("#content", like="This needs the role operator")) == route.startswith("new-"), route
        press_all(page)
        found = page.complaints()
        assert not found, (route, found)


def test_who_may_change_sees_what_the_viewer_does_not(furnished, inside):
    """Or the test above would look for what is called otherwise."""
    seen = set()
    for route in ("registrations", "registration", "gateways", "calls", "revision", "comparison", "new-routing-gateway"):
        visit(inside, furnished, route)
        seen |= {one.text.split("\n")[0] for one in inside.all("button, [role=button]", like=CHANGES)}
    assert {"New registration", "Register now", "Delete …", "Add a rule", "Hang up"} <= seen, seen


@pytest.mark.parametrize("kind", (*KINDS, "sip-parameters"))
def test_every_field_of_the_schema_has_its_editor_in_its_group(kind, furnished, inside):
    """From /schema alone: a field that is new there is on the page without a change of it."""
    described = next(one for one in furnished.api().get("/schema").expect(200)["kinds"] if one["kind"] == kind)
    inside.go("#/parameters" if kind == "sip-parameters" else f"#/new/{kind}")
    settle(inside)
    inside.js("for (const group of document.querySelectorAll('details.group')) group.open = true")
    shown = inside.js("""return [...document.querySelectorAll("details.group")].map(group => [group.querySelector("summary").textContent, [...group.querySelectorAll("[data-pointer]")].map(field => ({
        pointer: field.dataset.pointer, title: field.querySelector(".name").firstChild.data, text: field.textContent,
        editors: [...field.querySelectorAll("input, select, button, textarea")].filter(one => one.checkVisibility()).length,
        options: [...field.querySelectorAll(".choice label, option")].map(one => one.textContent.replace("★recommended", "").trim()).filter(Boolean) }))])""")
    groups = {}
    for field in described["fields"]:
        groups.setdefault(field["group"], []).append(field)
    titles = [group if group.startswith("sip/") and kind != "sip-parameters" else group.partition("/")[2] or group for group in groups]
    assert [title.lower() for title, _ in shown] == [title.replace("-", " ").replace("/", " ") for title in titles], "the groups, in their order"
    assert len(set(titles)) == len(titles)
    assert len(described["fields"]) > 5
    for (title, fields), expected in zip(shown, groups.values()):
        assert [one["pointer"] for one in fields] == [one["pointer"] for one in expected], title
        for one, field in zip(fields, expected):
            assert one["title"] == field["title"] and one["editors"], one
            if field["type"] in ("int", "int_or_keyword"):
                assert f"{field['min']}–{field['max']}" in one["text"], one
            if field["options"] and field["type"] != "int_or_keyword":
                assert [option["label"] for option in field["options"]] == one["options"], (one, field)


def focus(page):
    return page.js("const one = document.activeElement; return [one.tagName, one.className, (one.getAttribute('aria-label') || one.textContent).trim().slice(0, 60)]")


def test_it_can_all_be_reached_without_a_mouse(furnished, inside):
    inside.open("#/registrations").see("td a", CARRIER)
    inside.js("document.activeElement.blur()")
    inside.js("document.body.tabIndex = -1; document.body.focus()")
    inside.keys(Keys.TAB)
    assert focus(inside)[2] == "To the content" and inside.see(".skip").is_displayed()
    assert inside.js("return document.activeElement.getBoundingClientRect().left") >= 0
    inside.keys(Keys.ENTER)
    assert inside.js("return document.activeElement.id") == "content"
    seen = []
    for _ in range(40):
        inside.keys(Keys.TAB)
        seen.append(focus(inside))
        if seen[-1][0] == "A" and seen[-1][2] == CARRIER:
            break
    assert seen[-1][2] == CARRIER, seen
    words = [one[2] for one in seen]
    assert words.index("New registration") < next(i for i, one in enumerate(words) if one.startswith("Filter")) < words.index("Registrations"), words
    inside.keys(Keys.ENTER)
    inside.see("h1", CARRIER)
    until(lambda: inside.js("return document.activeElement.id") == "content", 5, "the new view in focus")


def test_a_dialog_keeps_the_focus_and_gives_it_back(furnished, inside):
    inside.go(f"#/registrations/{CARRIER}")
    opener = inside.button("Delete …")
    inside.js("arguments[0].focus()", opener)
    inside.keys(Keys.ENTER)
    inside.see("dialog h2", f"Delete registration {CARRIER}?")
    inside.see("dialog input[name=comment]")
    places = []
    for step in range(12):
        inside.keys(Keys.TAB) if step < 8 else inside.shift(Keys.TAB)
        places.append(inside.js("const one = document.activeElement; return one === document.body ? 'browser' : one.closest('dialog') ? 'dialog' : one.outerHTML"))
    assert set(places) <= {"dialog", "browser"} and places.count("dialog") > 6, places
    inside.keys(Keys.ESCAPE)
    inside.gone("dialog")
    assert inside.js("return document.activeElement === arguments[0]", opener)
    assert furnished.api().get(f"/registrations/{CARRIER}").status == 200


def test_the_colours_are_the_systems_or_those_that_were_chosen(furnished, page):
    background = "return getComputedStyle(document.documentElement).backgroundColor"
    page.at(furnished)
    page.system("dark")
    page.open().see(".credentials")
    dark = page.js(background)
    page.system("light")
    until(lambda: page.js(background) != dark, 5, "a light page")
    light = page.js(background)
    page.log_in()
    assert page.js(background) == light
    page.press(like="auto colours$")
    page.system("dark")
    page.see("button", like="light colours")
    assert page.js(background) == light, "light was chosen"
    page.press(like="light colours")
    until(lambda: page.js(background) == dark, 5, "a dark page")
    page.driver.refresh()
    page.see("button", like="dark colours")
    assert page.js(background) == dark, "the choice is kept"

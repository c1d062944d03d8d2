"""What the panel tells at a glance and what it advises: states, revisions and calls of the overview, troubles with their fix, presets."""

import re

import pytest

import peer as peers
from exchange import NUMBER
from test_advice import behind_nat, refresh, registered
from until import until

pytestmark = pytest.mark.panel


# ------------------------------------------------------------------ the overview

def counted(page):
    """{state: count} of the registrations."""
    return dict(re.fullmatch(r"(\w+) ([\d,]+)", one).groups() for one in page.js("return [...document.querySelectorAll('.states li')].map(one => one.innerText.replace(/\\s+/g, ' ').trim())"))


def wait_counted(page, **counts):
    wanted = {state: str(count) for state, count in counts.items()}
    until(lambda: counted(page) == wanted, 8, lambda: f"{wanted}: {counted(page)}")


def test_the_states_of_registrations_are_counted_as_they_change(exchange, page, at):
    first = registered(exchange, "trunk-a", peers.accept)
    registered(exchange, "trunk-b", peers.accept)
    registered(exchange, "trunk-c", peers.refusing(403), state="waiting")
    at("#/")
    wait_counted(page, registered=2, waiting=1)
    page.says(".tile", "2 of 3 registered")
    page.mark()
    first.answer = peers.refusing(503)
    refresh(exchange.api, "trunk-a")
    wait_counted(page, registered=1, waiting=2)
    exchange.change("registrations", "trunk-c", enabled=False)
    wait_counted(page, registered=1, waiting=1, disabled=1)
    page.says(".tile", "1 of 3 registered")
    widths = page.js("return Object.fromEntries([...document.querySelectorAll('.bar .part')].map(one => [one.className.replace('part ', ''), Math.round(one.getBoundingClientRect().width)]))")
    assert set(widths) == {"registered", "waiting", "disabled"} and max(widths.values()) - min(widths.values()) <= 4, widths
    assert page.marked
    page.acting(lambda: page.see(".states a", like="^waiting").click())
    page.see("h1", "Registrations")
    page.says("[role=status].foot", "^1 registration of 3$")


def test_what_is_stored_and_what_the_switch_applied_are_level_or_say_by_how_much_not(exchange, page, at):
    exchange.gateway("carrier")
    level = exchange.api.get("/status")["mgmtd"]["stored_revision"]
    at("#/")
    page.says(".pipeline", rf"^stored r{level} published #\d+ applied r{level}$")
    page.says(".tile", "The switch runs what is stored")
    exchange.lab.switchcore.pause()
    try:
        exchange.api.patch("/routing-gateways/carrier", note="unheard").expect(200)
        page.says(".tile:has(.behind)", rf"stored r{level + 1} published #\d+ applied r{level} The switch is 1 revision behind")
    finally:
        exchange.lab.switchcore.resume()
    page.says(".pipeline", rf"applied r{level + 1}$")
    page.gone(".pipeline .behind")
    page.says(".tile", "The switch runs what is stored")
    page.follow(f"r{level + 1}")
    page.says("#content", "unheard")


def test_calls_are_counted_while_they_are_up(exchange, page, at):
    caller, callee = exchange.caller("office"), exchange.gateway("carrier")
    at("#/")
    page.says(".tile.full", "^Calls 0 now")
    call, leg = exchange.talking(caller, callee)
    page.says(".tile.full", "^Calls 1 now")
    exchange.talking(caller, callee)
    page.says(".tile.full", "^Calls 2 now")
    call.request("BYE")
    leg.hung_up()
    page.says(".tile.full", "^Calls 1 now")


# ------------------------------------------------------------------ troubles

def test_a_trouble_is_told_with_its_cause_and_mended_from_the_page(exchange, page, at):
    registrar = registered(exchange, "trunk", behind_nat)
    revision = exchange.api.get("/revisions")["items"][0]["revision"]
    at("#/")
    page.says(".advices h2", "What needs attention 1")
    page.acting(lambda: page.see("details.advice summary").click())
    page.says("details.advice", "198.51.100.7.*3600 s")
    links = {one.text: page.js("return arguments[0].getAttribute('href')", one) for one in page.all("details.advice a")}
    assert links["registration trunk"] == "#/registrations/trunk" and len(links) > 1, links
    for name, href in links.items():
        page.go(href)
        page.gone("#content [aria-busy=true]")
        page.says("#content", "trunk")
        assert page.text("h1") != "Not here" and not page.all(".fault"), (name, href)
    page.go("#/")
    page.acting(lambda: page.see("details.advice summary").click())
    page.press("Look at the fix …")
    dialog = page.see("dialog")
    page.says("dialog .effects", "1 registration will re-register: trunk")
    page.says("dialog .diff", "changed registration trunk")
    assert exchange.api.get("/revisions")["items"][0]["revision"] == revision, "looking is not changing"
    page.put(page.see("dialog input[name=comment]"), "as advised")
    page.press("Apply the fix", inside=dialog)
    page.gone("dialog")
    page.gone("details.advice")
    page.says(".advices", "Nothing: no trouble is known")
    newest = exchange.api.get("/revisions")["items"][0]
    assert (newest["revision"], newest["comment"]) == (revision + 1, "as advised")
    until(lambda: registrar.registers()[-1].contact_expires == 180, 3, "REGISTER with 180")


def test_a_trouble_stands_on_the_page_of_its_object_and_comes_and_goes_by_itself(exchange, page, at):
    registrar = registered(exchange, "trunk", peers.refusing(503), state="waiting")
    exchange.gateway("carrier", registration="trunk")
    at("#/routing-gateways/carrier")
    page.acting(lambda: page.see("details.advice.critical summary").click())
    page.says("details.advice.critical", "trunk.*waiting")
    assert not page.all("button", "Look at the fix …", inside=page.see("details.advice.critical")), "only the provider can mend it"
    registrar.answer = peers.accept
    refresh(exchange.api, "trunk")
    page.gone("details.advice.critical")


# ------------------------------------------------------------------ scenarios of registrations, and what values mean

def field(page, name):
    return page.see(f".field[data-pointer='/{name}']")


def number(page, name):
    return field(page, name).find_element("css selector", "input.number")


def test_a_scenario_fills_the_form_and_what_its_values_mean_stands_beside_them(exchange, page, at):
    registrar = registered(exchange, "trunk", peers.accept)
    at("#/registrations/trunk")
    page.acting(lambda: page.see(".presets summary").click())
    page.press(like="^Behind NAT")
    assert (number(page, "register_period").get_attribute("value"), number(page, "retry_delay").get_attribute("value")) == ("180", "45")
    page.says(".presets summary", "Scenario Behind NAT")
    page.says(".savebar", r"2 changes\. 1 registration will re-register: trunk\.")
    page.says(".field[data-pointer='/register_period'] .hint", "^Refresh at 90 s, sooner if the registrar grants less")
    page.put(number(page, "register_period"), "300")
    page.says(".field[data-pointer='/register_period'] .hint", "^Refresh at 150 s")
    page.put(number(page, "retry_delay"), "30")
    page.says(".field[data-pointer='/retry_delay'] .hint", "^First retry after 30 s; 5 tries take 150 s; load higher; best for mission-critical trunks")
    page.says(".presets summary", "Scenario")
    page.put(number(page, "register_period"), "10")
    page.expect(422)
    page.gone(".field[data-pointer='/register_period'] .hint")
    page.says(".field[data-pointer='/register_period'] .error", "got 10$")
    page.put(number(page, "register_period"), "300")
    page.gone(".field .error")
    page.press("Save", inside=page.see(".savebar"))
    page.says(".savebar .saved", r"Saved as revision \d+\. The switch has acted on it\.")
    stored = exchange.api.get("/registrations/trunk").expect(200)
    assert (stored["register_period"], stored["retry_delay"]) == (300, 30)
    until(lambda: registrar.registers()[-1].contact_expires == 300, 3, "REGISTER with 300")


def test_a_new_registration_begins_with_a_scenario(exchange, page, at):
    registrar = exchange.lab.peer()
    page.expect(422)
    at("#/new/registrations")
    page.press(like="^Unstable link")
    page.fill("Name *", "fresh")
    for name, value in (("server", registrar.host), ("port", str(registrar.port)), ("username", "fresh"), ("password", "secret")):
        page.put(field(page, name).find_element("css selector", "input"), value)
    exchange.made.append(("registrations", "fresh"))
    page.press("Create", inside=page.see(".savebar"))
    page.see("h1", "fresh")
    stored = exchange.api.get("/registrations/fresh").expect(200)
    assert (stored["register_period"], stored["retry_delay"]) == (90, 30)
    assert registrar.wait_for_register("fresh").contact_expires == 90
    page.says(".presets summary", "Scenario Unstable link")

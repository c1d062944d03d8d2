"""Gateways in the panel: why one takes no calls, what a call would become, and whether the next real one became that."""

import re

import pytest

import peer as peers
from exchange import NUMBER
from sip import user_of
from test_advice import REWRITE, refresh, registered
from until import until

pytestmark = pytest.mark.panel
ROUTED = "99" + NUMBER
CALLER = "4930111"


def row(name, kind="routing-gateways"):
    return f".gateways tr:has(a[href='#/{kind}/{name}'])"


def steps(page):
    """What each step of a number's way says, by its verb; there are two rewritings."""
    return page.js("""return [...document.querySelectorAll(".numbers .step")].map(step => step.innerText.replace(/\\s+/g, " ").trim())""")


def step(page, number, like):
    return until(lambda: (said := steps(page))[number:] and re.search(like, said[number], re.I), 8, lambda: f"{like!r} as step {number} of {steps(page)}")


def written(page):
    """The table of what is written where: {field: {mode: number}}, the fields that are marked, and the mode in force."""
    return page.js("""const table = document.querySelector(".written"), titles = [...table.tHead.rows[0].cells].slice(1), first = node => node.firstChild.data;
        const digits = cell => cell.querySelector(".digits").textContent, name = row => [...row.cells[0].childNodes].filter(node => node.nodeType === 3).map(node => node.data).join("").trim();
        const rows = [...table.tBodies[0].rows];
        return [Object.fromEntries(rows.map(row => [name(row), Object.fromEntries(titles.map((title, i) => [first(title), digits(row.cells[i + 1])]))])),
            rows.filter(row => row.querySelector("[aria-label=differs]")).map(name), titles.filter(title => title.querySelector(".in-force")).map(first)]""")


def compared(page):
    """Of the two INVITEs side by side: [off, on] of each line that is marked, of those that are not, and the mode in force."""
    return page.js("""const table = document.querySelector(".compared"), line = cell => [...cell.childNodes].filter(node => node.nodeType === 3).map(node => node.data).join("");
        const rows = [...table.tBodies[0].rows], pair = row => [line(row.cells[1]), line(row.cells[2])], marked = row => Boolean(row.querySelector("[aria-label=differs]"));
        const titles = [...table.tHead.rows[0].cells].slice(1);
        return [rows.filter(marked).map(pair), rows.filter(row => !marked(row)).map(pair), titles.map(title => title.firstChild.data), titles.filter(title => title.querySelector(".in-force")).map(title => title.firstChild.data)]""")


def test_the_list_tells_who_takes_calls_and_why_the_others_do_not(exchange, page, at):
    registrar = registered(exchange, "trunk", peers.refusing(503), state="waiting")
    exchange.caller("office")
    exchange.gateway("good")
    exchange.gateway("locked", locked=True)
    exchange.gateway("through-trunk", registration="trunk")
    exchange.gateway("off", enabled=False)
    at("#/gateways")
    page.says(row("good"), r"^takes calls good")
    page.says(row("office", "mapping-gateways"), r"^takes calls office")
    page.says(row("locked"), r"^locked until it is unlocked locked")
    page.says(row("off"), r"^disabled in its settings off")
    page.says(row("through-trunk"), r"^no calls registration waiting: 503, next attempt")
    shapes = {name: page.js("return [...document.querySelectorAll(arguments[0] + ' td:first-child .glyph *')].map(one => one.getAttribute('d')).join()", row(name)) for name in ("good", "locked", "off", "through-trunk")}
    assert len(set(shapes.values())) == 4, f"each state has a shape of its own: {shapes}"
    page.mark()
    registrar.answer = peers.accept
    refresh(exchange.api, "trunk")
    page.says(row("through-trunk"), r"^takes calls through-trunk")
    exchange.change("registrations", "trunk", enabled=False)
    page.says(row("through-trunk"), r"^no calls registration disabled")
    page.acting(lambda: page.see(f"{row('through-trunk')} .why-not a").click())
    page.see("h1", "trunk")
    page.says(".now .lead", "^disabled")
    page.go("#/routing-gateways/through-trunk")
    page.says(".now .lead", "^no calls Its registration trunk is disabled")
    page.follow("registration", inside=page.see(".now .lead"))
    page.see("h1", "trunk")
    assert page.marked


def test_a_call_before_it_is_made_is_the_one_that_is_made(exchange, page, at):
    caller = exchange.caller("office")
    callee = exchange.gateway("carrier", callee_rewrite=REWRITE).always(486)
    exchange.wait_status("carrier", routable=True)
    at("#/routing-gateways/carrier")
    page.says(".outcome", f"It goes to udp:{callee.host}:{callee.port}, through carrier; invite_use_contact is off")
    assert (page.labelled("Callee").get_attribute("value"), page.labelled("Caller").get_attribute("value")) == (NUMBER, CALLER)
    step(page, 0, rf"^Read office callee {NUMBER} from To caller {CALLER} from From$")
    step(page, 1, rf"^Rewrite office callee {NUMBER} no rules: unchanged caller {CALLER}")
    step(page, 2, rf"^Route carrier callee {NUMBER} prefix 880, priority \d+$")
    step(page, 3, rf"^Rewrite carrier callee {ROUTED} rule 880 → 99880 caller {CALLER}")
    assert page.text(".numbers ins") == "99880" and page.text(".numbers .matched") == "880"
    step(page, 4, "^Write carrier")
    numbers, differ, in_force = written(page)
    assert numbers["Request line"] == {"off": ROUTED, "on": ROUTED} and numbers["To"] == {"off": ROUTED, "on": NUMBER}
    assert numbers["From"] == {"off": CALLER, "on": CALLER} and differ == ["To"] and in_force == ["off"]
    marked, same, titles, in_force = compared(page)
    assert [[user_of(line) for line in pair] for pair in marked] == [[ROUTED, NUMBER]] and all(line.startswith("To: ") for line in marked[0])
    assert titles == ["off", "on"] and in_force == ["off"]
    assert [pair[0] for pair in same if pair[0].startswith("INVITE ")] == [f"INVITE sip:{ROUTED}@{callee.host}:{callee.port} SIP/2.0"]
    for mode, to in (("off", ROUTED), ("on", NUMBER)):
        exchange.change("routing-gateways", "carrier", sip={"invite_use_contact": mode})
        page.says(".outcome", f"invite_use_contact is {mode}")
        assert written(page)[2] == compared(page)[3] == [mode]
        caller.invite(NUMBER).invite.expect(486)
        invite = callee.incoming().invite
        assert (user_of(invite.uri), user_of(invite["to"])) == (written(page)[0]["Request line"][mode], written(page)[0]["To"][mode]) == (ROUTED, to)
    page.fill("Callee", "8807777")
    step(page, 3, "callee 998807777")
    page.gone(".numbers .digits", text=ROUTED)


def test_a_call_that_would_be_refused_is_told_with_the_code_and_who_was_passed_over(exchange, page, at):
    exchange.caller("office", denied_prefixes=["900"])
    registered(exchange, "trunk", peers.refusing(503), state="waiting")
    exchange.gateway("locked", locked=True)
    exchange.gateway("through-trunk", registration="trunk")
    exchange.wait_status("locked", routable=False)
    exchange.wait_status("through-trunk", routable=False)
    at("#/mapping-gateways/office")
    page.fill("Callee", NUMBER)
    page.says(".outcome", "Refused with 503: ")
    route = step(page, 2, "^Route .*passed over").string
    assert re.search(r"locked locked", route) and re.search(r"through-trunk registration trunk waiting: 503", route), route
    assert {one.get_attribute("href").rpartition("#")[2] for one in page.all(".skipped a")} == {"/routing-gateways/locked", "/routing-gateways/through-trunk"}
    step(page, 3, "^Refused 503 .*Nothing would be sent")
    assert not page.all(".compared") and not page.all(".written")
    page.fill("Callee", "9001")
    page.says(".outcome", "Refused with 403: ")
    page.fill("Callee", "77")
    page.says(".outcome", "Refused with 404: ")
    assert not page.all(".skipped li")
    exchange.change("routing-gateways", "locked", locked=False)
    page.fill("Callee", NUMBER)
    page.says(".outcome", "through locked")


def verified(page, make):
    """Presses Verify and makes calls until one is seen: of one before the watch has begun nobody can tell."""
    page.press("Verify with the next real call")
    page.says(".watching", f"Make the call now: {NUMBER} from {CALLER} through office")

    def seen():
        make()
        try:
            return until(lambda: page.all(".verified"), 0.5, "result")
        except AssertionError:
            return None
    until(seen, 10, "result of the watch")
    return {cells[0]: cells[1:] for cells in page.js("return [...document.querySelectorAll('.verified tbody tr')].map(row => [...row.cells].map(cell => cell.innerText.trim()))")}


def test_the_next_real_call_is_compared_with_what_was_meant(exchange, page, at):
    caller = exchange.caller("office")
    callee = exchange.gateway("carrier", callee_rewrite=REWRITE).always(486)
    exchange.wait_status("carrier", routable=True)
    at("#/routing-gateways/carrier?show=verify")
    page.says(".outcome", "through carrier")

    def call(**options):
        caller.invite(NUMBER, **options).invite.expect(486)
    fields = verified(page, call)
    page.says(".verify", "All is as expected")
    assert {match for _, _, match in fields.values()} == {"as expected"}, fields
    assert fields["Number in the request line"][:2] == fields["Number in To"][:2] == [ROUTED, ROUTED]
    assert fields["Sent to"][:2] == [f"udp:{callee.host}:{callee.port}"] * 2
    fields = verified(page, lambda: call(caller="4930222"))
    assert fields["Number in From"] == [CALLER, "4930222", "differs"]
    assert [name for name, (_, _, match) in fields.items() if match != "as expected" and not name.startswith("Number in Contact")] == ["Number in From"], fields
    page.says(".verify", r"\d of \d+ differ")
    page.follow("its SIP messages")
    page.see("h1", "Trace")
    page.says(".rung", r"from carrier|INVITE")


def test_the_checklist_follows_what_real_calls_show(exchange, page, at):
    def states():
        return page.js("return [...document.querySelectorAll('.checklist .check')].map(one => one.className.replace('check ', ''))")
    caller = exchange.caller("office")
    exchange.gateway("carrier", callee_rewrite=REWRITE).always(486)
    at("#/routing-gateways/carrier")
    until(lambda: states() == ["manual", "manual", "done", "done", "done", "done", "todo", "todo"], 8, lambda: f"eight items before the first call: {states()}")
    page.says(".checklist h2", "4 of 8 done")
    page.says(".check:nth-child(7)", "^to do .*No call went there in the last hour: make one")
    page.says(".check:nth-child(3)", "^done Reply address socket, as recommended")
    call = caller.invite(NUMBER)
    call.refused(486)
    record = exchange.cdr(call)
    page.press("Check again")
    until(lambda: states() == ["done"] * 7 + ["manual"], 5, lambda: f"seven done by a call: {states()}")
    page.says(".checklist h2", "7 of 8 done")
    page.says(".check:nth-child(7)", f"^done .*{ROUTED}")
    page.says(".check:nth-child(8)", f"^by hand .*{ROUTED}")
    page.follow("SIP messages", inside=page.see(".check:nth-child(7) .evidence"))
    page.see("h1", "Trace")
    page.says(".rung", "to Tandem: 486 Busy Here to INVITE|from .* to .*: INVITE")
    page.go("#/routing-gateways/carrier")
    page.acting(lambda: page.see(f".check:nth-child(8) .evidence a[href*='{record['id']}']").click())
    page.says("dialog", f"Routed {ROUTED}")


def test_a_gateways_preset_and_a_mapping_gateway_are_one_change(exchange, page, at):
    exchange.caller("office")
    exchange.caller("other")
    exchange.gateway("carrier")
    newest = exchange.api.get("/revisions")["items"][0]["revision"]
    at("#/routing-gateways/carrier")
    page.acting(lambda: page.see(".presets summary").click())
    page.press(like="^Legacy, routes on the request line")
    page.acting(lambda: page.labelled("office", page.see("fieldset.mappings")).click())
    page.press("Look at the change …")
    page.see("dialog h2", "Legacy, routes on the request line")
    page.says("dialog .diff", "changed routing gateway carrier .*changed mapping gateway office|changed mapping gateway office .*changed routing gateway carrier")
    page.press("Apply", inside=page.see("dialog"))
    page.says(".presets .saved", rf"Saved as revision {newest + 1}\. The switch has acted on it\.")
    changes = exchange.api.get("/revisions")["items"]
    assert changes[0]["revision"] == newest + 1
    assert sorted((one["kind"], one["name"]) for one in changes[0]["changes"]) == [("mapping-gateways", "office"), ("routing-gateways", "carrier")]
    assert exchange.api.get("/routing-gateways/carrier")["sip"]["invite_use_contact"] == "on"
    assert [exchange.api.get(f"/mapping-gateways/{name}")["sip"]["callee"] for name in ("office", "other")] == ["request_line", "to"]
    page.says(".outcome", "invite_use_contact is on")
    page.js("for (const group of document.querySelectorAll('details.group')) group.open = true")
    chosen = "return document.querySelector(\".field[data-pointer='/sip/invite_use_contact'] input:checked\").closest('label').innerText.trim()"
    until(lambda: page.js(chosen) == "On", 5, lambda: f"the form has what was stored: {page.js(chosen)}")
    assert not page.all(".savebar")


def test_the_calls_of_a_gateway_count_while_they_are_up(exchange, page, at):
    caller = exchange.caller("office")
    callee = exchange.gateway("carrier", capacity=2)
    at("#/gateways")
    calls = f"{row('carrier')} td.gw-calls"
    page.says(calls, "^0 / 2$")
    heights = lambda: page.js("return (document.querySelector(arguments[0])?.getAttribute('points') || '').split(' ').map(point => point.split(',')[1]).filter(Boolean)", f"{row('carrier')} .spark polyline")
    until(lambda: len(set(heights())) == 1, 8, lambda: f"a flat line of no calls: {heights()}")
    call, leg = exchange.talking(caller, callee)
    page.says(calls, "^1 / 2$")
    until(lambda: float(heights()[-1]) < float(heights()[0]), 5, lambda: f"a line that rises: {heights()}")
    page.says(f"{row('office', 'mapping-gateways')} td.gw-calls", "^1$")
    second, other = exchange.talking(caller, callee)
    page.says(calls, "^2 / 2$")
    page.says(row("carrier"), "^no calls all its calls are in use")
    page.go("#/routing-gateways/carrier")
    page.says(".now .facts", "Calls now 2 / 2")
    for one, its in ((call, leg), (second, other)):
        one.request("BYE")
        its.hung_up()
    page.says(".now .facts", r"Calls now 0 / 2 .*2 calls, 2 answered")
    page.says(".now .lead", "^takes calls")
    page.go("#/gateways")
    page.says(calls, "^0 / 2$")

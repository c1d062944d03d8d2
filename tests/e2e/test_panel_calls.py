"""Calls in the panel: one that is up, its end, its record, and its messages as a ladder."""

import re

import pytest
import tshark
from selenium.webdriver.common.keys import Keys

from browser import PHONE
from dialog import ANSWER
from exchange import NUMBER
from furniture import VIEWER
from test_advice import REWRITE
from until import stays, until

pytestmark = pytest.mark.panel
ROUTED = "99" + NUMBER
CALLER = "4930111"


@pytest.fixture
def ends(exchange):
    """(caller, callee), each with its gateway."""
    return exchange.caller("office"), exchange.gateway("carrier", callee_rewrite=REWRITE)


def lasted(page):
    """Seconds of the only call."""
    minutes, seconds = page.says(".table td.lasts", r"(\d+):(\d\d)").groups()
    return int(minutes) * 60 + int(seconds)


def test_a_call_is_seen_from_its_first_ring_to_its_record(exchange, ends, page, at):
    at("#/calls")
    page.see(".empty", "There is no call.")
    page.mark()
    call, leg = exchange.ringing(*ends)
    page.says(".table tbody tr", rf"^ringing {CALLER} {NUMBER} → {ROUTED} office carrier")
    assert page.text(".table td.lasts") == "", "it is not answered yet"
    leg.reply(200, body=ANSWER)
    call.answered()
    leg.expect("ACK")
    page.says(".table tbody tr", "^answered")
    first = lasted(page)
    until(lambda: lasted(page) > first, 5, "a longer call")
    page.says(".foot", "^1 call now")
    page.press(like="^Hang up")
    page.see("dialog h2", "Hang up this call?")
    page.says("dialog", f"{CALLER} → {NUMBER}, answered")
    page.press("Leave it")
    page.gone("dialog")
    leg.hears_nothing("BYE")
    assert exchange.call(call, phase="answered")
    page.press(like="^Hang up")
    page.press("Hang up", inside=page.see("dialog"))
    leg.hung_up()
    call.hung_up()
    page.gone("dialog")
    page.see(".empty", "There is no call.")
    record = exchange.cdr(call)
    page.follow("Records")
    page.says(".table tbody tr", rf"200 OK {CALLER} {NUMBER} → {ROUTED} office carrier .*switch$")
    page.press(like="details$")
    page.says("dialog", rf"Request-URI in {NUMBER} To in {NUMBER} Callee as taken {NUMBER} Original {NUMBER} Routed {ROUTED} To out {ROUTED} Callee for billing {ROUTED}")
    page.says("dialog", f"{record['call_id_in']}.*{record['call_id_out']}")
    shown = float(page.says("dialog", r"Duration ([\d.]+) s").group(1))
    assert abs(shown - record["duration_ms"] / 1000) <= 0.06 and shown >= 1, (shown, record["duration_ms"])
    assert page.marked


def test_who_may_only_look_cannot_hang_up(exchange, ends, page):
    exchange.api.post("/users", username=VIEWER[0], password=VIEWER[1], role="viewer").expect(201)
    exchange.talking(*ends)
    page.at(exchange.lab).log_in(*VIEWER, where="#/calls")
    page.says(".table tbody tr", "^answered")
    page.see("a", like="^Ladder")
    assert not page.all("button", like="Hang up")


def test_the_list_of_calls_is_filtered_by_gateway_and_number(exchange, ends, page, at):
    caller, callee = ends
    exchange.talking(caller, callee)
    exchange.talking(caller, callee, "8805550000")
    other = exchange.caller("branch")
    exchange.talking(other, callee, "8806660000")
    at("#/calls")
    numbers = lambda: sorted(cells["To"].split("\n")[0] for cells in page.rows())
    until(lambda: len(numbers()) == 3, 8, lambda: f"three calls: {numbers()}")
    page.put(page.labelled("Number"), "99880555")
    until(lambda: numbers() == ["8805550000"], 5, lambda: f"by what it was rewritten to: {numbers()}")
    page.go("#/calls?gateway=branch")
    until(lambda: numbers() == ["8806660000"], 5, lambda: f"by the gateway: {numbers()}")
    page.says(".foot", "^1 of 3 calls now")


# ------------------------------------------------------------------ the ladder

def rungs(page):
    """[(from, to, what)] as they are said to who does not see the arrows."""
    said = page.js("return [...document.querySelectorAll('.rung > .hidden-text')].map(one => one.textContent)")
    return [re.fullmatch(r"[+−][\d.:]+ s, from (.*) to (\S*): (.*)", one).groups() for one in said]


def wait_rungs(page, count):
    return until(lambda: len(found := rungs(page)) == count and found, 8, lambda: f"{count} messages: {rungs(page)}")


def arrows(page):
    """[from, to] of each arrow as it is drawn, in pixels."""
    return page.js("""return [...document.querySelectorAll(".rung .hop > line")].map(one => [Number(one.getAttribute("x1")), Number(one.getAttribute("x2"))])""")


def fits(page):
    """There is nothing to scroll sideways in the ladder."""
    return page.js("const box = document.querySelector('.ladder'); return box.scrollWidth <= box.clientWidth")


def detail(page, what):
    page.see(".detail h2", like=f"^{what}")
    return page.js("return document.querySelector('.detail .message').textContent")


def whole(message):
    """As the panel shows a message: what ends a line does not matter."""
    return message.replace("\r\n", "\n").strip()


IN, OUT = ("office", "Tandem"), ("Tandem", "carrier")
CALL = [(*IN, "INVITE"), ("Tandem", "office", "100 Trying to INVITE"), (*OUT, "INVITE"), ("carrier", "Tandem", "180 Ringing to INVITE"),
        ("Tandem", "office", "180 Ringing to INVITE"), ("carrier", "Tandem", "200 OK to INVITE"), ("Tandem", "office", "200 OK to INVITE")]
END = [(*IN, "BYE"), ("Tandem", "office", "200 OK to BYE"), (*OUT, "BYE"), ("carrier", "Tandem", "200 OK to BYE")]


def test_the_ladder_of_a_call_has_its_messages_in_order_on_three_lines(exchange, ends, page, at, tmp_path):
    call, leg = exchange.talking(*ends)
    page.expect(404)  # a call that is over is asked for once more; then its record
    at("#/calls")
    page.acting(lambda: page.see("a", like="^Ladder").click())
    page.says("[role=status].foot", f"^9 messages of the call from {CALLER} to {NUMBER}, and those that come")
    shown = wait_rungs(page, 9)
    assert shown == [*CALL, (*IN, "ACK"), (*OUT, "ACK")], shown
    assert page.js("return [...document.querySelectorAll('.lanes .lane b')].map(one => one.textContent)") == ["office", "Tandem", "carrier"]
    page.mark()
    call.request("BYE")
    leg.hung_up()
    shown = wait_rungs(page, 13)
    assert shown[9:] == END, shown
    assert page.marked, "what follows comes without a new document"
    drawn = arrows(page)
    lines = sorted({x for pair in drawn for x in pair})
    centre = {x for x in lines if all(x in pair for pair in drawn)}
    assert len(centre) == 1 and min(lines) < min(centre) < max(lines), f"every arrow begins or ends at the switch: {drawn}"
    for (start, end, what), (x1, x2) in zip(shown, drawn):
        assert (x1 < x2) == ((start, end) in (IN, OUT)), (start, end, what, x1, x2)
    assert fits(page), "three lines have room"
    exchange.cdr(call)

    # One in full, by the pointer and by the keys.
    kept = exchange.api.get("/trace", call_id=f"{call.call_id},{leg.call_id}", limit=100)["items"]
    page.acting(lambda: page.see(".rungs li:nth-child(3) button").click())
    text = detail(page, "INVITE")
    assert fits(page), "beside the message three lines have room"
    assert whole(text) == whole(leg.invite.raw.decode()), f"the message as the callee got it:\n{text}"
    page.says(".detail .foot", "^3 of 13 ")
    for key, number in ((Keys.ARROW_DOWN, 4), (Keys.ARROW_DOWN, 5), (Keys.ARROW_UP, 4), (Keys.END, 13), (Keys.HOME, 1), ("j", 2), ("k", 1)):
        page.keys(key)
        page.says(".detail .foot", f"^{number} of 13 ")
        assert whole(page.js("return document.querySelector('.detail .message').textContent")) == whole(kept[number - 1]["message"])
        until(lambda: page.js("return document.activeElement.closest('li')?.getAttribute('aria-posinset')") == str(number), 3, f"the focus on rung {number}")
    page.keys(Keys.END)
    page.says(".detail", "Answers BYE after")
    page.press("BYE", inside=page.see(".detail"))
    page.see(".detail h2", "BYE")

    # The same as a file.
    page.cdp("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(tmp_path))
    page.press("Download pcap")
    file = tmp_path / "tandem.pcap"
    until(file.exists, 8, "tandem.pcap")
    packets = tshark.packets(file, "sip.Call-ID", "sip.Method", "sip.Status-Code")
    assert len(packets) == 13 and {packet[0] for packet in packets} == {call.call_id, leg.call_id}, packets
    assert tshark.faults(file) == ""
    page.press("Download text")
    until((tmp_path / "tandem.txt").exists, 8, "tandem.txt")
    assert (tmp_path / "tandem.txt").read_text().count("SIP/2.0\n") + (tmp_path / "tandem.txt").read_text().count("\nSIP/2.0 ") == 13


def test_a_message_that_was_sent_again_is_marked_and_a_record_leads_to_its_ladder(exchange, ends, page, at):
    caller, callee = ends
    call = caller.invite(NUMBER)
    leg = callee.incoming()
    call.invite.again()
    leg.reply(486)
    call.refused(486)
    exchange.cdr(call)
    at("#/calls?view=records&code=486")
    page.says(".table tbody tr", "486 Busy Here")
    page.press(like="details$")
    page.follow("Ladder", inside=page.see("dialog"))
    page.see("h1", "Trace")
    shown = until(lambda: any(what == "INVITE, sent again" for _, _, what in rungs(page)) and rungs(page), 8, lambda: f"an INVITE again: {rungs(page)}")
    assert ("office", "Tandem", "INVITE, sent again") in shown and ("carrier", "Tandem", "486 Busy Here to INVITE") in shown, shown
    number = next(i for i, one in enumerate(shown) if one[2] == "INVITE, sent again") + 1
    page.acting(lambda: page.see(f".rungs li:nth-child({number}) button").click())
    page.says(".detail", "Sent again .* after the first")
    page.size(PHONE)
    stays(lambda: page.overflow() <= 0, 0.3, "a ladder as wide as the window on a phone")


def test_the_ladder_of_a_registration_with_a_challenge_goes_on_by_itself(exchange, page, at):
    registrar = exchange.lab.kamailio("challenger")
    registrar.account("trunk", "secret")
    exchange.make("registrations", "trunk", server=registrar.host, port=registrar.port, username="trunk", password="secret")
    exchange.api.wait_for_state("trunk", "registered")
    at("#/registrations/trunk")
    page.follow("SIP messages")
    asked, challenged, answered = ("Tandem", "trunk", "REGISTER"), ("trunk", "Tandem", "401 Unauthorized to REGISTER"), ("trunk", "Tandem", "200 OK to REGISTER")
    assert wait_rungs(page, 4) == [asked, challenged, asked, answered]
    page.mark()
    stays(lambda: len(rungs(page)) == 4, 0.3, "nothing new")
    page.labelled("Follow").click()
    exchange.api.post("/registrations/trunk/refresh", query={"wait": "outcome"}).expect(200)
    shown = until(lambda: len(rungs(page)) > 4 and rungs(page)[-1] == answered and rungs(page), 5, lambda: f"a new REGISTER: {rungs(page)}")
    assert shown[:4] == [asked, challenged, asked, answered] and shown[4] == asked, shown
    page.acting(lambda: page.see(".rungs li:nth-child(3) button").click())
    text = detail(page, "REGISTER")
    assert "Authorization: Digest" in text and re.search(r"Authorization: .*\*", text) and "response=\"" not in re.sub(r'response="\*+"', "", text), text
    tones = page.js("return [...document.querySelectorAll('.rung .what')].slice(0, 4).map(one => one.className)")
    assert len({tones[0], tones[1], tones[3]}) == 3 and tones[0] == tones[2], tones
    page.mark()
    page.driver.refresh()
    assert wait_rungs(page, len(shown)) == shown and page.labelled("Follow").is_selected(), "the address keeps what is looked at"

"""What mgmtd shows of real calls, and what it has the switch do with them."""

import re
import threading

import pytest
import tshark
from dialog import ANSWER
from exchange import NUMBER
from test_events import Listener
from until import until

pytestmark = pytest.mark.threads


def stripped(message, *more):
    """Without what is another one in every message: branch, Call-ID, tag of From, CSeq, and these headers."""
    message = re.sub(r"branch=[^;,\s]*", "branch=", message)
    message = re.sub(r"(?m)^(From:.*);tag=[^;\s]*", r"\1", message)
    headers = "|".join(("Call-ID", "CSeq", *more))
    return re.sub(rf"(?m)^({headers}):.*\r?\n", "", message)


def test_a_call_is_seen_in_every_phase(exchange):
    caller, callee = exchange.caller(), exchange.gateway()
    listener = Listener(exchange.lab)
    call = caller.invite(NUMBER)
    leg = callee.incoming()
    item = exchange.call(call, phase="setup", routing_gateway="gateway")
    assert (item["mapping_gateway"], item["routing_gateway"]) == ("caller", "gateway")
    assert item["callee_in"] == NUMBER and item["call_id_out"] == leg.call_id and item["answered_at"] is None
    leg.reply(180)
    call.expect(180)
    ringing = exchange.call(call, phase="ringing")
    assert ringing["ringing_at"] >= ringing["setup_at"]
    leg.reply(200, body=ANSWER)
    call.answered()
    leg.expect("ACK")
    talking = exchange.call(call, phase="answered")
    assert talking["answered_at"] >= talking["ringing_at"] and talking["duration_ms"] >= 0
    assert exchange.api.get(f"/calls/{talking['id']}").expect(200)["id"] == item["id"]
    until(lambda: exchange.api.get("/status")["calls"]["active"] == 1, 3, "an active call")
    call.bye()
    leg.hung_up()
    exchange.is_over(call)
    exchange.api.get(f"/calls/{item['id']}").expect(404)
    listener.wait("call", id=item["id"], phase="ended")
    assert [data["phase"] for _, name, data in listener.received if name == "call" and data["id"] == item["id"]] == \
        ["setup", "ringing", "answered", "ended"]


def test_a_call_is_hung_up_on_demand(exchange):
    caller, callee = exchange.caller(), exchange.gateway()
    call, leg = exchange.talking(caller, callee)
    item = exchange.call(call, phase="answered")
    caller.polite()
    callee.polite()
    exchange.api.delete(f"/calls/{item['id']}").expect(204)
    leg.hung_up()
    call.hung_up()
    exchange.is_over(call)
    exchange.api.delete(f"/calls/{item['id']}").expect(404)


def test_a_gateways_calls_and_codes_are_counted(exchange):
    caller, callee = exchange.caller(), exchange.gateway(capacity=5)
    idle = exchange.wait_status("gateway", routable=True)
    assert idle["calls"] == 0 and idle["capacity"] == 5 and idle["last_codes"] == [] and idle["last_hour"]["asr"] is None
    assert idle["probe"]["state"] == "off" and idle["held_until"] is None and idle["stale"] is False
    call, leg = exchange.talking(caller, callee)
    exchange.wait_status("gateway", calls=1, answered_total=1)
    exchange.wait_status("caller", "mapping-gateways", calls=1)
    call.bye()
    leg.hung_up()
    busy = caller.invite(NUMBER)
    callee.incoming().reply(486)
    busy.refused(486)
    status = exchange.wait_status("gateway", calls=0, calls_total=2, answered_total=1)
    assert status["last_hour"]["calls"] == 2 and status["last_hour"]["asr"] == 50.0
    assert status["last_codes"][0]["code"] == 486


def test_a_gateway_that_is_locked_is_told(exchange):
    exchange.gateway()
    exchange.wait_status("gateway", routable=True)
    listener = Listener(exchange.lab)
    exchange.change("routing-gateways", "gateway", locked=True)
    _, told = listener.wait("gateway", name="gateway", routable=False)
    assert told["kind"] == "routing-gateways" and told["why"] == "locked"
    assert exchange.wait_status("gateway", routable=False)["why"] == "locked"


def test_the_trace_shows_each_gateway_its_leg(exchange, tmp_path):
    caller, callee = exchange.caller(), exchange.gateway()
    call, leg = exchange.talking(caller, callee)
    call.bye()
    leg.hung_up()
    exchange.is_over(call)
    api = exchange.api

    def legs(**query):
        return {item["call_id"] for item in api.get("/trace", limit=1000, since=exchange.since, **query).expect(200)["items"]}
    assert legs(gateway="gateway") == {leg.call_id} and legs(gateway="caller") == {call.call_id}
    assert {call.call_id, leg.call_id} <= legs(number=NUMBER)
    assert legs(call_id=f"{call.call_id},{leg.call_id}") == {call.call_id, leg.call_id}
    answer = api.request("GET", "/trace", query={"gateway": "gateway", "limit": 1000},
                         headers={"Accept": "application/vnd.tcpdump.pcap"}).expect(200)
    path = tmp_path / "leg.pcap"
    path.write_bytes(answer.response.content)
    seen = tshark.packets(path, "sip.Call-ID", "sip.Method", "sip.Status-Code", "ip.src", "ip.dst")
    assert {packet[0] for packet in seen} == {leg.call_id}
    ours = exchange.lab.sip_port()[0]
    assert ["INVITE", "", ours, callee.host] in [packet[1:] for packet in seen]
    assert ["", "180", callee.host, ours] in [packet[1:] for packet in seen]
    assert tshark.faults(path) == ""


def test_a_preview_is_the_invite_that_goes_out(exchange):
    caller = exchange.caller(trusted=True, callee_rewrite=[{"match": "880", "replace": "99880"}])
    callee = exchange.gateway(prefixes=["99"], sip={"p_asserted_identity": "caller", "remote_party_id": True, "privacy": "id"})
    exchange.wait_status("gateway", routable=True)
    preview = exchange.api.post("/preview/invite", mapping_gateway="caller", callee=NUMBER, caller="4930111").expect(200).json
    assert preview["routing_gateway"] == "gateway" and preview["refused"] is None
    assert preview["target"] == f"udp:{callee.host}:{callee.port}"
    assert preview["headers"]["request_uri"].startswith(f"sip:99{NUMBER}@")
    call = caller.invite(NUMBER, body=None)
    leg = callee.incoming()
    # The caller's own headers (its User-Agent, what it allows) are passed on; no preview can know them.
    shown, sent = stripped(preview["message"]), stripped(leg.invite.raw.decode())
    for line in shown.split("\r\n"):
        if not line.startswith(("Content-Length", "Allow", "Supported", "Max-Forwards")):
            assert line in sent.split("\r\n"), f"{line!r} is not in\n{sent}"
    leg.reply(486)
    call.refused(486)


@pytest.mark.parametrize("configured", ["inherit", "on", "off"])
def test_a_preview_tries_a_mode_that_is_not_configured(exchange, configured):
    """Both modes of signalling.md 4; what is left out, or `inherit`, is what a real call would have."""
    exchange.caller(callee_rewrite=[{"match": "880", "replace": "99880"}])
    exchange.gateway(prefixes=["99"], sip={"invite_use_contact": configured})
    exchange.wait_status("gateway", routable=True)
    shown = {}
    for mode in (None, "inherit", "on", "off"):
        tried = {"invite_use_contact": mode} if mode else {}
        preview = exchange.api.post("/preview/invite", mapping_gateway="caller", callee=NUMBER, caller="4930111", **tried).expect(200).json
        assert preview["headers"]["request_uri"].startswith(f"sip:99{NUMBER}@")
        shown[mode] = preview["invite_use_contact"], re.search(r"sip:(\d+)@", preview["headers"]["to"]).group(1)
    assert shown["on"] == ("on", NUMBER) and shown["off"] == ("off", "99" + NUMBER)
    assert shown[None] == shown["inherit"] == shown["on" if configured == "on" else "off"]
    assert exchange.api.get("/routing-gateways/gateway")["sip"]["invite_use_contact"] == configured, "only the preview"


@pytest.mark.parametrize("mode", ["on", "off"])
def test_a_preview_tells_the_numbers_that_the_record_of_the_call_has(exchange, mode):
    caller = exchange.caller(callee_rewrite=[{"match": "880", "replace": "99880"}], caller_rewrite=[{"match": "49", "replace": "+49"}])
    callee = exchange.gateway(prefixes=["9", "99"], callee_rewrite=[{"match": "99", "replace": "0099"}],
                              caller_rewrite=[{"match": "+", "replace": "00"}], sip={"invite_use_contact": mode})
    exchange.gateway("locked", prefixes=["998"], locked=True)
    exchange.gateway("shorter", prefixes=["9"], locked=True)
    exchange.wait_status("gateway", routable=True)
    exchange.wait_status("locked", routable=False)
    call = caller.invite(NUMBER)
    leg = callee.incoming()
    leg.reply(486)
    call.refused(486)
    record = exchange.cdr(call)
    preview = exchange.api.post("/preview/invite", mapping_gateway="caller", callee=NUMBER, caller=record["caller_in"]).expect(200).json
    numbers = preview["numbers"]
    common = set(numbers) & set(record)
    assert common == {"callee_in", "original", "routed", "to_out", "caller_in", "caller_out"}
    assert {name: numbers[name] for name in common} == {name: record[name] for name in common}
    assert (numbers["mapped"], numbers["prefix"], numbers["routed"]) == ("99" + NUMBER, "99", "0099" + NUMBER)
    assert leg.invite.uri.startswith(f"sip:{numbers['request_uri_out']}@") and f"<sip:{numbers['to_out']}@" in leg.invite["to"]
    assert numbers["to_out"] == (NUMBER if mode == "on" else "0099" + NUMBER)
    assert numbers["caller_mapped"] == record["caller_in"].replace("49", "+49", 1) and numbers["caller_out"].startswith("00")
    assert preview["invite_use_contact"] == record["invite_use_contact"] == mode
    assert preview["skipped"] == record["skipped"] == [{"gateway": "locked", "why": "locked"}]


def test_the_numbers_in_a_preview_are_those_that_were_meant_not_how_they_are_written(exchange):
    exchange.caller(callee_rewrite=[{"match": "5", "replace": ""}])
    exchange.gateway(prefixes=[""])
    exchange.wait_status("gateway", routable=True)

    def numbers(callee):
        return exchange.api.post("/preview/invite", mapping_gateway="caller", callee=callee, caller="").expect(200)["numbers"]
    assert (odd := numbers("8;x ü\"@"))["request_uri_out"] == odd["to_out"] == odd["original"] == "8;x ü\"@"
    assert odd["prefix"] == "" and (odd["caller_in"], odd["caller_out"]) == ("", "")
    assert numbers("5")["mapped"] == numbers("5")["routed"] == "" and numbers("5")["callee_in"] == "5"


def test_a_real_call_is_verified(exchange):
    caller, callee = exchange.caller(), exchange.gateway()
    exchange.wait_status("gateway", routable=True)
    answers = []
    body = {"mapping_gateway": "caller", "callee": NUMBER, "caller": "4930111", "watch_s": 20}
    verifying = threading.Thread(target=lambda: answers.append(exchange.api.post("/verify/call", body)))
    verifying.start()
    # Until the watch has begun nobody can tell; a call that comes too early is not the next one.
    while verifying.is_alive():
        call = caller.invite(NUMBER)
        leg = callee.incoming()
        leg.reply(486)
        call.refused(486)
        verifying.join(0.5)
    verified = answers[0].expect(200).json
    assert verified["seen"] and all(field["match"] for field in verified["fields"]), verified["fields"]
    assert verified["seen"]["target"] == f"udp:{callee.host}:{callee.port}"
    assert verified["numbers"]["request_uri_out"] == NUMBER and verified["invite_use_contact"] == "off" and verified["skipped"] == []


def test_what_would_be_refused_is_shown_as_such(exchange):
    exchange.caller(denied_prefixes=["900"])
    exchange.gateway()
    exchange.wait_status("gateway", routable=True)

    def refused(**fields):
        preview = exchange.api.post("/preview/invite", **{"mapping_gateway": "caller", "callee": NUMBER, "caller": "1", **fields}).expect(200).json
        assert preview["message"] is None and preview["refused"]["reason"] and preview["invite_use_contact"] is None
        known = {name: number for name, number in preview["numbers"].items() if number is not None}
        return preview["refused"]["code"], known, preview["skipped"], preview["routing_gateway"]

    def came_in(callee):
        return {"callee_in": callee, "original": callee, "mapped": callee, "caller_in": "1", "caller_mapped": "1"}
    assert refused(callee="77") == (404, came_in("77"), [], None)
    assert refused(callee="9001") == (403, came_in("9001"), [], None)
    exchange.change("mapping-gateways", "caller", callee_rewrite=[{"match": "7", "replace": "7" * 20}])
    assert refused(callee="7" * 128)[:2] == (414, {"callee_in": "7" * 128, "original": "7" * 128})
    exchange.change("mapping-gateways", "caller", callee_rewrite=[])
    exchange.change("routing-gateways", "gateway", callee_rewrite=[{"match": "8", "replace": "8" * 20}])
    long = "880" + "1" * 125
    assert refused(callee=long) == (414, {**came_in(long), "prefix": "880"}, [], "gateway")
    exchange.change("routing-gateways", "gateway", callee_rewrite=[], locked=True)
    exchange.wait_status("gateway", routable=False)
    assert refused() == (503, came_in(NUMBER), [{"gateway": "gateway", "why": "locked"}], None)


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_the_preview_of_a_register_is_the_next_one(lab, transport):
    registrar = lab.peer(transport=transport)
    api = lab.start("mgmtd", "switchcore").api()
    lab.wait_switch()
    api.registration("carrier-a", registrar, transport=transport, display_name='A "B"', privacy="id", register_period=600)
    api.wait_for_state("carrier-a", "registered")
    before = api.status("carrier-a")
    preview = api.post("/preview/register", registration="carrier-a").expect(200).json
    assert preview["target"] == f"{transport}:{registrar.host}:{registrar.port}" and preview["routing_gateway"] is None
    assert preview["headers"]["privacy"] == "id" and preview["headers"]["expires"] == "600" and preview["refused"] is None
    assert len(registrar.registers()) == 1 and api.status("carrier-a") == before, "a preview left a trace"
    api.post("/registrations/carrier-a/refresh", query={"wait": "outcome"}).expect(200)
    sent = registrar.registers()[-1].raw.decode()
    branch = r"branch=[^;,\s]*"
    assert re.sub(branch, "", preview["message"]) == re.sub(branch, "", sent)


def test_a_disabled_registration_has_a_preview_too(lab):
    registrar = lab.peer()
    api = lab.start("mgmtd", "switchcore").api()
    lab.wait_switch()
    api.registration("carrier-a", registrar, enabled=False)
    preview = api.post("/preview/register", registration="carrier-a").expect(200).json
    assert preview["message"].startswith("REGISTER ") and preview["target"] == f"udp:{registrar.host}:{registrar.port}"
    api.change("carrier-a", transport="tls")
    refused = api.post("/preview/register", registration="carrier-a").expect(200)["refused"]
    assert refused["code"] is None and "no tls listener" in refused["reason"]
    assert registrar.registers() == []

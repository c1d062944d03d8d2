"""What mgmtd shows of gateways and calls, and what it asks of the switch: a double plays the switch."""

import errno
import threading

import pytest
import tshark
from double import KINDS, call_id
from test_events import Listener
from until import until

LOCAL = ("192.0.2.10", 5060)
NOW = 1_700_000_000_000_000


def invite(call, user="8801234567", caller="100", method="INVITE", to_tag="", more=""):
    return (f"{method} sip:{user}@gw.example SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.10;branch=z9hG4bK1\r\nMax-Forwards: 70\r\n"
            f'From: "A" <sip:{caller}@192.0.2.10>;tag=1\r\nTo: <sip:{user}@gw.example>{to_tag}\r\nCall-ID: {call}\r\nCSeq: 1 {method}\r\n'
            f"Contact: <sip:switch@192.0.2.10>\r\n{more}Content-Length: 0\r\n\r\n")


@pytest.fixture
def stage(lab):
    """(api, double), with a gateway of each kind."""
    api = lab.start("mgmtd").api()
    double = lab.double()
    lab.wait_switch()
    api.post("/routing-gateways", name="carrier", host="192.0.2.1", port=5060).expect(201)
    api.post("/mapping-gateways", name="pbx", sources=["198.51.100.0/24"]).expect(201)
    return api, double


def incarnation(api, path):
    return api.get(path).expect(200)["incarnation"]


# Gateways.

def test_of_a_gateway_that_the_switch_has_not_told_everything_is_unknown(stage):
    api, _ = stage
    for path in ("/routing-gateways/carrier/status", "/mapping-gateways/pbx/status"):
        status = api.get(path).expect(200).json
        assert status["routable"] is None and status["calls"] is None and status["stale"] is False
        assert status["probe"] == {"state": None, "since": None, "at": None, "code": None, "rtt_ms": None}
        assert status["last_hour"] == {"calls": None, "answered": None, "asr": None, "acd_s": None}
    api.get("/routing-gateways/pbx/status").expect(404)


def test_a_gateways_status_is_what_the_switch_says(stage):
    api, double = stage
    number = incarnation(api, "/routing-gateways/carrier/status")
    double.gateway("routing-gateway", 0, number, routable=0, probe=3, probe_code=503, probe_rtt_us=1500, probe_at=NOW, probe_since=NOW,
                   held_until=NOW + 5_000_000, calls=3, capacity=30, cps=2, max_cps=5, calls_total=1000, answered_total=600,
                   calls_last_hour=3, answered_last_hour=2, ended_last_hour=2, seconds_last_hour=125, why="held")
    status = api.get("/routing-gateways/carrier/status").expect(200).json
    assert status == {
        "name": "carrier", "routable": False, "why": "held", "calls": 3, "capacity": 30, "cps": 2, "max_cps": 5, "calls_total": 1000,
        "answered_total": 600, "last_hour": {"calls": 3, "answered": 2, "asr": 66.7, "acd_s": 62.5}, "last_codes": [],
        "probe": {"state": "down", "since": "2023-11-14T22:13:20.000Z", "at": "2023-11-14T22:13:20.000Z", "code": 503, "rtt_ms": 1.5},
        "held_until": "2023-11-14T22:13:25.000Z", "incarnation": number, "stale": False}


def test_a_strangers_state_under_the_same_id_is_not_shown(stage):
    api, double = stage
    double.gateway("mapping-gateway", 0, incarnation(api, "/mapping-gateways/pbx/status") + 1, routable=1)
    assert api.get("/mapping-gateways/pbx/status")["routable"] is None


def test_without_the_switch_a_gateways_status_is_stale(stage, lab):
    api, double = stage
    double.gateway("mapping-gateway", 0, incarnation(api, "/mapping-gateways/pbx/status"), routable=1, calls=7)
    double.call(0, 1, "answered")
    double.tell("numbers", 1, 2)
    assert api.get("/status")["calls"] == {"active": 1, "per_second": 2}
    double.stop()
    lab.wait_switch("down")
    status = api.get("/mapping-gateways/pbx/status").expect(200).json
    assert status["stale"] is True and status["calls"] == 7
    assert api.get("/status")["calls"] == {"active": None, "per_second": None}
    assert api.get("/calls").expect(200).json == {"items": [], "next": None, "revision": 2, "stale": True}
    api.get(f"/calls/{call_id(0, 1)}").expect(404)
    api.delete(f"/calls/{call_id(0, 1)}").expect(503, "switchcore_down")
    api.post("/preview/invite", mapping_gateway="pbx", callee="1", caller="2").expect(503, "switchcore_down")


# Calls.

def test_the_calls_there_are_no_more_and_no_less(stage):
    api, double = stage
    first = double.call(3, 7, "ringing", setup_at=NOW, ringing_at=NOW + 1_000_000, mapping_gateway="pbx", callee_in="880", caller_in="100",
                        call_id_in="a@b")
    second = double.call(1, 9, "answered", setup_at=NOW + 1, answered_at=NOW + 2, routing_gateway="carrier", code=200)
    double.call(2, 8, "ended", setup_at=NOW)
    listed = api.get("/calls").expect(200).json
    assert [item["id"] for item in listed["items"]] == [first, second] and listed["stale"] is False
    assert listed["items"][0] == {
        "id": first, "phase": "ringing", "mapping_gateway": "pbx", "routing_gateway": None, "registration": None, "caller_in": "100",
        "callee_in": "880", "caller_out": None, "routed": None, "call_id_in": "a@b", "call_id_out": None,
        "setup_at": "2023-11-14T22:13:20.000Z", "ringing_at": "2023-11-14T22:13:21.000Z", "answered_at": None, "duration_ms": None, "code": None}
    assert api.get(f"/calls/{first}").expect(200).json == listed["items"][0]
    assert api.get(f"/calls/{second}")["duration_ms"] > 0
    for gone in (call_id(2, 8), call_id(3, 6), call_id(3, 8), call_id(9, 9), "x", "0" * 17):
        api.get(f"/calls/{gone}").expect(404)


def test_twenty_thousand_calls_come_in_pages_in_order(stage):
    api, double = stage
    double.tell("fill", 20000)
    items = api.pages("/calls", limit=1000)
    assert [int(item["callee_in"]) for item in items] == list(range(20000))
    page = api.get("/calls", limit=10).json
    double.call(0, 5, "ended")
    after = api.get("/calls", limit=10, cursor=page["next"]).json
    assert [int(item["callee_in"]) for item in after["items"]] == list(range(10, 20))
    for cursor in ("c", "cx-1", "c12-zz", "m5"):
        api.get("/calls", cursor=cursor).expect(422)


def test_a_call_is_hung_up_by_the_switch(stage):
    api, double = stage
    call = double.call(3, 7, "answered")
    double.answer("hang_up", 0)
    assert api.delete(f"/calls/{call}").expect(204).text == ""
    until(lambda: double.asked == [(2, KINDS["call"], 3, 7 << 20 | 3, b"")], 2, lambda: f"one command, got {double.asked}")
    double.answer("hang_up", errno.ENOENT)
    api.delete(f"/calls/{call}").expect(404)
    double.answer("hang_up", errno.ENOTSUP)
    api.delete(f"/calls/{call}").expect(503)
    api.delete("/calls/7").expect(404)
    double.tell("silent")
    api.delete(f"/calls/{call}").expect(504, "switchcore_timeout")


# Events.

def test_events_tell_gateways_and_calls(stage, lab):
    api, double = stage
    number = incarnation(api, "/routing-gateways/carrier/status")
    listener = Listener(lab)
    double.gateway("routing-gateway", 0, number, routable=0, probe=3, why="locked")
    double.tell("event", KINDS["routing-gateway"], 0, number, 2 | 1 << 2, 3, 408)
    _, told = listener.wait("gateway")
    assert (told["kind"], told["name"], told["routable"], told["why"]) == ("routing-gateways", "carrier", False, "locked")
    assert told["probe"]["state"] == "down" and told["stale"] is False
    call = double.call(3, 7, "ended", mapping_gateway="pbx", code=200, answered_at=NOW, ended_at=NOW + 1_500_000)
    for before, after, code in (("setup", "ringing", 0), ("ringing", "answered", 0), ("answered", "ended", 200)):
        double.call_event(3, 7, before, after, code)
    listener.wait("call", phase="ended")
    told = [data for _, name, data in listener.received if name == "call"]
    assert [(t["id"], t["phase"], t["mapping_gateway"]) for t in told] == [(call, p, "pbx") for p in ("ringing", "answered", "ended")]
    assert told[0]["answered_at"] is None and told[1]["answered_at"] and told[2]["duration_ms"] == 1500 and told[2]["code"] == 200
    double.call(3, 8, mapping_gateway="another")
    double.call_event(3, 7, "answered", "ended", 487)
    _, told = listener.wait("call", code=487)
    assert told["id"] == call and told["mapping_gateway"] is None


def test_an_event_of_a_call_before_anybody_listens_is_not_kept_but_resuming_is_told(stage, lab):
    api, double = stage
    answer = api.post("/mapping-gateways", name="third").expect(201)
    double.call(3, 7, "ringing")
    double.call_event(3, 7, "setup", "ringing")
    number = answer["resource"]["revision"]
    double.gateway("routing-gateway", 0, incarnation(api, "/routing-gateways/carrier/status"), routable=1)
    double.tell("event", KINDS["routing-gateway"], 0, incarnation(api, "/routing-gateways/carrier/status"), 0, 1 << 2, 0)
    listener = Listener(lab)
    api.patch("/mapping-gateways/third", note="x").expect(200)
    identifier, _ = listener.wait("revision")
    boot, _, count = identifier.partition("-")
    assert int(count) > number
    resumed = Listener(lab, last=f"{boot}-1")
    _, told = resumed.wait("reset")
    assert told["reason"] == "lost"
    # Once somebody has listened, a client may come back.
    double.call_event(3, 7, "ringing", "answered")
    again = Listener(lab, last=identifier)
    again.wait("call", phase="answered")


# Previews.

NO_NUMBERS = dict.fromkeys(("callee_in", "original", "mapped", "prefix", "routed", "request_uri_out", "to_out", "caller_in",
                            "caller_mapped", "caller_out"))
MESSAGE = invite("g00000000-preview", more="Privacy: id\r\n")
HEAD = "gateway carrier\ninvite_use_contact on\nskipped a no capacity\nskipped b\nprefix \nrouted 9 9\nnobody_knows_this yet\ntarget udp:192.0.2.1:5060\n\n"


def test_a_preview_is_what_the_switch_wrote(stage):
    api, double = stage
    double.answer("preview_invite", text=HEAD + MESSAGE)
    preview = api.post("/preview/invite", mapping_gateway="pbx", callee="8801234567", caller="100").expect(200).json
    assert preview["message"] == MESSAGE and preview["target"] == "udp:192.0.2.1:5060" and preview["routing_gateway"] == "carrier"
    assert preview["headers"]["request_uri"] == "sip:8801234567@gw.example" and preview["headers"]["privacy"] == "id"
    assert preview["headers"]["remote_party_id"] is None and preview["refused"] is None
    command, kind, id, _, arguments = double.asked[-1]
    assert (command, kind, id, arguments) == (4, KINDS["mapping-gateway"], 0, b"8801234567\x00100\x00inherit\x00")
    assert preview["invite_use_contact"] == "on" and preview["numbers"] == {**NO_NUMBERS, "prefix": "", "routed": "9 9"}
    assert preview["skipped"] == [{"gateway": "a", "why": "no capacity"}, {"gateway": "b", "why": None}]
    api.post("/preview/invite", mapping_gateway="pbx", callee="8801", caller="", invite_use_contact="off").expect(200)
    assert double.asked[-1][4] == b"8801\x00\x00off\x00"


def test_a_refusal_is_an_answer(stage):
    api, double = stage
    double.answer("preview_invite", errno.EACCES, 403, "skipped a locked\nmapped 99\ngateway carrier\n\ncallee not allowed")
    preview = api.post("/preview/invite", mapping_gateway="pbx", callee="1", caller="").expect(200).json
    assert preview == {"target": None, "routing_gateway": "carrier", "message": None, "headers": None, "invite_use_contact": None,
                       "numbers": {**NO_NUMBERS, "mapped": "99"}, "skipped": [{"gateway": "a", "why": "locked"}],
                       "refused": {"code": 403, "reason": "callee not allowed"}}
    double.answer("preview_invite", errno.ENOENT, 404, "\nno route")
    assert api.post("/preview/invite", mapping_gateway="pbx", callee="1", caller="2")["refused"]["code"] == 404
    verified = api.post("/verify/call", mapping_gateway="pbx", callee="1", caller="2").expect(200).json
    assert verified["refused"]["code"] == 404 and verified["seen"] is None and verified["fields"] == []


def test_what_the_switch_has_not_ready_is_asked_for_again(stage):
    api, double = stage
    double.answer("preview_invite", errno.EAGAIN, text="\nbeing looked up")
    answers = []
    asking = threading.Thread(target=lambda: answers.append(api.post("/preview/invite", mapping_gateway="pbx", callee="1", caller="2")))
    asking.start()
    until(lambda: len(double.asked) >= 2, 2, "a second question")
    double.answer("preview_invite", text=HEAD + MESSAGE)
    asking.join()
    assert answers[0].expect(200)["routing_gateway"] == "carrier"


@pytest.mark.parametrize("text", ["", "target udp:192.0.2.1:5060\n", "target udp:192.0.2.1:5060", "gateway carrier\n\n" + MESSAGE,
                                  "\n\n" + MESSAGE])
def test_an_answer_without_an_end_of_its_head_or_a_target_is_none(stage, text):
    api, double = stage
    double.answer("preview_invite", text=text)
    api.post("/preview/invite", mapping_gateway="pbx", callee="1", caller="2").expect(503)


def test_a_preview_of_nobody_is_refused(stage):
    api, _ = stage
    for path, body, pointer, code in (
            ("/preview/invite", {"mapping_gateway": "nobody", "callee": "1", "caller": "2"}, "/mapping_gateway", "unknown_reference"),
            ("/preview/invite", {"mapping_gateway": "pbx", "callee": "1"}, "/caller", "required"),
            ("/preview/invite", {"mapping_gateway": "pbx", "callee": "", "caller": "2"}, "/callee", "required"),
            ("/preview/invite", {"mapping_gateway": "pbx", "callee": "1" * 129, "caller": "2"}, "/callee", "too_long"),
            ("/preview/invite", {"mapping_gateway": "pbx", "callee": "1\n", "caller": "2"}, "/callee", "bad_format"),
            ("/preview/invite", {"mapping_gateway": "pbx", "callee": 1, "caller": "2"}, "/callee", "wrong_type"),
            ("/preview/invite", {"mapping_gateway": "pbx", "callee": "1", "caller": "2", "watch_s": 5}, "/watch_s", "unknown_field"),
            ("/preview/invite", {"mapping_gateway": "pbx", "callee": "1", "caller": "2", "invite_use_contact": "maybe"}, "/invite_use_contact",
             "not_an_option"),
            ("/preview/invite", {"mapping_gateway": "pbx", "callee": "1", "caller": "2", "invite_use_contact": True}, "/invite_use_contact",
             "wrong_type"),
            ("/verify/call", {"mapping_gateway": "pbx", "callee": "1", "caller": "2", "invite_use_contact": "on"}, "/invite_use_contact",
             "unknown_field"),
            ("/verify/call", {"mapping_gateway": "pbx", "callee": "1", "caller": "2", "watch_s": 61}, "/watch_s", "out_of_range"),
            ("/verify/call", {"mapping_gateway": "pbx", "callee": "1", "caller": "2", "watch_s": "5"}, "/watch_s", "wrong_type"),
            ("/preview/register", {"registration": "nobody"}, "/registration", "unknown_reference"),
            ("/preview/register", {}, "/registration", "required")):
        api.post(path, body).expect(422).violation(pointer, code)


# Verifying.

def test_a_real_call_is_compared_with_the_preview(stage):
    api, double = stage
    double.answer("preview_invite", text=HEAD + MESSAGE)
    remote = ("192.0.2.1", 5060)
    double.message("out", "udp", LOCAL, remote, invite("g00000000-earlier"))
    answers = []
    verifying = threading.Thread(target=lambda: answers.append(api.post("/verify/call", mapping_gateway="pbx", callee="8801234567",
                                                                        caller="100", watch_s=20)))
    verifying.start()
    until(lambda: double.asked, 5, "the preview")
    api.get("/status").expect(200)
    for call, options in (("g00000001-gateway", {}), ("g00000000-number", {"user": "8802"}), ("g00000000-dialog", {"to_tag": ";tag=2"}),
                          ("g00000000-method", {"method": "OPTIONS"})):
        double.message("out", "udp", LOCAL, remote, invite(call, **options))
    double.message("in", "udp", LOCAL, remote, invite("g00000000-direction"))
    double.message("out", "udp", LOCAL, ("192.0.2.2", 5060), invite("g00000000-it", caller="200", more="Privacy: id\r\nAuthorization: secret\r\n"))
    double.tell("ring")
    verifying.join()
    verified = answers[0].expect(200).json
    assert verified["seen"]["call_id"] == "g00000000-it" and verified["seen"]["target"] == "udp:192.0.2.2:5060"
    assert "secret" not in verified["seen"]["message"] and verified["message"] == MESSAGE
    fields = {field["field"]: field for field in verified["fields"]}
    assert fields["from_user"] == {"field": "from_user", "expected": "100", "seen": "200", "match": False}
    assert fields["target"]["match"] is False
    assert all(field["match"] for name, field in fields.items() if name not in ("from_user", "target"))
    assert set(fields) == {"request_uri_user", "request_uri_host", "from_user", "from_display", "to_user", "p_asserted_identity",
                           "p_preferred_identity", "remote_party_id", "privacy", "session_expires", "contact_user", "target"}


def test_without_a_call_nothing_is_seen(stage):
    api, double = stage
    double.answer("preview_invite", text=HEAD + MESSAGE)
    verified = api.post("/verify/call", mapping_gateway="pbx", callee="8801234567", caller="100", watch_s=1).expect(200).json
    assert verified["seen"] is None and verified["fields"] == [] and verified["message"] == MESSAGE


def test_only_so_many_calls_are_waited_for(stage):
    api, double = stage
    double.answer("preview_invite", text=HEAD + MESSAGE)
    body = {"mapping_gateway": "pbx", "callee": "8801234567", "caller": "100", "watch_s": 60}
    answers = []
    waiting = [threading.Thread(target=lambda: answers.append(type(api)(api.url, token=api.token).post("/verify/call", body))) for _ in range(16)]
    for thread in waiting:
        thread.start()
    until(lambda: len(double.asked) == 16, 5, "16 previews")
    assert int(api.post("/verify/call", body).expect(503, "too_many_watchers").headers["Retry-After"]) > 0
    double.message("out", "udp", LOCAL, ("192.0.2.1", 5060), invite("g00000000-it"))
    double.tell("ring")
    for thread in waiting:
        thread.join()
    assert all(answer.expect(200)["seen"]["call_id"] == "g00000000-it" for answer in answers) and len(answers) == 16


# The trace.

def call_ids(answer):
    return [item["call_id"] for item in answer.expect(200)["items"]]


def test_the_trace_knows_a_gateways_messages(stage):
    api, double = stage
    carrier, pbx = ("192.0.2.1", 5060), ("198.51.100.7", 5062)
    api.post("/mapping-gateways", name="branch", sources=["198.51.100.9"]).expect(201)
    double.message("out", "udp", LOCAL, carrier, invite("g00000000-out"))
    double.message("out", "udp", LOCAL, carrier, invite("g00000001-of-another"))
    double.message("in", "udp", LOCAL, ("192.0.2.1", 40000), invite("its-own"))
    double.message("in", "udp", LOCAL, pbx, invite("from-the-pbx"))
    double.message("in", "udp", LOCAL, ("198.51.100.9", 5060), invite("from-the-branch"))
    double.message("in", "udp", LOCAL, ("203.0.113.1", 5060), invite("from-far-away"))
    assert call_ids(api.get("/trace", gateway="carrier")) == ["g00000000-out", "its-own"]
    assert call_ids(api.get("/trace", gateway="pbx")) == ["from-the-pbx"]
    assert call_ids(api.get("/trace", gateway="branch")) == ["from-the-branch"]
    double.call(0, 1, "ended", mapping_gateway="pbx", call_id_in="from-far-away")
    assert call_ids(api.get("/trace", gateway="pbx")) == ["from-the-pbx", "from-far-away"]
    api.get("/trace", gateway="nobody").expect(422)


def test_a_gateway_of_the_same_id_is_not_taken_for_the_one_before(stage):
    api, double = stage
    double.message("out", "udp", LOCAL, ("192.0.2.1", 5060), invite("g00000000-old"))
    api.delete("/routing-gateways/carrier").expect(200)
    api.post("/routing-gateways", name="heir", host="gw.example").expect(201)
    double.message("out", "udp", LOCAL, ("192.0.2.1", 5060), invite("g00000000-new"))
    double.message("in", "udp", LOCAL, ("192.0.2.1", 5060), invite("coming-in"))
    assert call_ids(api.get("/trace", gateway="heir")) == ["g00000000-new", "coming-in"]


def test_the_trace_knows_a_number(stage):
    api, double = stage
    for call, options in (("request", {"user": "555"}), ("from", {"caller": "555"}), ("neither", {"caller": "5555"})):
        double.message("in", "udp", LOCAL, ("198.51.100.7", 5062), invite(call, **options))
    assert call_ids(api.get("/trace", number="555")) == ["request", "from"]
    assert call_ids(api.get("/trace", number="555", call_id="from")) == ["from"]
    assert call_ids(api.get("/trace", number="555", gateway="carrier")) == []


def test_the_trace_opens_in_wireshark(stage, tmp_path):
    api, double = stage
    reply = ("SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 192.0.2.10;branch=z9hG4bK1\r\nFrom: <sip:1@h>;tag=1\r\nTo: <sip:2@h>;tag=2\r\n"
             "Call-ID: {}-four\r\nCSeq: 1 BYE\r\nContent-Length: 0\r\n\r\n")
    expected = []
    for transport, port in (("udp", 5062), ("tcp", 5063), ("tls", 5061)):
        for local, remote in ((LOCAL, ("192.0.2.1", port)), (("2001:db8::1", 5060), ("2001:db8::2", port))):
            name = f"{transport}-{'6' if ':' in local[0] else '4'}"
            large = "".join(f"Subject: {'x' * 900}\r\n" for _ in range(100 if transport == "tcp" else 60))
            double.message("out", transport, local, remote, invite(f"{name}-one", more="Authorization: Digest response=hidden\r\n"))
            double.message("in", transport, local, remote, invite(f"{name}-two", method="OPTIONS", more=large))
            double.message("out", transport, local, remote, invite(f"{name}-three", method="BYE"))
            double.message("in", transport, local, remote, reply.format(name))
            there, back = [local[0], remote[0], "5060", str(port)], [remote[0], local[0], str(port), "5060"]
            expected += [[f"{name}-one", "INVITE", "", *there], [f"{name}-two", "OPTIONS", "", *back], [f"{name}-three", "BYE", "", *there],
                         [f"{name}-four", "", "200", *back]]
    answer = api.request("GET", "/trace", headers={"Accept": "application/vnd.tcpdump.pcap"}).expect(200)
    assert answer.headers["Content-Type"] == "application/vnd.tcpdump.pcap" and b"hidden" not in answer.response.content
    path = tmp_path / "trace.pcap"
    path.write_bytes(answer.response.content)
    seen = tshark.packets(path, "sip.Call-ID", "sip.Method", "sip.Status-Code", "ip.src", "ipv6.src", "ip.dst", "ipv6.dst", "udp.srcport",
                          "tcp.srcport", "udp.dstport", "tcp.dstport")
    # Of each pair one is empty.  What is no SIP is the beginning of a message in several segments.
    assert [[*packet[:3], *("".join(packet[i:i + 2]) for i in (3, 5, 7, 9))] for packet in seen if packet[0]] == expected
    assert tshark.faults(path) == ""


def test_what_the_trace_cannot_be_is_said(stage):
    api, _ = stage
    api.request("GET", "/trace", headers={"Accept": "image/png"}).expect(406)
    for accept in ("application/json, application/vnd.tcpdump.pcap", "*/*", "application/*"):
        assert api.request("GET", "/trace", headers={"Accept": accept}).expect(200).headers["Content-Type"] == "application/json"

"""What is wrong is refused with its place, its limit and what was got, and changes nothing."""

import json
import socket
import time

import pytest

GOOD = {"server": "sip.example.net", "username": "u"}


@pytest.fixture
def unchanged(api):
    """Whatever the test sends, no revision comes of it."""
    before = api.get("/status")["mgmtd"]["stored_revision"]
    yield
    assert api.get("/status")["mgmtd"]["stored_revision"] == before, "a refused change left a revision"


pytestmark = pytest.mark.usefixtures("unchanged")


# ---- values

@pytest.mark.parametrize("name, value, code", [
    ("SS_SIP_USER_AGENT_EXPIRE", 19, "out_of_range"), ("SS_SIP_USER_AGENT_EXPIRE", 7201, "out_of_range"),
    ("SS_SIP_USER_AGENT_EXPIRE", "often", "not_an_option"), ("SS_SIP_USER_AGENT_EXPIRE", 60.0, "wrong_type"),
    ("SS_SIP_USER_AGENT_EXPIRE", True, "wrong_type"), ("SS_SIP_USER_AGENT_EXPIRE", [60], "wrong_type"),
    ("SS_SIP_USER_AGENT_RETRY_DELAY", 29, "out_of_range"), ("SS_SIP_USER_AGENT_RETRY_DELAY", 601, "out_of_range"),
    ("SS_SIP_USER_AGENT_RETRY_DELAY", "60", "wrong_type"), ("SS_SIP_USER_AGENT_RETRY_DELAY", 2**62, "out_of_range"),
    ("SS_SIP_USER_AGENT_SEND_UNREGISTER", 1, "wrong_type"), ("SS_SIP_USER_AGENT_SEND_UNREGISTER", "true", "wrong_type"),
    ("SS_SIP_USER_AGENT_PRIVACY", "yes", "not_an_option"), ("SS_SIP_USER_AGENT_PRIVACY", "ID", "not_an_option"),
    ("SS_SIP_USER_AGENT_PRIVACY", 5, "wrong_type")])
def test_a_parameters_bad_value_is_named_with_its_limits(api, name, value, code):
    violation = api.patch("/sip-parameters", {name: value}).expect(422).violation(f"/{name}", code)
    assert violation["detail"] and violation.get("got", value) == value
    if code == "out_of_range":
        assert isinstance(violation["min"], int) and isinstance(violation["max"], int) and violation["got"] == value
    api.put(f"/sip-parameters/{name}", {"value": value}).expect(422).violation("/value", code)


def test_the_example_of_the_documentation(api):
    violation = api.patch("/sip-parameters", SS_SIP_USER_AGENT_EXPIRE=10).expect(422).violation("/SS_SIP_USER_AGENT_EXPIRE")
    assert violation["code"] == "out_of_range" and (violation["min"], violation["max"], violation["got"]) == (20, 7200, 10)
    for word in ("auto", "20", "7200", "10"):
        assert word in violation["detail"]


def test_all_violations_are_told_at_once_each_with_its_pointer(api):
    answer = api.patch("/sip-parameters", SS_SIP_USER_AGENT_EXPIRE=10, SS_SIP_USER_AGENT_RETRY_DELAY="x", SS_SIP_NOTHING=1,
                       SS_SIP_USER_AGENT_PRIVACY="id").expect(422)
    assert {e["pointer"] for e in answer["errors"]} == \
        {"/SS_SIP_USER_AGENT_EXPIRE", "/SS_SIP_USER_AGENT_RETRY_DELAY", "/SS_SIP_NOTHING"}
    answer.violation("/SS_SIP_NOTHING", "unknown_field")
    assert api.get("/sip-parameters/SS_SIP_USER_AGENT_PRIVACY")["value"] == "ignore", "a part of it was carried out"


@pytest.mark.parametrize("field, value, code", [
    ("port", -1, "out_of_range"), ("port", 65536, "out_of_range"), ("port", "5060", "wrong_type"), ("port", 1.5, "wrong_type"),
    ("server", "h" * 254, "too_long"), ("server", "", "required"), ("server", None, "required"), ("server", "a b", "bad_format"),
    ("server", "host/path", "bad_format"), ("server", "sip:host", "bad_format"), ("server", "host:5060", "bad_format"),
    ("server", "-host-.net", "bad_format"), ("server", "a..b", "bad_format"), ("server", "300.1.1.1", "bad_format"), ("server", 7, "wrong_type"),
    ("server", "x\u0007y", "bad_format"), ("server", "bücher.example", "bad_format"),
    ("username", "", "required"), ("username", "u" * 129, "too_long"), ("username", "a\r\nVia: x", "bad_format"),
    ("password", "p" * 129, "too_long"), ("password", "a\nb", "bad_format"), ("password", 12345, "wrong_type"),
    ("display_name", "x\u0000y", None), ("display_name", "tab\there", "bad_format"), ("display_name", "\u00e9" * 65, "too_long"),
    ("user_agent", "x\r\nEvil: 1", "bad_format"), ("note", "n" * 256, "too_long"), ("note", "line\nline", "bad_format"),
    ("domain", "exa mple", "bad_format"), ("outbound_proxy", "proxy:99999", "bad_format"), ("outbound_proxy", "proxy:", "bad_format"),
    ("outbound_proxy", "[::1", "bad_format"), ("transport", "sctp", "not_an_option"), ("transport", "UDP", "not_an_option"),
    ("tls_verify", "yes", "wrong_type"), ("enabled", 1, "wrong_type"),
    ("register_period", 19, "out_of_range"), ("register_period", 7201, "out_of_range"), ("register_period", "never", "not_an_option"),
    ("retry_delay", 29, "out_of_range"), ("retry_delay", "auto", "not_an_option"), ("privacy", "user", "not_an_option"),
    ("keep_alive", 9, "out_of_range"), ("keep_alive", 301, "out_of_range"), ("keep_alive", -1, "out_of_range"),
    ("passwort", "x", "unknown_field"), ("Server", "x", "unknown_field"), ("/odd~field", 1, "unknown_field")])
def test_a_registrations_bad_field_is_named(api, field, value, code):
    answer = api.post("/registrations", {"name": "bad", **GOOD, field: value})
    if field == "display_name" and "\u0000" in value:
        answer.expect(400, "not_json")
    else:
        violation = answer.expect(422).violation("/" + field.replace("~", "~0").replace("/", "~1"), code)
        assert violation["detail"]
        if field == "password":
            assert "got" not in violation and str(value) not in answer.text
        elif code == "out_of_range":
            assert violation["got"] == value and violation["min"] <= violation["max"]
        elif code == "too_long":
            assert violation["max"] < len(value.encode())
    api.get("/registrations/bad").expect(404)


def test_what_is_missing_is_named(api):
    answer = api.post("/registrations", name="bad").expect(422)
    assert {(e["pointer"], e["code"]) for e in answer["errors"]} == {("/server", "required"), ("/username", "required")}


@pytest.mark.parametrize("name", ["", "a/b", "a b", "-a", ".a", "ä", "a" * 64, "a\u0001", "a%", "../x", 7, None])
def test_a_name_out_of_the_alphabet_is_refused(api, name):
    api.post("/registrations", {"name": name, **GOOD}).expect(422).violation("/name")


@pytest.mark.parametrize("path", ["a%2Fb", "%01", "a%20b", "-a", "a" * 64, "%C3%A4", "%FF", ".."])
def test_a_name_in_the_path_out_of_the_alphabet_is_refused(api, path):
    assert api.put(f"/registrations/{path}", GOOD).status in (400, 404, 422)
    api.get(f"/registrations/{path}").expect(404)


def test_the_name_in_the_body_must_be_that_of_the_path(api):
    assert api.put("/registrations/one", {**GOOD, "name": "two"}).expect(422).violation("/name")


def test_an_unknown_listener_is_an_unknown_reference(api):
    api.post("/registrations", name="bad", listener="nowhere", **GOOD).expect(422).violation("/listener", "unknown_reference")


def test_one_bad_operation_refuses_the_whole_set(api):
    changes = [{"op": "put", "kind": "registrations", "name": "fine", "value": GOOD},
               {"op": "patch", "kind": "registrations", "name": "missing", "value": {"port": 5}},
               {"op": "put", "kind": "registrations", "name": "bad", "value": {**GOOD, "port": 99999}},
               {"op": "put", "kind": "nothing", "name": "x", "value": {}},
               {"op": "turn", "kind": "registrations", "name": "x"}]
    answer = api.post("/changes", changes=changes)
    assert answer.status in (404, 422) and answer.json["errors"]
    pointers = {e["pointer"] for e in answer["errors"]}
    assert any(p.startswith("/changes/3") for p in pointers) and any(p.startswith("/changes/4") for p in pointers)
    api.post("/changes", changes=changes[:3:2]).expect(422).violation("/changes/1/value/port", "out_of_range")
    api.get("/registrations/fine").expect(404)


@pytest.mark.parametrize("body", [{}, {"changes": []}, {"changes": {}}, {"changes": [5]}, {"changes": [{}]}, {"changes": None},
                                  {"changes": [{"op": "put", "kind": "registrations"}]}, {"comment": 5, "changes": []}, [], 5, "x", None])
def test_a_malformed_change_set_is_refused(api, body):
    assert api.post("/changes", json.dumps(body)).expect(422)["errors"]


def test_a_comment_that_is_too_long_is_refused(api):
    api.post("/changes", comment="c" * 1025, changes=[{"op": "put", "kind": "registrations", "name": "x", "value": GOOD}]) \
       .expect(422).violation("/comment", "too_long")


# ---- JSON itself

@pytest.mark.parametrize("body, line, column", [
    (b'{"value": ', 1, None), (b'{"value": 60,}', 1, None), (b'{\n "value": 60 70}', 2, None), (b'{"value": 60, "value": 70}', 1, None),
    (b'{"value": 99999999999999999999999}', 1, None), (b'{"value": 1e999}', 1, None), (b'{"value": "\xff"}', 1, None),
    (b'{"value": "\xed\xa0\x80"}', 1, None), (b'{"value": "a\\u0000b"}', 1, None), (b'{"value": "\\ud800"}', 1, None), (b"", 1, None),
    (b'{"value": 60} x', 1, None), (b"{'value': 60}", 1, None), (b'{"value": NaN}', 1, None), (b'{"value": 0x10}', 1, None),
    (b'\xef\xbb\xbf{"value": 60}', 1, None), (b'{"value": "a\x01b"}', 1, None), (b"[" * 100000, 1, None),
    (b'{"value": ' + b"[" * 40 + b"]" * 40 + b"}", 1, None)])
def test_what_is_no_json_is_refused_with_line_and_column(api, body, line, column):
    answer = api.put("/sip-parameters/SS_SIP_USER_AGENT_EXPIRE", body).expect(400, "not_json")
    places = json.dumps(answer.json)
    assert "line" in places and "column" in places, places
    if line == 2:
        assert answer.json.get("line", answer.json.get("errors", [{}])[0].get("line")) == 2


def test_a_body_of_one_mebibyte_is_read_and_one_byte_more_is_not(api):
    fitting = b'{"value": 60' + b" " * ((1 << 20) - 13) + b"}"
    assert len(fitting) == 1 << 20
    api.put("/sip-parameters/SS_SIP_USER_AGENT_EXPIRE", fitting, query={"dry_run": "true"}).expect(200)
    api.put("/sip-parameters/SS_SIP_USER_AGENT_EXPIRE", fitting + b" ", query={"dry_run": "true"}).expect(413)


def test_another_content_type_is_refused(api):
    for kind in ("text/plain", "application/xml", "application/jsonx", "application/x-www-form-urlencoded"):
        api.put("/sip-parameters/SS_SIP_USER_AGENT_EXPIRE", b'{"value": 60}', headers={"Content-Type": kind}).expect(415)
    for kind in ("application/json; charset=utf-8", "application/json"):
        api.put("/sip-parameters/SS_SIP_USER_AGENT_EXPIRE", b'{"value": 60}', query={"dry_run": "true"},
                headers={"Content-Type": kind}).expect(200)
    api.patch("/sip-parameters", b'{"SS_SIP_USER_AGENT_EXPIRE": 60}', query={"dry_run": "true"},
              headers={"Content-Type": "application/merge-patch+json"}).expect(200)


# ---- paths, methods, queries

@pytest.mark.parametrize("path", ["/nothing", "/registrations/none", "/registrations/none/status", "/registrations/none/attempts",
                                  "/sip-parameters/SS_SIP_NOTHING", "/revisions/999999", "/registrations/", "//registrations",
                                  "/registrations/none/else"])
def test_what_is_not_there_is_404(api, path):
    api.get(path).expect(404)


def test_a_method_that_a_path_does_not_take_is_405_with_allow(api):
    for method, path, allowed in (("DELETE", "/registrations", {"GET", "POST"}), ("POST", "/sip-parameters", {"GET", "PATCH"}),
                                  ("PUT", "/status", {"GET"}), ("POST", "/revisions", {"GET"})):
        answer = api.request(method, path, {} if method != "DELETE" else None).expect(405)
        assert allowed <= {word.strip() for word in answer.headers["Allow"].split(",")}


@pytest.mark.parametrize("query", [{"limit": "0"}, {"limit": "1001"}, {"limit": "x"}, {"limit": "-1"}, {"limit": "1e2"},
                                   {"limit": "99999999999999999999"}, {"limt": "5"}])
def test_a_bad_query_parameter_is_refused(api, query):
    answer = api.get("/registrations", **query)
    assert answer.status in (400, 422), repr(answer)
    answer.expect(answer.status)


def test_an_if_match_of_the_past_or_of_nonsense_is_412(api):
    for value in ('"r999999999"', '"x"', "r1", "*x", '"r' + "9" * 400 + '"'):
        api.put("/sip-parameters/SS_SIP_USER_AGENT_EXPIRE", {"value": 60}, headers={"If-Match": value}).expect(412)


def test_patch_and_delete_of_a_missing_one_are_404_and_post_of_an_existing_409(quiet, api):
    api.patch("/registrations/none", port=5).expect(404)
    api.delete("/registrations/none").expect(404)
    api.delete("/sip-parameters/SS_SIP_NOTHING").expect(404)


# ---- HTTP itself

def raw(lab, data, within=5):
    """What comes back for these bytes until the socket is closed or nothing more comes."""
    host, port = lab.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=within) as client:
        client.sendall(data)
        received = b""
        try:
            while more := client.recv(65536):
                received += more
                if b"\r\n\r\n" in received and b"problem+json" in received and received.rstrip().endswith(b"}"):
                    break
        except (TimeoutError, ConnectionResetError):
            pass
    return received


@pytest.mark.parametrize("head", [
    b"GET /api/v1/status HTTP/1.1\r\n\r\n",
    b"POST /api/v1/session HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"GET /api/v1/status HTTP/1.1\r\nHost: x\r\nX: " + b"y" * 20000 + b"\r\n\r\n",
    b"GET /" + b"a" * 20000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    b"POST /api/v1/session HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n",
    b"POST /api/v1/session HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999999\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"\0" * 100 + b"\r\n\r\n", b"GET\r\n\r\n"])
def test_a_malformed_request_is_refused_or_cut_off_and_hurts_nobody(quiet, api, head):
    received = raw(quiet, head)
    assert not received or received.startswith((b"HTTP/1.1 4", b"HTTP/1.0 4", b"HTTP/1.1 5")), received[:200]
    api.get("/status").expect(200)


def test_a_missing_host_is_400(quiet):
    assert raw(quiet, b"GET /healthz HTTP/1.1\r\n\r\n").startswith(b"HTTP/1.1 400")


def test_content_length_beside_transfer_encoding_is_400(quiet):
    head = b"POST /api/v1/session HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"
    assert raw(quiet, head).startswith(b"HTTP/1.1 400")


def test_a_body_announced_too_long_is_refused_before_it_is_sent(quiet):
    head = b"POST /api/v1/session HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 1048577\r\n\r\n"
    assert raw(quiet, head).startswith(b"HTTP/1.1 413")


@pytest.mark.slow
def test_a_head_that_dribbles_is_cut_after_ten_seconds(quiet):

    host, port = quiet.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=1) as client:
        begin = time.monotonic()
        client.sendall(b"GET /healthz HTTP/1.1\r\n")
        try:
            while time.monotonic() - begin < 20:
                client.sendall(b"X: y\r\n")
                try:
                    if not client.recv(1000):
                        break
                except TimeoutError:
                    continue
        except (BrokenPipeError, ConnectionResetError):
            pass
        assert 8 <= time.monotonic() - begin <= 14

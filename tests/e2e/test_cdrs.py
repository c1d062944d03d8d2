"""Call records: from the spool into the database, each once; what GET /cdrs finds and tells."""

import re
import signal
import sqlite3
import subprocess

import jsonschema
import pytest

from lab import BUILD
from test_disk import GOOD, fill, small  # noqa: F401, the fixture
from test_processes import ends_with_one_line
from until import stays, until

T0 = 1767322800  # 2026-01-02T03:00:00Z, in seconds
FIELDS = {"id", "setup_at", "ringing_at", "answered_at", "ended_at", "mapping_gateway", "routing_gateway", "registration", "request_uri_in",
          "to_in", "callee_in", "original", "routed", "to_out", "invite_use_contact", "billing_callee", "caller_in", "caller_out",
          "call_id_in", "call_id_out", "code", "phrase", "hung_up_by", "pdd_ms", "duration_ms", "tried", "skipped"}


class Switch:
    """Writes records as switchcore does, and holds the spool as long."""

    def __init__(self, spool):
        self.process = subprocess.Popen([BUILD / "tests/e2e/write_cdrs", spool], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                        bufsize=1)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        assert self.process.wait(10) in (0, -signal.SIGKILL)

    def write(self, number, answer="ok", **fields):
        fields = {"id": number, "setup_at": (T0 + number) * 1000000, "ended_at": (T0 + number) * 1000000, **fields}
        self.process.stdin.write("\t".join(f"{name}={value}" for name, value in fields.items()) + "\n")
        assert self.process.stdout.readline().strip() == answer
        return f"{fields['id']:016x}"


@pytest.fixture
def spool(lab):
    return lab.run / "cdr"


def ids(api, **query):
    return [int(item["id"], 16) for item in api.pages("/cdrs", **query)]


def wait_for(api, numbers, within=5):
    """These records, last ended first, and no others."""
    until(lambda: ids(api, limit=1000) == list(numbers), within, lambda: f"{numbers}: {ids(api, limit=1000)}")


def test_a_call_is_told_with_every_field(lab, spool):
    api = lab.start("mgmtd").api()
    with Switch(spool) as switch:
        name = switch.write(
            1, ringing_at=T0 * 1000000 + 2500000, answered_at=T0 * 1000000 + 4000000, ended_at=T0 * 1000000 + 64250000,
            mapping_gateway="in", routing_gateway="carrier-b", registration="trunk-a", request_uri_in="8801234567", to_in="8801234567",
            callee_in="8801234567", original="8801234567", routed="998801234567", to_out="8801234567", invite_use_contact="on",
            caller_in="4930", caller_out="+4930", call_id_in="a@b", call_id_out="c@d", code=200, phrase="OK", hung_up_by="callee",
            tried="carrier-a 503;carrier-b 200;", skipped="carrier-c no capacity;")
        switch.write(2, code=404, setup_at=(T0 + 64) * 1000000, ended_at=(T0 + 65) * 1000000)
        wait_for(api, [2, 1])
    call = api.get(f"/cdrs/{name}").expect(200).json
    assert call == {
        "id": "0000000000000001", "setup_at": "2026-01-02T03:00:01.000Z", "ringing_at": "2026-01-02T03:00:02.500Z",
        "answered_at": "2026-01-02T03:00:04.000Z", "ended_at": "2026-01-02T03:01:04.250Z", "mapping_gateway": "in",
        "routing_gateway": "carrier-b", "registration": "trunk-a", "request_uri_in": "8801234567", "to_in": "8801234567",
        "callee_in": "8801234567", "original": "8801234567", "routed": "998801234567", "to_out": "8801234567",
        "invite_use_contact": "on", "billing_callee": "8801234567", "caller_in": "4930", "caller_out": "+4930", "call_id_in": "a@b",
        "call_id_out": "c@d", "code": 200, "phrase": "OK", "hung_up_by": "callee", "pdd_ms": 1500, "duration_ms": 60250,
        "tried": [{"gateway": "carrier-a", "code": 503}, {"gateway": "carrier-b", "code": 200}],
        "skipped": [{"gateway": "carrier-c", "why": "no capacity"}]}
    unknown = api.get("/cdrs/0000000000000002").json
    assert set(unknown) == FIELDS
    assert {field for field, value in unknown.items() if value is not None} == {
        "id", "setup_at", "ended_at", "code", "pdd_ms", "duration_ms", "tried", "skipped"}
    description = api.get("/openapi.json").json
    schema = {"$ref": "#/components/schemas/CdrPage"}
    resolver = jsonschema.RefResolver.from_schema(description)
    page = api.get("/cdrs").expect(200).json
    jsonschema.Draft202012Validator(schema, resolver=resolver).validate(page)
    assert page["items"][1] == call and page["next"] is None
    assert set(description["components"]["schemas"]["Cdr"]["properties"]) == FIELDS


@pytest.mark.threads
def test_calls_are_found_by_time_gateway_number_and_code_page_by_page(lab, spool):
    api = lab.start("mgmtd").api()
    with Switch(spool) as switch:
        for n in range(1, 9):
            switch.write(n, mapping_gateway="in" if n % 2 else "other", routing_gateway="out" if n > 4 else "in", caller_in=f"49{n % 3}",
                         to_out="+880", code=486 if n == 5 else 200)
    wait_for(api, range(8, 0, -1))
    assert ids(api, limit=3) == list(range(8, 0, -1))
    assert ids(api, since="2026-01-02T03:00:03Z", until="2026-01-02T03:00:06Z") == [5, 4, 3]
    assert ids(api, since="2026-01-02T04:00:03+01:00", until="2026-01-02T03:00:04.000001Z") == [4, 3]
    assert ids(api, gateway="in", limit=2) == [7, 5, 4, 3, 2, 1]
    assert ids(api, gateway="out") == [8, 7, 6, 5]
    assert ids(api, gateway="nobody") == []
    assert ids(api, number="491") == [7, 4, 1]
    assert ids(api, number="+880", code=200, gateway="out", limit=1) == [8, 7, 6]
    assert ids(api, code=486) == [5]
    first = api.get("/cdrs", limit=2).expect(200).json
    with Switch(spool) as switch:
        switch.write(9)
    wait_for(api, range(9, 0, -1))
    assert [int(i["id"], 16) for i in api.get("/cdrs", limit=2, cursor=first["next"])["items"]] == [6, 5], "the new call moved the page"
    for query in ({"code": 99}, {"code": "x"}, {"limit": 1001}, {"since": "yesterday"}, {"cursor": "t0-0"}, {"cursor": "r1"},
                  {"number": ""}, {"nobody": 1}):
        api.get("/cdrs", **query).expect(422)
    for path in ("/cdrs/1", "/cdrs/00000000000000zz", "/cdrs/ffffffffffffffff", "/cdrs/%00"):
        assert api.get(path).status in (400, 404), path
    api.request("POST", "/cdrs", {}).expect(405)


@pytest.mark.threads
def test_restarts_of_both_daemons_lose_no_record_and_bring_none_twice(lab, spool):
    """By clean stops and by kill -9, the spool read while its writer lives and after it died."""
    lab.start("switchcore")
    until(lambda: list(spool.glob("*.cdr")), 5, "a file of the running switch")
    lab.stop("switchcore")
    with Switch(spool) as switch:
        switch.write(1)
    api = lab.start("mgmtd", "switchcore").api()
    wait_for(api, [1])
    lab.kill("mgmtd")
    lab.kill("switchcore")
    with Switch(spool) as switch:
        switch.write(2)
        switch.write(3)
        lab.start("mgmtd")
        wait_for(api, [3, 2, 1])
        switch.write(4)
        lab.kill("mgmtd")
        switch.write(5)
        switch.process.kill()
    lab.start("switchcore", "mgmtd")
    wait_for(api, range(5, 0, -1))
    for name in ("mgmtd", "switchcore"):
        lab.restart(name)
    lab.stop("switchcore")
    with Switch(spool) as switch:
        switch.write(6)
    wait_for(api, range(6, 0, -1))
    until(lambda: len(list(spool.glob("*.cdr"))) == 1, 5, "the files that were taken removed")
    assert "stored already" not in lab.log("mgmtd") and "no whole record" not in lab.log("mgmtd")


def test_a_torn_record_is_passed_over_and_told(lab, spool):
    lab.start("mgmtd")
    with Switch(spool) as switch:
        switch.write(1)
        (file,) = spool.glob("*.cdr")
        with open(file, "ab") as torn:
            torn.write(file.read_bytes()[:40])
    with Switch(spool) as switch:
        switch.write(2)
        wait_for(lab.api(), [2, 1])
    lab.mgmtd.wait_log("40 bytes before")


def test_records_wait_while_the_disk_is_full(small, spool):  # noqa: F811
    lab, api = small, small.start("mgmtd").api()
    with Switch(spool) as switch:
        switch.write(1)
        wait_for(api, [1])
        filler, n = fill(lab.state), 1
        while "cdr.db cannot be written" not in lab.mgmtd.log():  # what the database's files still had room for
            for n in range(n + 1, n + 21):
                switch.write(n, tried="gateway-with-a-name 503;" * 150)
            assert n < 400
            until(lambda: "cdr.db cannot" in lab.mgmtd.log() or len(ids(api, limit=1000)) == n, 5, "the records taken or the trouble told")
        held = len(ids(api, limit=1000))
        assert held < n
        stays(lambda: lab.mgmtd.log().count("cdr.db") == 1, 2.5, "one line for the trouble")
        assert len(ids(api, limit=1000)) == held
        filler.unlink()
        wait_for(api, range(n, 0, -1), within=15)
    lab.mgmtd.wait_log("cdr.db can be written again")
    assert "stored already" not in lab.mgmtd.log()


def test_a_locked_cdr_database_holds_up_records_and_nothing_else(lab, spool):
    api = lab.start("mgmtd").api()
    with Switch(spool) as switch:
        switch.write(1)
        wait_for(api, [1])
        other = sqlite3.connect(lab.state / "cdr.db", isolation_level=None, timeout=5)
        other.execute("BEGIN IMMEDIATE")
        switch.write(2)
        lab.mgmtd.wait_log("cdr.db cannot be written")
        for value in range(300, 310):
            api.put("/sip-parameters/SS_SIP_USER_AGENT_EXPIRE", value=value).expect(200)
        assert ids(api) == [1]
        other.execute("ROLLBACK")
        wait_for(api, [2, 1])
    assert lab.mgmtd.log().count("cdr.db cannot be written") == 1


def test_a_spool_deleted_by_hand_is_made_anew(lab, spool):
    api = lab.start("mgmtd").api()
    with Switch(spool) as switch:
        switch.write(1)
        wait_for(api, [1])
        for file in spool.iterdir():
            file.unlink()
        spool.rmdir()
        switch.write(2)
        wait_for(api, [2, 1])


def test_records_older_than_asked_for_are_deleted(lab, spool):
    now = int(subprocess.run(["date", "+%s"], capture_output=True, text=True, check=True).stdout)
    with Switch(spool) as switch:
        for n in range(1, 8):
            switch.write(n, ended_at=(now - n * 86400 + 600) * 1000000, to_in="47")
    api = lab.start("mgmtd").api()
    wait_for(api, range(1, 8))
    lab.extra["mgmtd"] = ["--cdr-keep-days", "3"]
    lab.restart("mgmtd")
    wait_for(api, [1, 2, 3])
    assert ids(api, number="47") == [1, 2, 3]


def test_the_spool_lies_where_both_are_told_and_has_one_writer(lab, tmp_path):
    spool = tmp_path / "calls"
    lab.start("mgmtd", "switchcore", mgmtd=["--cdr-spool", spool], switchcore=["--cdr-spool", spool])
    assert list(spool.glob("*.cdr")) and not (lab.run / "cdr").exists()
    assert spool.stat().st_mode & 0o777 == 0o700
    result = subprocess.run([BUILD / "tests/e2e/write_cdrs", spool], input="", capture_output=True, text=True, timeout=10)
    assert result.returncode == 1 and "another switchcore" in result.stderr
    lab.stop("switchcore")
    with Switch(spool) as switch:
        switch.write(1)
        wait_for(lab.api(), [1])
        daemon = lab.launch("switchcore")
        ends_with_one_line(daemon, str(spool), "another switchcore")


def test_the_database_and_the_documentation_agree(lab, spool):
    """What a person sees who asks cdr.db by hand."""
    api = lab.start("mgmtd").api()
    with Switch(spool) as switch:
        switch.write(0xFEDCBA9876543210, setup_at=T0 * 1000000, answered_at=T0 * 1000000 + 1000000, ended_at=T0 * 1000000 + 3500000, to_out="1")
        until(lambda: api.get("/cdrs")["items"], 5, "the record")
    call = api.get("/cdrs")["items"][0]
    database = sqlite3.connect(lab.state / "cdr.db")
    database.row_factory = sqlite3.Row
    (row,) = database.execute("SELECT * FROM calls").fetchall()
    for field in ("id", "setup_at", "answered_at", "ended_at", "duration_ms", "billing_callee"):
        assert row[field] == call[field], field


@pytest.mark.parametrize("words", [["--cdr-keep-days", "x"], ["--cdr-keep-days", "10001"], ["--cdr-keep-days", "-1"], ["--cdr-spool", "x" * 5000]])
def test_a_wrong_option_is_told(lab, words):
    result = subprocess.run([BUILD / "mgmtd", "--run", lab.run, "--state", lab.state, *words], capture_output=True, text=True, timeout=10)
    assert result.returncode == 2 and words[0] in result.stderr and len(result.stderr.splitlines()) == 1


def test_every_option_is_in_the_help():
    for program, options in (("mgmtd", ("--cdr-spool", "--cdr-keep-days")), ("switchcore", ("--cdr-spool", "--cdr-spool-bytes"))):
        text = subprocess.run([BUILD / program, "--help"], capture_output=True, text=True, timeout=10).stdout
        assert all(re.search(rf"^ +{option}\b", text, re.M) for option in options)

"""/metrics: well-formed, guarded, and each metric moved by what it is about."""

import os
import pathlib
import re
import sqlite3
import time

import pytest

import peer as peers
from api import Api
from exchange import NUMBER
from lab import ADMIN_PASSWORD
from prometheus import ask_promtool, scrape
from test_cdrs import Switch
from test_events import Listener
from until import until


def moves(api, by, name, within=5, **labels):
    """A context in which the metric grows by exactly so much; what it was about may take a moment to be told."""
    class Moves:
        def __enter__(self):
            self.before = scrape(api).get(name, **labels) or 0

        def __exit__(self, kind, *_):
            if kind is None:
                now = lambda: (scrape(api).get(name, **labels) or 0) - self.before  # noqa: E731
                until(lambda: now() == by, within, lambda: f"{name} {labels} by {by}, not {now()}")
    return Moves()


def test_the_text_is_as_prometheus_reads_it(exchange):
    caller, callee = exchange.caller(), exchange.gateway()
    call, leg = exchange.talking(caller, callee)
    exchange.registration()
    text = exchange.api.get("/metrics").text
    ask_promtool(text)
    found = scrape(exchange.api)
    assert found.get("tandem_build_info") == 1 and found.get("tandem_switchcore_info") == 1
    description = exchange.api.get("/openapi.json").json["paths"]["/metrics"]["get"]
    assert "text/plain" in description["responses"]["200"]["content"]
    call.bye()
    leg.hung_up()


def test_the_metrics_that_the_readme_names_are_there(exchange):
    section = (pathlib.Path(__file__).parents[2] / "README.md").read_text().partition("### Watching it")[2]
    named = set(re.findall(r"\btandem_[a-z_]+", section))
    assert len(named) > 8 and named <= set(scrape(exchange.api).types), named - set(scrape(exchange.api).types)


def test_only_who_may_read_the_api_may_read_the_metrics(lab):
    lab.start("mgmtd")
    answer = Api(lab.url).get("/metrics").expect(401)
    assert "WWW-Authenticate" in answer.headers and "tandem_" not in answer.text
    Api(lab.url, token="x").get("/metrics").expect(401)
    assert scrape(lab.api()).get("tandem_switchcore_up") == 0


def test_the_option_opens_the_metrics_and_nothing_else_on_loopback(lab):
    lab.start("mgmtd", mgmtd=["--metrics-open-on-loopback"])
    stranger = Api(lab.url)
    assert scrape(stranger).get("tandem_build_info") == 1
    stranger.get("/status").expect(401)


def test_states_transitions_and_round_trips_of_registrations(lab):
    good, bad = lab.peer(), lab.peer(peers.refusing(403))
    api = lab.start("mgmtd", "switchcore").api()
    lab.wait_switch()
    with moves(api, 1, "tandem_registrations", state="registered"), moves(api, 1, "tandem_register_successes_total"), \
            moves(api, 1, "tandem_register_rtt_seconds_count"), \
            moves(api, 1, "tandem_registration_transitions_total", **{"from": "registering", "to": "registered"}):
        api.registration("good", good)
        api.wait_for_state("good", "registered")
    with moves(api, 1, "tandem_registrations", state="waiting"), moves(api, 1, "tandem_register_failures_total", reason="rejected"), \
            moves(api, 1, "tandem_registration_transitions_total", to="waiting"):
        api.registration("bad", bad)
        api.wait_for_state("bad", "waiting")
    assert scrape(api).get("tandem_registrations") == 2
    with moves(api, -1, "tandem_registrations", state="registered"):
        api.delete("/registrations/good").expect(200)


def test_calls_answers_and_failures_by_gateway_and_code(exchange):
    api, caller, callee = exchange.api, exchange.caller(), exchange.gateway()
    routing, mapping = {"kind": "routing-gateways", "gateway": "gateway"}, {"kind": "mapping-gateways", "gateway": "caller"}
    with moves(api, 1, "tandem_calls_total"), moves(api, 1, "tandem_calls_answered_total"), moves(api, 1, "tandem_cdrs_written_total"), \
            moves(api, 1, "tandem_cdrs_stored_total"), moves(api, 1, "tandem_gateway_calls_total", **routing), \
            moves(api, 1, "tandem_gateway_calls_answered_total", **routing), moves(api, 1, "tandem_gateway_calls_answered_total", **mapping):
        with moves(api, 1, "tandem_calls_active"), moves(api, 1, "tandem_gateway_calls", **routing), moves(api, 1, "tandem_gateway_calls", **mapping):
            call, leg = exchange.talking(caller, callee)
        call.bye()
        leg.hung_up()
    until(lambda: scrape(api).get("tandem_calls_active") == 0, 5, "no active call")
    assert scrape(api).get("tandem_call_failures_total", **routing) is None
    with moves(api, 1, "tandem_call_failures_total", code="486", **routing), moves(api, 1, "tandem_call_failures_total", code="486", **mapping):
        busy = caller.invite(NUMBER)
        callee.incoming().reply(486)
        busy.refused(486)
    with moves(api, 1, "tandem_call_failures_total", code="404", **mapping), moves(api, 0, "tandem_call_failures_total", **routing):
        caller.invite("1" + NUMBER).refused(404)
    with moves(api, 1, "tandem_call_failures_total", code="6xx", **routing):
        odd = caller.invite(NUMBER)
        callee.incoming().reply(699)
        odd.refused(699)
    assert scrape(api).get("tandem_gateway_routable", **routing) == 1
    exchange.change("routing-gateways", "gateway", locked=True)
    until(lambda: scrape(api).get("tandem_gateway_routable", **routing) == 0, 3, "a gateway that takes no calls")


def test_changes_by_what_became_of_them(lab):
    api = lab.start("mgmtd").api()
    put = lambda value, **query: api.put("/sip-parameters/SS_SIP_USER_AGENT_EXPIRE", query=query, value=value)  # noqa: E731
    with moves(api, 1, "tandem_changes_total", result="changed"), moves(api, 1, "tandem_change_duration_seconds_count"), \
            moves(api, 1, "tandem_changes_total", result="unchanged"), moves(api, 1, "tandem_changes_total", result="refused"), \
            moves(api, 1, "tandem_changes_total", result="dry_run"), moves(api, 1, "tandem_stored_revision"), \
            moves(api, 1, "tandem_published_generation"):
        put(60).expect(200)
        put(60).expect(200)
        put(1).expect(422)
        put(61, dry_run="true").expect(200)
    assert scrape(api).get("tandem_change_duration_seconds_sum") > 0
    found = scrape(api)
    assert 0 < found.get("tandem_segment_pages", state="used") < found.get("tandem_segment_pages", state="total")


def test_requests_by_route_and_status_and_log_ins(lab):
    api = lab.start("mgmtd").api()
    one = {"method": "GET", "route": "/api/v1/registrations/{name}"}
    with moves(api, 2, "tandem_http_requests_total", status="4xx", **one), moves(api, 1, "tandem_http_requests_total", route="", status="4xx"), \
            moves(api, 2, "tandem_http_request_duration_seconds_count", **one):
        api.get("/registrations/nobody").expect(404)
        Api(lab.url).get("/registrations/nobody").expect(401)
        api.get("/no/such/path").expect(404)
    with moves(api, 1, "tandem_log_in_failures_total", reason="credentials"), moves(api, 1, "tandem_log_ins_total"):
        api.post("/session", username="admin", password="wrong password").expect(401)
        Api(lab.url, password=ADMIN_PASSWORD)


def test_a_switch_that_is_gone_shows_and_nothing_of_it_is_frozen_green(lab):
    registrar = lab.peer()
    api = lab.start("mgmtd", "switchcore").api()
    lab.wait_switch()
    api.registration("a", registrar)
    api.wait_for_state("a", "registered")
    until(lambda: scrape(api).get("tandem_applied_lag_seconds") == 0, 3, "everything applied")
    found = scrape(api)
    assert found.get("tandem_switchcore_up") == 1 and found.get("tandem_switchcore_heartbeat_age_seconds") < 2
    assert found.get("tandem_applied_generation") == found.get("tandem_published_generation")
    assert found.get("tandem_switchcore_resident_memory_bytes") > 1e6 and found.get("tandem_switchcore_open_fds") > 3
    lab.kill("switchcore")
    until(lambda: scrape(api).get("tandem_switchcore_up") == 0, 4, "the switch down")
    assert scrape(api).get("tandem_registrations") is None
    api.put("/sip-parameters/SS_SIP_USER_AGENT_EXPIRE", value=60).expect(200)
    until(lambda: (scrape(api).get("tandem_applied_lag_seconds") or 0) > 0.2, 5, "a lag")
    lab.start("switchcore")
    until(lambda: scrape(api).get("tandem_switchcore_up") == 1 and scrape(api).get("tandem_applied_lag_seconds") == 0, 5, "the switch up")


def test_call_records_that_wait_are_measured_and_told(lab):
    api = lab.start("mgmtd").api()
    with Switch(lab.run / "cdr") as writer:
        writer.write(1)
        until(lambda: scrape(api).get("tandem_cdrs_stored_total") == 1, 5, "the record taken")
        other = sqlite3.connect(lab.state / "cdr.db", isolation_level=None, timeout=5)
        other.execute("BEGIN IMMEDIATE")
        writer.write(2)
        until(lambda: scrape(api).get("tandem_cdr_spool_bytes") > 0, 15, "a backlog")
        assert scrape(api).get("tandem_cdr_spool_files") == 1
        assert api.get("/status")["cdrs"] == {"spool_files": 1, "spool_bytes": scrape(api).get("tandem_cdr_spool_bytes"), "lost": None}
        other.execute("ROLLBACK")
        until(lambda: scrape(api).get("tandem_cdr_spool_bytes") == 0, 15, "no backlog")
        assert api.get("/status")["cdrs"] == {"spool_files": 0, "spool_bytes": 0, "lost": None}


def test_listeners_are_counted(lab):
    api = lab.start("mgmtd").api()
    with moves(api, 2, "tandem_events_clients"), moves(api, 1, "tandem_events_published_total"):
        listeners = [Listener(lab) for _ in range(2)]
        api.put("/sip-parameters/SS_SIP_USER_AGENT_EXPIRE", value=60).expect(200)
    for listener in listeners:
        listener.close()
    until(lambda: scrape(api).get("tandem_events_clients") == 0, 5, "no listener")


def test_the_process_is_measured(quiet):
    found = scrape(quiet.api())
    pid = quiet.mgmtd.pid
    assert found.get("process_open_fds") == pytest.approx(len(os.listdir(f"/proc/{pid}/fd")), abs=5)
    assert 1e6 < found.get("process_resident_memory_bytes") < 1e9
    assert found.get("process_start_time_seconds") == pytest.approx(time.time(), abs=300) and found.get("process_cpu_seconds_total") > 0


@pytest.mark.threads
def test_many_gateways_are_told_each_once(lab):
    api = lab.start("mgmtd", "switchcore").api()
    changes = [{"op": "put", "kind": "routing-gateways", "name": f"g{n:04}", "value": {"host": "192.0.2.1", "prefixes": ["7"]}} for n in range(200)]
    changes += [{"op": "put", "kind": "mapping-gateways", "name": f"g{n:04}", "value": {"sources": [f"192.0.2.1:{n + 1}"]}} for n in range(200)]
    api.post("/changes", changes=changes).expect(200)
    until(lambda: scrape(api).get("tandem_gateway_routable") == 400, 5, lambda: f"400 gateways: {scrape(api).get('tandem_gateway_routable')}")


def test_a_spool_that_is_full_by_its_option_loses_the_newest_and_says_so(own_exchange):
    """mgmtd takes nothing for as long as another holds its database."""
    exchange = own_exchange
    lab = exchange.lab
    lab.extra["switchcore"] = ["--cdr-spool-bytes", "16777216"]
    lab.restart("switchcore")
    lab.wait_switch()
    other = sqlite3.connect(lab.state / "cdr.db", isolation_level=None, timeout=5)
    other.execute("BEGIN IMMEDIATE")
    (lab.run / "cdr" / "00000000000000ff-1-0000000000000001.cdr").write_bytes(b"\0" * 16777216)
    caller = exchange.caller()
    lost = lambda: scrape(exchange.api).get("tandem_cdrs_lost_total")  # noqa: E731
    lab.restart("switchcore")
    lab.wait_switch()
    caller.invite(NUMBER).refused(404)
    until(lambda: lost() == 1, 5, "a record lost")
    assert exchange.api.get("/status")["cdrs"]["lost"] == 1
    lab.switchcore.wait_log("its record is lost: the spool is full")
    other.execute("ROLLBACK")
    other.close()

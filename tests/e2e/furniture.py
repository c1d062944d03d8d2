"""A lab in which every view of the panel has something to show: each state, gateways, calls that run and calls that ended, a history."""

from exchange import NUMBER, Exchange

CARRIER, OFF, WRONG, DEAD = "carrier-a", "carrier-off", "carrier-wrong", "carrier-dead"
ROUTING, MAPPING = "long-distance", "office"
VIEWER = ("vera", "only looking around")


def furnish(lab):
    """The exchange that holds it: to be ended."""
    api = lab.start("mgmtd", "switchcore").wait_switch() or lab.api()
    registrar = lab.kamailio()
    registrar.account(CARRIER, "secret")
    api.registration(CARRIER, registrar, note="the good one", display_name="Tandem")
    api.registration(OFF, registrar, enabled=False)
    api.registration(WRONG, registrar, password="not it")
    api.registration(DEAD, registrar, port=9, transport="tcp")
    exchange = Exchange(lab)
    caller = exchange.caller(MAPPING, note="second floor")
    callee = exchange.gateway(ROUTING, caller_rewrite=[{"match": "00", "replace": "+"}], priority=10)
    exchange.gateway("locked", prefixes=["881"], locked=True)
    call, leg = exchange.talking(caller, callee)
    exchange.cdr_after(call)
    exchange.talking(caller, callee)
    busy = caller.invite(NUMBER)
    callee.incoming().reply(486)
    busy.refused(486)
    api.patch("/sip-parameters", query={"comment": "shorter"}, SS_SIP_USER_AGENT_RETRY_DELAY=90).expect(200)
    api.post("/users", username=VIEWER[0], password=VIEWER[1], role="viewer").expect(201)
    api.wait_for_state(CARRIER, "registered")
    api.wait_for_state(WRONG, "waiting")
    api.wait_for_state(DEAD, "waiting")
    lab.revision = api.get("/revisions")["items"][0]["revision"]
    return exchange


# Every view.  {revision}: the newest
ROUTES = {
    "overview": "#/", "registrations": "#/registrations", "registration": f"#/registrations/{CARRIER}", "waiting-registration": f"#/registrations/{WRONG}",
    "new-registration": "#/new/registrations", "gateways": "#/gateways", "routing-gateway": f"#/routing-gateways/{ROUTING}",
    "mapping-gateway": f"#/mapping-gateways/{MAPPING}", "new-routing-gateway": "#/new/routing-gateways", "new-mapping-gateway": "#/new/mapping-gateways",
    "calls": "#/calls", "call-records": "#/calls?view=records", "trace": "#/trace", "parameters": "#/parameters", "history": "#/history", "revision": "#/history/{revision}",
    "comparison": "#/history?from=1&to={revision}", "nowhere": "#/nowhere",
}

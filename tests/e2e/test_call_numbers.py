"""Which number stands where: where callee and caller are read, how they are rewritten, and what Request-URI and To say."""

import pytest

from exchange import NUMBER
from sip import user_of

PREFIX = [{"match": "880", "replace": "99880"}]
MODES = pytest.mark.parametrize("mode, words", [(False, "off"), (True, "on")])


def received(phone, gateway, number=NUMBER, **options):
    """The INVITE that the gateway got."""
    phone.invite(number, **options)
    return gateway.incoming().invite


def identity(user, host="peer.example", display=None):
    return (f"{display} " if display else "") + f"<sip:{user}@{host}>"


def from_header(user, display=None):
    return ("From", f"{identity(user, display=display)};tag=caller")


# ------------------------------------------------------------------ Request-URI and To

# (global parameter, the gateway's own, the mode in force)
IN_FORCE = [(False, "inherit", "off"), (True, "inherit", "on"), (False, "off", "off"), (True, "off", "off"), (False, "on", "on"), (True, "on", "on")]


@pytest.mark.parametrize("parameter, own, mode", IN_FORCE)
def test_the_prefix_vector_in_every_combination_of_parameter_and_gateway(exchange, parameter, own, mode):
    exchange.set(SS_SIP_ROUTING_GATEWAY_INVITE_USE_CONTACT=parameter)
    caller, callee = exchange.caller(), exchange.gateway(callee_rewrite=PREFIX, sip={"invite_use_contact": own})
    call = caller.invite("8801234567", uri="sip:8801234567@switch", to="<sip:8801234567@switch>")
    leg = callee.incoming()
    address = f"{callee.host}:{callee.port}"
    assert leg.invite.uri == f"sip:998801234567@{address}"
    number = {"off": "998801234567", "on": "8801234567"}[mode]
    assert leg.invite["to"] == f"<sip:{number}@{address}>"
    leg.reply(486)
    call.refused(486)
    record = exchange.cdr(call)
    assert (record["invite_use_contact"], record["billing_callee"], record["to_out"]) == (mode, number, number)
    assert (record["routed"], record["original"], record["callee_in"]) == ("998801234567", "8801234567", "8801234567")


@pytest.mark.parametrize("parameter, own, mode", IN_FORCE)
def test_the_request_line_vector_in_every_combination_of_parameter_and_gateway(exchange, parameter, own, mode):
    exchange.set(SS_SIP_ROUTING_GATEWAY_INVITE_USE_CONTACT=parameter)
    caller = exchange.caller(sip={"callee": "request_line"})
    callee = exchange.gateway(prefixes=["7"], sip={"invite_use_contact": own})
    invite = received(caller, callee, uri="sip:7001@switch", to="<sip:8801234567@switch>")
    assert user_of(invite.uri) == "7001"
    assert user_of(invite["to"]) == {"off": "7001", "on": "8801234567"}[mode]


def test_the_mode_changes_with_the_next_call_and_without_a_restart(exchange):
    caller, callee = exchange.caller(), exchange.gateway(callee_rewrite=PREFIX)
    seen = []
    for mode in (False, True, False):
        exchange.set(SS_SIP_ROUTING_GATEWAY_INVITE_USE_CONTACT=mode)
        seen.append(user_of(received(caller, callee)["to"]))
    assert seen == ["998801234567", "8801234567", "998801234567"]


def test_two_gateways_may_have_different_modes_in_one_call(exchange):
    caller = exchange.caller()
    first = exchange.gateway("first", priority=1, callee_rewrite=PREFIX, sip={"invite_use_contact": "on"})
    second = exchange.gateway("second", priority=2, callee_rewrite=PREFIX, sip={"invite_use_contact": "off"})
    call = caller.invite(NUMBER)
    leg = first.incoming()
    leg.reply(500)
    other = second.incoming().invite
    assert (user_of(leg.invite["to"]), user_of(other["to"])) == (NUMBER, "99" + NUMBER)
    assert user_of(leg.invite.uri) == user_of(other.uri) == "99" + NUMBER
    call.invite.cancel()


@MODES
def test_no_contact_header_is_involved(exchange, mode, words):
    """The Contact is the switch's own in both modes, whatever the parameter's name says."""
    exchange.set(SS_SIP_ROUTING_GATEWAY_INVITE_USE_CONTACT=mode)
    caller, callee = exchange.caller(), exchange.gateway(callee_rewrite=PREFIX)
    invite = received(caller, callee)
    host, port = exchange.lab.sip_port()
    assert f"@{host}:{port}" in invite["contact"] or f"<sip:{host}:{port}" in invite["contact"]
    assert "880" not in invite["contact"]


@MODES
def test_a_to_without_a_user_counts_as_the_number_that_was_read(exchange, mode, words):
    exchange.set(SS_SIP_ROUTING_GATEWAY_INVITE_USE_CONTACT=mode)
    caller = exchange.caller(sip={"callee": "request_line"})
    callee = exchange.gateway(callee_rewrite=PREFIX)
    invite = received(caller, callee, uri="sip:8801234567@switch", to="<sip:switch>")
    assert user_of(invite.uri) == "998801234567"
    assert user_of(invite["to"]) == {"off": "998801234567", "on": "8801234567"}[words]


@MODES
def test_the_number_as_dialled_is_to_as_received_and_not_what_mapping_made_of_it(exchange, mode, words):
    exchange.set(SS_SIP_ROUTING_GATEWAY_INVITE_USE_CONTACT=mode)
    caller = exchange.caller(callee_rewrite=[{"match": "0", "replace": "880"}])
    callee = exchange.gateway(callee_rewrite=PREFIX)
    invite = received(caller, callee, "0123456789")
    assert user_of(invite.uri) == "99880123456789"
    assert user_of(invite["to"]) == {"off": "99880123456789", "on": "0123456789"}[words]


def test_the_to_of_the_gateways_leg_is_no_tag_of_the_callers(exchange):
    caller, callee = exchange.caller(), exchange.gateway(sip={"invite_use_contact": "on"})
    invite = received(caller, callee, to=f'"Somebody" <sip:{NUMBER}@switch;user=phone>')
    assert invite["to"] == f"<sip:{NUMBER}@{callee.host}:{callee.port}>" and invite.to_tag is None


# ------------------------------------------------------------------ where the callee is read

DIVERSION = ("Diversion", "<sip:8805555@pbx.example>;reason=unconditional;counter=1")


@pytest.mark.parametrize("source, headers, number", [
    ("to", [DIVERSION], "8801111"), ("request_line", [DIVERSION], "8802222"), ("diversion", [DIVERSION], "8805555"),
    ("diversion", [], "8801111"),
    ("diversion", [("Diversion", ["<sip:8807777@a.example>;reason=no-answer", "<sip:8805555@b.example>"])], "8807777"),
    ("diversion", [("Diversion", "<sip:8807777@a.example>;reason=no-answer, <sip:8805555@b.example>")], "8807777"),
    ("diversion", [("Diversion", '"One, Two" <tel:8806666>')], "8806666"),
])
def test_the_callee_is_read_where_the_mapping_gateway_says(exchange, source, headers, number):
    caller, callee = exchange.caller(sip={"callee": source}), exchange.gateway()
    call = caller.invite("8802222", to="<sip:8801111@switch>", headers=headers)
    leg = callee.incoming()
    assert user_of(leg.invite.uri) == number
    leg.reply(486)
    call.refused(486)
    record = exchange.cdr(call)
    assert (record["callee_in"], record["request_uri_in"], record["to_in"], record["original"]) == (number, "8802222", "8801111", "8801111")


@pytest.mark.parametrize("source, number", [("to", "8801111"), ("request_line", "8802222"), ("diversion", "8805555")])
def test_the_mode_never_changes_what_is_read(exchange, source, number):
    caller, callee = exchange.caller(sip={"callee": source}), exchange.gateway()
    for mode in (False, True):
        exchange.set(SS_SIP_ROUTING_GATEWAY_INVITE_USE_CONTACT=mode)
        invite = received(caller, callee, "8802222", to="<sip:8801111@switch>", headers=[DIVERSION])
        assert user_of(invite.uri) == number
        assert user_of(invite["to"]) == ("8801111" if mode else number)


def test_a_changed_callee_source_is_used_by_the_next_call(exchange):
    caller, callee = exchange.caller(), exchange.gateway()
    assert user_of(received(caller, callee, "8802222", to="<sip:8801111@switch>").uri) == "8801111"
    exchange.change("mapping-gateways", "caller", sip={"callee": "request_line"})
    assert user_of(received(caller, callee, "8802222", to="<sip:8801111@switch>").uri) == "8802222"


@pytest.mark.parametrize("written, number", [
    ("+15550100", "+15550100"), ("%2B15550100", "+15550100"), ("+15550100;npdi;rn=1", "+15550100"), ("*21#", "*21#"), ("alice", "alice")])
def test_numbers_of_other_shapes_reach_the_gateway_as_what_they_are(exchange, written, number):
    caller, callee = exchange.caller(), exchange.gateway(prefixes=[])
    invite = received(caller, callee, to=f"<sip:{written}@switch>")
    assert user_of(invite.uri).replace("%23", "#").replace("%2B", "+") == number


# ------------------------------------------------------------------ where the caller is read

RPID = ("Remote-Party-ID", '"Reception" <sip:4930222@pbx.example>;party=calling;screen=yes')
PAI = ("P-Asserted-Identity", "<sip:4930333@pbx.example>")
PPI = ("P-Preferred-Identity", "<sip:4930444@pbx.example>")
NAMED = from_header("4930111", '"4930555"')
ALL = [RPID, PAI, PPI, NAMED]


@pytest.mark.parametrize("source, headers, number", [
    ("from", ALL, "4930111"),
    ("remote_party_id", ALL, "4930222"), ("remote_party_id", [PAI, PPI, NAMED], "4930111"),
    ("display", ALL, "4930555"), ("display", [RPID, PAI, PPI, from_header("4930111")], "4930111"),
    ("display", [from_header("4930111", "4930555")], "4930555"), ("display", [from_header("4930111", '"Alice"')], "4930111"),
    ("display", [from_header("4930111", '"+49 (30) 555-12"')], "+493055512"),
    ("p_asserted_identity", ALL, "4930333"), ("p_asserted_identity", [RPID, PPI, NAMED], "4930111"),
    ("p_asserted_identity", [("P-Asserted-Identity", ["<sip:4930333@pbx.example>", "<tel:+4930999>"])], "4930333"),
    ("p_asserted_identity", [("P-Asserted-Identity", "<tel:+4930999>")], "+4930999"),
    ("p_asserted_identity", [("P-Asserted-Identity", '"Doe, Jane" <sip:4930333@pbx.example>, <tel:+4930999>')], "4930333"),
    ("p_preferred_identity", ALL, "4930444"), ("p_preferred_identity", [RPID, PAI, NAMED], "4930111"),
])
def test_the_caller_is_read_where_the_mapping_gateway_says_else_from(exchange, source, headers, number):
    caller, callee = exchange.caller(sip={"caller": source}), exchange.gateway()
    call = caller.invite(NUMBER, headers=headers)
    leg = callee.incoming()
    assert user_of(leg.invite["from"]) == number
    leg.reply(486)
    call.refused(486)
    assert [exchange.cdr(call)[name] for name in ("caller_in", "caller_out")] == [number, number]


def test_the_from_of_the_gateways_leg_is_the_switchs_own_address(exchange):
    caller, callee = exchange.caller(), exchange.gateway()
    invite = received(caller, callee, headers=[from_header("4930111", '"Alice"')])
    host, port = exchange.lab.sip_port()
    assert invite["from"].startswith(f"<sip:4930111@{host}"), invite["from"]
    assert "peer.example" not in invite["from"] and invite.from_tag != "caller"


def test_a_caller_without_a_number_is_anonymous(exchange):
    caller, callee = exchange.caller(), exchange.gateway()
    assert user_of(received(caller, callee, headers=[("From", "<sip:pbx.example>;tag=x")])["from"]) == "anonymous"


# ------------------------------------------------------------------ rewriting

RULES = [{"match": "", "replace": "0"}, {"match": "880", "replace": "99880"}, {"match": "8801", "replace": "771"}]


@pytest.mark.parametrize("side", ["mapping", "routing"])
@pytest.mark.parametrize("number, out", [("8801234", "771234"), ("8805", "998805"), ("4930", "04930")])
def test_the_longest_rule_wins_and_is_applied_once(exchange, side, number, out):
    mapping, routing = (RULES, []) if side == "mapping" else ([], RULES)
    caller, callee = exchange.caller(callee_rewrite=mapping), exchange.gateway(prefixes=[], callee_rewrite=routing)
    assert user_of(received(caller, callee, number).uri) == out


@pytest.mark.parametrize("side", ["mapping", "routing"])
@pytest.mark.parametrize("number, out", [("8801234", "771234"), ("8805", "998805"), ("4930", "04930")])
def test_caller_numbers_are_rewritten_alike(exchange, side, number, out):
    mapping, routing = (RULES, []) if side == "mapping" else ([], RULES)
    caller, callee = exchange.caller(caller_rewrite=mapping), exchange.gateway(caller_rewrite=routing)
    call = caller.invite(NUMBER, caller=number)
    leg = callee.incoming()
    assert user_of(leg.invite["from"]) == out
    leg.reply(486)
    call.refused(486)
    assert [exchange.cdr(call)[name] for name in ("caller_in", "caller_out")] == [number, out]


def test_mapping_rewrites_before_the_route_is_chosen_and_routing_after(exchange):
    caller = exchange.caller(callee_rewrite=[{"match": "0", "replace": "880"}], caller_rewrite=[{"match": "30", "replace": "4930"}])
    wrong = exchange.gateway("wrong", prefixes=["0", "99"])
    right = exchange.gateway("right", prefixes=["880"], callee_rewrite=PREFIX, caller_rewrite=[{"match": "49", "replace": "0049"}])
    call = caller.invite("0123456789", caller="30111")
    leg = right.incoming()
    assert (user_of(leg.invite.uri), user_of(leg.invite["from"])) == ("99880123456789", "004930111")
    leg.reply(486)
    call.refused(486)
    record = exchange.cdr(call)
    assert (record["callee_in"], record["original"], record["routed"]) == ("0123456789", "0123456789", "99880123456789")
    wrong.hears_nothing(0.1)


def test_allowed_prefixes_judge_the_number_as_it_came_in(exchange):
    caller = exchange.caller(allowed_prefixes=["0"], callee_rewrite=[{"match": "0", "replace": "880"}])
    callee = exchange.gateway()
    caller.invite("0123456789")
    callee.incoming()
    caller.invite(NUMBER).refused(403)


def test_each_gateway_of_a_failover_rewrites_the_number_before_its_own_rewriting(exchange):
    caller = exchange.caller()
    first = exchange.gateway("first", priority=1, callee_rewrite=[{"match": "880", "replace": "1"}])
    second = exchange.gateway("second", priority=2, callee_rewrite=[{"match": "8801", "replace": "2"}])
    caller.invite(NUMBER)
    leg = first.incoming()
    leg.reply(500)
    assert user_of(leg.invite.uri) == "11234567"
    assert user_of(second.incoming().invite.uri) == "2234567"


def test_a_rule_may_take_the_whole_prefix_away(exchange):
    caller, callee = exchange.caller(), exchange.gateway(callee_rewrite=[{"match": "880", "replace": ""}])
    assert user_of(received(caller, callee).uri) == "1234567"


# ------------------------------------------------------------------ calls from a routing gateway

@pytest.mark.parametrize("source, number", [("from", "4930111"), ("remote_party_id", "4930222"), ("display", "4930555"),
                                            ("p_asserted_identity", "4930333"), ("p_preferred_identity", "4930444")])
def test_peer_number_information_chooses_the_caller_of_a_routing_gateways_call(exchange, source, number):
    """Not the caller source of the mapping gateway whose other settings the call takes."""
    exchange.make("mapping-gateways", "from-carrier", sip={"caller": "p_asserted_identity" if source == "from" else "from", "callee": "request_line"})
    carrier = exchange.gateway("carrier", prefixes=["77"], inbound_mapping="from-carrier", sip={"peer_number_information": source})
    callee = exchange.gateway()
    invite = received(carrier, callee, headers=ALL, to="<sip:8809@switch>")
    assert (user_of(invite["from"]), user_of(invite.uri)) == (number, NUMBER)


def test_peer_number_information_falls_back_to_from(exchange):
    exchange.make("mapping-gateways", "from-carrier")
    carrier = exchange.gateway("carrier", prefixes=["77"], inbound_mapping="from-carrier", sip={"peer_number_information": "p_asserted_identity"})
    callee = exchange.gateway()
    assert user_of(received(carrier, callee, headers=[RPID, NAMED])["from"]) == "4930111"

"""Who calls, as the gateway is told: Privacy, P-Asserted-Identity, P-Preferred-Identity, Remote-Party-ID, the display name (RFC 3323,
RFC 3325)."""

import pytest

import sip
from exchange import APPLIED, NUMBER

ASSERTED = '"Alice" <sip:4930333@pbx.example>'
PREFERRED = '"Alice" <sip:4930444@pbx.example>'
HEADERS = {"p_asserted_identity": ("P-Asserted-Identity", ASSERTED), "p_preferred_identity": ("P-Preferred-Identity", PREFERRED)}
RPID = ("Remote-Party-ID", '"Alice" <sip:4930222@pbx.example>;party=calling;privacy=off;screen=yes')
IDENTITIES = pytest.mark.parametrize("field", HEADERS)


def named(display):
    return [("From", f"{display} <sip:4930111@pbx.example>;tag=caller")]


def received(phone, gateway, **options):
    """The INVITE that the gateway got."""
    phone.invite(NUMBER, **options)
    return gateway.incoming().invite


# ------------------------------------------------------------------ Privacy

@pytest.mark.parametrize("own, came_in, goes_out", [
    ("inherit", None, None), ("inherit", "id", None), ("ignore", None, None), ("ignore", "id", None),
    ("passthrough", None, None), ("passthrough", "id", "id"), ("passthrough", "none", "none"), ("passthrough", "header;session", "header;session"),
    ("id", None, "id"), ("id", "none", "id"), ("none", None, "none"), ("none", "id", "none"),
])
def test_the_privacy_header_is_the_gateways_choice(exchange, own, came_in, goes_out):
    caller, callee = exchange.caller(), exchange.gateway(sip={"privacy": own})
    invite = received(caller, callee, headers=[("Privacy", came_in)] if came_in else [])
    assert invite.all("privacy") == ([goes_out] if goes_out else [])


def trunk(exchange, **fields):
    """The name of a registration that has its binding."""
    registrar = exchange.phone(user="registrar")
    registrar.automatic = lambda request: request.method == "REGISTER" and request.send(sip.response(request, 200))
    exchange.made.append(("registrations", "trunk"))
    exchange.api.post("/registrations", query=APPLIED, name="trunk", server=registrar.host, port=registrar.port, username="trunk",
                      password="secret", **fields).expect(201)
    exchange.api.wait_for_state("trunk", "registered")
    return "trunk"


@pytest.mark.parametrize("parameter, registration, gateway, goes_out", [
    ("ignore", "id", "inherit", "id"), ("ignore", "none", "inherit", "none"), ("id", "ignore", "inherit", None),
    ("id", "inherit", "inherit", "id"), ("none", "inherit", "inherit", "none"), ("ignore", "inherit", "inherit", None),
    ("id", "id", "ignore", None), ("id", "id", "none", "none"), ("none", "none", "passthrough", None),
])
def test_inherited_privacy_is_that_of_the_registration_the_call_leaves_through(exchange, parameter, registration, gateway, goes_out):
    exchange.set(SS_SIP_USER_AGENT_PRIVACY=parameter)
    name = trunk(exchange, privacy=registration)
    caller, callee = exchange.caller(), exchange.gateway(registration=name, sip={"privacy": gateway})
    assert received(caller, callee).all("privacy") == ([goes_out] if goes_out else [])


def test_the_parameter_of_registrations_says_nothing_about_a_gateway_without_one(exchange):
    exchange.set(SS_SIP_USER_AGENT_PRIVACY="id")
    caller, callee = exchange.caller(), exchange.gateway()
    assert received(caller, callee)["privacy"] is None


def test_a_changed_privacy_of_the_registration_is_seen_by_the_next_call(exchange):
    name = trunk(exchange, privacy="id")
    caller, callee = exchange.caller(), exchange.gateway(registration=name)
    assert received(caller, callee)["privacy"] == "id"
    exchange.change("registrations", "trunk", privacy="none")
    assert received(caller, callee)["privacy"] == "none"


# ------------------------------------------------------------------ P-Asserted-Identity, P-Preferred-Identity

@IDENTITIES
@pytest.mark.parametrize("trusted", [False, True])
@pytest.mark.parametrize("own", ["absent", "passthrough", "caller"])
@pytest.mark.parametrize("comes_in", [False, True])
def test_an_identity_header_is_the_gateways_choice_and_passes_only_from_the_trusted(exchange, field, trusted, own, comes_in):
    header, value = HEADERS[field]
    caller, callee = exchange.caller(trusted=trusted), exchange.gateway(sip={field: own})
    invite = received(caller, callee, caller="4930111", headers=[(header, value)] if comes_in else [])
    if own == "caller":
        host = exchange.lab.sip_port()[0]
        assert len(invite.all(header)) == 1 and sip.user_of(invite[header]) == "4930111" and host in invite[header], invite[header]
    else:
        assert invite.all(header) == ([value] if own == "passthrough" and trusted and comes_in else [])
    for other, _ in HEADERS.values():
        assert other == header or invite[other] is None


def test_both_values_of_an_asserted_identity_pass(exchange):
    caller, callee = exchange.caller(trusted=True), exchange.gateway(sip={"p_asserted_identity": "passthrough"})
    values = ["<sip:4930333@pbx.example>", "<tel:+4930333>"]
    invite = received(caller, callee, headers=[("P-Asserted-Identity", values)])
    assert ", ".join(invite.all("p-asserted-identity")).replace(" ", "") == ",".join(values)


@IDENTITIES
def test_the_number_in_an_identity_header_is_the_one_that_was_chosen_and_rewritten(exchange, field):
    header, value = HEADERS[field]
    caller = exchange.caller(caller_rewrite=[{"match": "4930", "replace": "030"}], sip={"caller": "remote_party_id"})
    callee = exchange.gateway(caller_rewrite=[{"match": "0", "replace": "0049"}], sip={field: "caller"})
    invite = received(caller, callee, headers=[RPID])
    assert sip.user_of(invite[header]) == sip.user_of(invite["from"]) == "004930222"


def test_an_untrusted_callers_assertions_may_choose_the_caller_but_never_pass(exchange):
    caller = exchange.caller(sip={"caller": "p_asserted_identity"})
    callee = exchange.gateway(sip={"p_asserted_identity": "passthrough", "p_preferred_identity": "passthrough"})
    invite = received(caller, callee, headers=[*HEADERS.values(), RPID])
    assert sip.user_of(invite["from"]) == "4930333"
    assert [invite[name] for name in ("p-asserted-identity", "p-preferred-identity", "remote-party-id")] == [None, None, None]


@pytest.mark.parametrize("bad", ['"Alice <sip:4930333@pbx.example>', "<sip:4930333@pbx.example", "<>", ",", "garbage \x07 <sip:1@2>"])
def test_a_malformed_assertion_of_a_trusted_caller_does_not_pass_and_costs_no_call(exchange, bad):
    caller, callee = exchange.caller(trusted=True), exchange.gateway(sip={"p_asserted_identity": "passthrough"})
    assert bad not in (received(caller, callee, headers=[("P-Asserted-Identity", bad)])["p-asserted-identity"] or "")


# ------------------------------------------------------------------ Remote-Party-ID

@pytest.mark.parametrize("on", [False, True])
@pytest.mark.parametrize("trusted", [False, True])
def test_remote_party_id_carries_the_caller_number_or_is_not_there(exchange, on, trusted):
    caller, callee = exchange.caller(trusted=trusted), exchange.gateway(sip={"remote_party_id": on})
    invite = received(caller, callee, caller="4930111", headers=[RPID])
    values = invite.all("remote-party-id")
    if not on:
        assert values == []
    else:
        assert len(values) == 1 and sip.user_of(values[0]) == "4930111" and "party=calling" in values[0]
        assert "pbx.example" not in values[0] and "Alice" not in values[0]


@pytest.mark.parametrize("privacy, said", [("id", "full"), ("none", "off")])
def test_remote_party_id_says_the_privacy_in_its_own_words(exchange, privacy, said):
    """draft-ietf-sip-privacy-04; without it an old gateway would show the number of one who asked to be hidden."""
    caller, callee = exchange.caller(), exchange.gateway(sip={"remote_party_id": True, "privacy": privacy})
    assert f"privacy={said}" in received(caller, callee)["remote-party-id"]


# ------------------------------------------------------------------ the display name

NAME = '"Alice \\"A\\" Smith"'
SHOWN = {"ignore": "", "caller": '"4930111"', "passthrough": NAME}


def display_of(invite):
    return invite["from"].rpartition("<sip:")[0].strip()


@pytest.mark.parametrize("parameter, own, shown", [
    *((word, "inherit", word) for word in SHOWN), *(("ignore", word, word) for word in SHOWN), *(("passthrough", word, word) for word in SHOWN)])
def test_the_display_name_is_that_of_the_gateway_else_of_the_parameter(exchange, parameter, own, shown):
    exchange.set(SS_SIP_E164_DISPLAY_FROM=parameter)
    caller, callee = exchange.caller(), exchange.gateway(sip={"display": own})
    assert display_of(received(caller, callee, headers=named(NAME))) == SHOWN[shown]


@pytest.mark.parametrize("written, shown", [("", ""), ("Alice", '"Alice"'), ("Alice Smith", '"Alice Smith"'), ('""', ""), ('"Ä, <b>"', '"Ä, <b>"')])
def test_a_display_name_of_any_form_passes(exchange, written, shown):
    caller, callee = exchange.caller(), exchange.gateway(sip={"display": "passthrough"})
    seen = display_of(received(caller, callee, headers=named(written)))
    assert seen.strip('"') == shown.strip('"') and (not seen or seen[0] == seen[-1] == '"')


def test_the_caller_number_as_display_name_is_the_rewritten_one(exchange):
    caller, callee = exchange.caller(), exchange.gateway(caller_rewrite=[{"match": "49", "replace": "0"}], sip={"display": "caller"})
    assert display_of(received(caller, callee, caller="4930111")) == '"030111"'


def test_a_changed_policy_is_seen_by_the_next_call(exchange):
    caller, callee = exchange.caller(trusted=True), exchange.gateway()
    first = received(caller, callee, headers=list(HEADERS.values()))
    assert [first[name] for name in ("p-asserted-identity", "p-preferred-identity", "remote-party-id", "privacy")] == [None] * 4
    exchange.change("routing-gateways", "gateway", sip={"privacy": "id", "p_asserted_identity": "passthrough", "p_preferred_identity": "caller",
                                                        "remote_party_id": True, "display": "caller"})
    then = received(caller, callee, headers=list(HEADERS.values()), caller="4930111")
    assert (then["privacy"], then["p-asserted-identity"]) == ("id", ASSERTED)
    assert sip.user_of(then["p-preferred-identity"]) == sip.user_of(then["remote-party-id"]) == "4930111"
    assert display_of(then) == '"4930111"'


def test_with_everything_on_each_header_is_there_once(exchange):
    caller = exchange.caller(trusted=True)
    callee = exchange.gateway(sip={"privacy": "passthrough", "p_asserted_identity": "passthrough", "p_preferred_identity": "passthrough",
                                   "remote_party_id": True, "display": "passthrough"})
    invite = received(caller, callee, headers=[("Privacy", "id"), *HEADERS.values(), RPID, *named('"Alice"')])
    for name in ("privacy", "p-asserted-identity", "p-preferred-identity", "remote-party-id", "from", "to", "contact", "call-id", "cseq"):
        assert len(invite.all(name)) == 1, name


def test_what_a_caller_writes_into_its_name_cannot_become_a_header(exchange):
    caller, callee = exchange.caller(trusted=True), exchange.gateway(sip={"display": "passthrough", "p_asserted_identity": "passthrough"})
    invite = received(caller, callee, headers=named('"x\\\r\n Evil: yes"'))
    assert invite["evil"] is None

"""SIPp as the far side: a whole scenario, checked by it message by message."""

import pytest


@pytest.mark.parametrize("transport, mode", [("udp", "u1"), ("tcp", "t1")])
def test_the_life_of_a_binding(lab, transport, mode):
    registrar = lab.sipp("life_of_a_binding", transport=mode)
    api = lab.start("mgmtd", "switchcore").api()
    api.registration("carrier-a", registrar, transport=transport)
    api.wait_for_state("carrier-a", "registered", raised_to=3700, within=8)
    api.delete("/registrations/carrier-a").expect(200)
    registrar.wait_success(within=10)

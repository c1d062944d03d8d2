"""The panel's history: who changed what, and a look back that can be made true again."""

import pytest

pytestmark = pytest.mark.panel
WHY = "it was better before"


@pytest.fixture
def changed(lab):
    """A registrar, and a registration that was made and then given another account: two revisions."""
    api = lab.start("mgmtd", "switchcore").api()
    registrar = lab.kamailio()
    for user in ("first", "second"):
        registrar.account(user, "secret")
    api.registration("carrier-a", registrar, username="first", display_name="Before")
    registrar.wait_for_binding("first")
    lab.first = api.get("/revisions")["items"][0]["revision"]
    api.patch("/registrations/carrier-a", {"username": "second", "display_name": "After"}, query={"comment": "a new account"}).expect(200)
    api.wait_for_state("carrier-a", "registered")
    registrar.wait_for_binding("second")
    registrar.wait_for_no_binding("first")
    lab.registrar = registrar
    return lab


def test_the_history_tells_who_changed_what_and_follows_what_happens(changed, page):
    page.at(changed).enter("#/history")
    page.says("#content", "a new account")
    page.mark()
    changed.api().patch("/sip-parameters", query={"comment": "while you look"}, SS_SIP_USER_AGENT_RETRY_DELAY=77).expect(200)
    page.says("#content", "while you look")
    assert page.marked
    page.go(f"#/history/{changed.first + 1}")
    page.see("h1", like=f"^Revision {changed.first + 1}")
    page.says("#content", "admin.*a new account")
    page.says("table[aria-label='changed registration carrier-a']", "Username first → second|User name first → second")


def test_a_revision_is_made_current_again_after_a_look_at_what_that_does(changed, page):
    api = changed.api()
    page.at(changed).enter(f"#/history/{changed.first}")
    newest = api.get("/revisions")["items"][0]["revision"]
    page.press(f"Make all as of revision {changed.first} current again …")
    dialog = page.see("dialog")
    page.says("dialog .effects", "1 registration will re-register: carrier-a")
    page.says("dialog .diff", "second → first")
    assert api.get("/registrations/carrier-a")["username"] == "second" and api.get("/revisions")["items"][0]["revision"] == newest
    page.put(page.see("dialog input[name=comment]"), WHY)
    page.press("Make it current", inside=dialog)
    page.gone("dialog")
    page.says(".saved", f"Saved as revision {newest + 1}")
    stored = api.get("/registrations/carrier-a").expect(200)
    assert (stored["username"], stored["display_name"]) == ("first", "Before")
    changed.registrar.wait_for_binding("first")
    assert api.get("/revisions")["items"][0]["comment"].endswith(WHY)


def test_one_object_is_brought_back_from_the_history_and_the_rest_stays(changed, page):
    api = changed.api()
    api.delete("/registrations/carrier-a").expect(200)
    deletion = api.get("/revisions")["items"][0]["revision"]
    api.registration("carrier-b", changed.registrar, enabled=False)
    page.at(changed).enter(f"#/history/{deletion}")
    page.press("Bring it back … carrier-a")
    page.says("dialog .diff", "new registration carrier-a")
    page.press("Make it current")
    page.gone("dialog")
    page.says(".saved", "Saved as revision")
    assert api.get("/registrations/carrier-a")["username"] == "second"
    api.get("/registrations/carrier-b").expect(200)
    page.go("#/registrations")
    page.says(".table", "carrier-a.*carrier-b")


def test_who_may_not_restore_is_not_offered_it(changed, page):
    api = changed.api()
    api.post("/users", username="anna", password="operator only", role="operator").expect(201)
    page.at(changed).log_in("anna", "operator only", f"#/history/{changed.first}")
    page.see("h1", like=f"^Revision {changed.first}")
    page.says("#content", "What it changed")
    assert not page.all("button", like="current again|Restore|Bring it back")

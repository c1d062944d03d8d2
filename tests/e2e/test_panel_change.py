"""A change made in the panel: refused while it is typed, seen before it is made, kept in the history, never over somebody else's."""

import pytest

from browser import Browser
from lab import ADMIN_PASSWORD
from until import until

pytestmark = pytest.mark.panel
EXPIRE = "SS_SIP_USER_AGENT_EXPIRE"
WHY = "the carrier asked for it"


def field(page, pointer):
    return page.see(f".field[data-pointer='{pointer}']")


def save(page, why=None):
    if why:
        page.put(page.see(".savebar input[name=comment]"), why)
    page.press("Save", inside=page.see(".savebar"))


def test_a_parameter_is_refused_while_it_is_typed_and_a_right_one_reaches_the_registrar(lab, page):
    api = lab.start("mgmtd", "switchcore").api()
    registrar = lab.kamailio()
    registrar.account("carrier-a", "secret")
    api.registration("carrier-a", registrar)
    registrar.wait_for_register("carrier-a", 2)
    revision = api.get("/revisions")["items"][0]["revision"]
    page.expect(422)
    page.at(lab).enter("#/parameters")
    own = field(page, f"/{EXPIRE}")
    number = own.find_element("css selector", "input.number")
    page.put(number, "10")
    page.says(f".field[data-pointer='/{EXPIRE}'] .error", 'must be "auto" or 20 to 7200 seconds; got 10$')
    assert number.get_attribute("aria-invalid") == "true"
    page.says(".savebar", "1 value is not right yet")
    save(page)
    page.says(f".field[data-pointer='/{EXPIRE}'] .error", "got 10$")
    assert api.get("/revisions")["items"][0]["revision"] == revision, "nothing is stored"
    page.put(number, "120")
    page.gone(".field .error")
    page.says(".savebar", r"1 change\. 1 registration will re-register: carrier-a\.")
    assert api.get(f"/sip-parameters/{EXPIRE}")["value"] == "auto", "looking is not changing"
    save(page, WHY)
    page.says(".savebar .saved", rf"Saved as revision {revision + 1}\. The switch has acted on it\.")
    registrar.wait_for_register("carrier-a", expires=120)
    newest = api.get("/revisions")["items"][0]
    assert (newest["comment"], newest["actor"]) == (WHY, "admin")
    assert [(one["kind"], one["name"]) for one in newest["changes"]] == [("sip-parameters", EXPIRE)]
    page.says(f".field[data-pointer='/{EXPIRE}'] .extra", "set by admin.*default:? [Aa]uto")
    page.press(like="^Reset ", inside=field(page, f"/{EXPIRE}"))
    save(page)
    until(lambda: api.get(f"/sip-parameters/{EXPIRE}")["source"] == "default", 5, "the default again")


def test_a_registration_is_made_changed_and_deleted(lab, page):
    api = lab.start("mgmtd", "switchcore").api()
    registrar = lab.kamailio()
    registrar.account("carrier-new", "secret")
    page.expect(422, 404)
    page.at(lab).enter("#/registrations")
    page.press("New registration")
    page.fill("Name *", "carrier new")
    page.says(".about .error", "name|letters|may|must")
    page.fill("Name *", "carrier-new")
    for pointer, value in (("/server", registrar.host), ("/port", str(registrar.port)), ("/username", "carrier-new"), ("/password", "secret")):
        page.put(field(page, pointer).find_element("css selector", "input"), value)
    page.press("Create")
    page.see("h1", "carrier-new")
    page.says(".now .lead", "registered.*200 OK")
    registrar.wait_for_binding("carrier-new")
    page.put(field(page, "/note").find_element("css selector", "input"), "told in May")
    page.says(".savebar", "1 change. No registration is touched.")
    save(page, WHY)
    page.says(".saved", "Saved as revision")
    stored = api.get("/registrations/carrier-new").expect(200)
    assert (stored["note"], stored["password"]) == ("told in May", {"set": True})
    assert api.get("/revisions")["items"][0]["comment"] == WHY
    page.press("Delete …")
    page.see("dialog h2", "Delete registration carrier-new?")
    page.says("dialog .diff", "deleted registration carrier-new")
    page.press("Cancel")
    page.gone("dialog")
    api.get("/registrations/carrier-new").expect(200)
    page.press("Delete …")
    page.says("dialog .diff", "deleted registration carrier-new")
    page.press("Delete", inside=page.see("dialog"))
    page.see(".empty", "There is no registration yet.")
    api.get("/registrations/carrier-new").expect(404)
    registrar.wait_for_no_binding("carrier-new")
    page.press("New registration")
    assert page.labelled("Name *").get_attribute("value") == "", "what was stored is no draft any more"


@pytest.fixture
def other():
    """A second browser, of somebody else."""
    own = Browser()
    yield own.page()
    own.close()


def test_two_who_change_the_same_are_shown_both_versions_and_choose(lab, page, other):
    api = lab.start("mgmtd", "switchcore").api()
    api.post("/users", username="anna", password=ADMIN_PASSWORD, role="operator").expect(201)
    api.registration("carrier-a", lab.peer(), note="before", display_name="Before")
    page.expect(412)
    page.at(lab).enter("#/registrations/carrier-a")
    other.at(lab).log_in("anna", ADMIN_PASSWORD, "#/registrations/carrier-a")
    page.put(field(page, "/note").find_element("css selector", "input"), "mine")
    other.put(field(other, "/note").find_element("css selector", "input"), "theirs")
    other.put(field(other, "/display_name").find_element("css selector", "input"), "Theirs")
    save(other)
    other.says(".saved", "Saved as revision")
    save(page, WHY)
    page.see("dialog h2", "anna changed carrier-a meanwhile")
    page.says("dialog .conflict", "Display name Before Theirs Before")
    page.says("dialog .conflict", "Note before theirs mine")
    assert page.axe() == []
    page.press("Go on editing")
    page.gone("dialog")
    assert field(page, "/note").find_element("css selector", "input").get_attribute("value") == "mine"
    assert api.get("/registrations/carrier-a")["note"] == "theirs", "nothing was written over"
    save(page)
    page.see("dialog h2", "anna changed carrier-a meanwhile")
    page.press("Save the choice")
    page.gone("dialog")
    page.says(".saved", "Saved as revision")
    stored = api.get("/registrations/carrier-a")
    assert (stored["note"], stored["display_name"]) == ("mine", "Theirs")
    assert api.get("/revisions")["items"][0]["comment"] == WHY
    until(lambda: field(other, "/note").find_element("css selector", "input").get_attribute("value") == "mine", 5, "it in the other browser")
    other.clean()

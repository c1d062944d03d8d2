"""Who is logged in at the panel, who may what there, and what is seen when that ends."""

import pytest

from lab import ADMIN_PASSWORD
from selenium.webdriver.common.keys import Keys

pytestmark = pytest.mark.panel
PASSWORD = "eleven plus one"
OWN = "my very own words"


def user(lab, name, role, **more):
    lab.api().post("/users", username=name, password=PASSWORD, role=role, **more).expect(201)


def test_a_wrong_password_is_refused_in_words_and_the_right_one_lets_in_until_the_log_out(lab, page):
    lab.start("mgmtd", "switchcore")
    page.expect(401)
    page.at(lab).open()
    page.fill("User name", "admin")
    page.fill("Password", "wrong and wrong")
    page.press("Log in")
    page.see(".fault", "wrong user name or password")
    assert page.labelled("Password").get_attribute("value") == "" and page.labelled("User name").get_attribute("value") == "admin"
    page.fill("Password", ADMIN_PASSWORD + Keys.ENTER)
    page.see("h1", "Overview")
    page.see(".who", "admin admin")
    cookie = page.cookie()
    assert cookie["httpOnly"] and cookie["sameSite"] == "Strict"
    page.driver.refresh()
    page.see("h1", "Overview")  # without a log-in
    token = page.cookie()["value"]
    page.press("Log out")
    page.see(".credentials")
    lab.api(token=token).get("/status").expect(401)
    page.driver.refresh()
    page.see(".credentials")


def test_the_first_password_must_be_changed_before_anything_is(lab, page):
    lab.start("mgmtd", "switchcore")
    user(lab, "anna", "operator", must_change_password=True)
    page.expect(401, 403, 422)
    page.at(lab).log_in("anna", PASSWORD)
    dialog = page.see("dialog")
    page.see("dialog h2", "Choose your own password first")
    page.keys(Keys.ESCAPE)
    page.see("dialog h2", "Choose your own password first")
    page.fill("Current password", PASSWORD, dialog)
    page.fill("New password", "short", dialog)
    page.fill("Once more", "shorter", dialog)
    page.see("dialog small", "The two differ.")
    assert not page.button("Change it").is_enabled()
    page.fill("Once more", "short", dialog)
    page.press("Change it")
    page.see("dialog .fault", like="12")
    page.fill("New password", OWN, dialog)
    page.fill("Once more", OWN, dialog)
    page.press("Change it")
    page.gone("dialog")
    page.go("#/registrations")
    page.button("New registration")
    page.press("Log out")
    page.log_in("anna", OWN)
    page.gone("dialog")


def test_a_session_that_ended_is_said_and_what_was_typed_is_kept(lab, page):
    lab.start("mgmtd", "switchcore")
    user(lab, "anna", "operator")
    page.expect(401, 422)
    page.at(lab).log_in("anna", PASSWORD, "#/new/registrations")
    page.fill("Name *", "carrier-typed")
    page.mark()
    lab.api(token=page.cookie()["value"]).delete("/session").expect(204)
    dialog = page.see("dialog")
    page.see("dialog h2", "Your session has ended")
    page.keys(Keys.ESCAPE)  # behind it nothing would work
    page.see("dialog h2", "Your session has ended")
    assert page.labelled("User name", dialog).get_attribute("value") == "anna"
    page.fill("Password", PASSWORD, dialog)
    page.press("Log in")
    page.gone("dialog")
    assert page.labelled("Name *").get_attribute("value") == "carrier-typed" and page.marked
    page.go("#/registrations")
    lab.api().registration("carrier-live", lab.peer())
    page.see("td a", "carrier-live")
    page.says(".table", r"registered\s+carrier-live")  # and the states come again

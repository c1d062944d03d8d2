"""Every path asks for the role that the API description tells: walked from it, so a new path is walked, too."""

import re

import pytest

from test_users import PASSWORD

ROLES = ["viewer", "operator", "admin"]


@pytest.fixture(scope="module")
def clients(quiet):
    """One for each way of being somebody."""
    admin = quiet.api()
    found = {"nobody": (None, quiet.api(token=None))}
    for role in ROLES:
        admin.post("/users", username=f"{role}-of-roles", password=PASSWORD, role=role).expect(201)
        found[f"user {role}"] = (role, quiet.api(username=f"{role}-of-roles", password=PASSWORD))
        token = admin.post("/tokens", name=f"{role}-of-roles", role=role).expect(201)["token"]
        found[f"token {role}"] = (role, quiet.api(token=token))
    admin.post("/users", username="new-of-roles", password=PASSWORD, role="admin", must_change_password=True).expect(201)
    found["user who must change the password"] = ("new", quiet.api(username="new-of-roles", password=PASSWORD))
    return found


def expected(role, operation):
    """The status for a request whose query is wrong: 422 says that nothing but the query was."""
    needed = operation.get("x-role")
    if needed is None:
        return 422
    if role is None:
        return 401
    if role == "new":
        return 403 if "x-writes" in operation else 422
    return 422 if ROLES.index(role) >= ROLES.index(needed) else 403


def test_every_path_is_for_its_role_and_those_above(quiet, clients):
    description = quiet.api().get("/openapi.json").expect(200).json
    walked = 0
    for path, item in description["paths"].items():
        for method, operation in item.items():
            needed = operation.get("x-role")
            assert (needed in ROLES) != (operation.get("security") == []), f"{method} {path} says who may"
            address = re.sub(r"\{\w+\}", "x", path).removeprefix("/api/v1")
            for name, (role, client) in clients.items():
                answer = client.request(method.upper(), address, query={"no_such_parameter": "1"})
                assert answer.status == expected(role, operation), f"{name}: {answer!r}"
                walked += 1
    assert walked > 8 * 40


def test_only_log_in_is_for_everybody_and_only_questions_write_nothing(quiet):
    description = quiet.api().get("/openapi.json").json
    public, silent = set(), set()
    for path, item in description["paths"].items():
        for method, operation in item.items():
            if path.startswith("/api/v1/") and "x-role" not in operation:
                public.add((method, path))
            elif method != "get" and "x-writes" not in operation:
                silent.add(path.removeprefix("/api/v1").split("/")[1])
    assert public == {("post", "/api/v1/session")}
    assert silent <= {"session", "preview", "verify"}, "they would be allowed before the first password is changed"


@pytest.mark.parametrize("path", ["/users", "/users/admin", "/tokens", "/tokens/x", "/refusals", "/account-changes"])
def test_accounts_are_for_administrators_alone(clients, path):
    for name, (role, client) in clients.items():
        status = client.get(path).status
        assert (status in (200, 404)) == (role in ("admin", "new")), f"{name}: {status}"

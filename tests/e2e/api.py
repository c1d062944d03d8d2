"""A client of the HTTP API, as thin as a test can read it."""

import json

import requests

from until import until


class Answer:
    def __init__(self, response):
        self.response = response
        response.encoding = response.encoding or "utf-8"  # or the library guesses, which takes minutes for a capture file
        self.status, self.headers, self.text = response.status_code, response.headers, response.text

    def __repr__(self):
        request = self.response.request
        return f"{request.method} {request.url} -> {self.status} {self.text[:2000]}"

    def expect(self, status, code=None):
        """This very status, and, for a problem, the last part of its type."""
        assert self.status == status, repr(self)
        if status >= 400:
            assert self.headers["Content-Type"].startswith("application/problem+json"), repr(self)
            for member in ("type", "title", "status", "detail", "request_id"):
                assert member in self.json, f"no {member} in {self!r}"
            assert self.json["status"] == status, repr(self)
        if code is not None:
            assert self.json["type"] == f"/problems/{code}", repr(self)
        return self

    @property
    def json(self):
        return self.response.json()

    def __getitem__(self, member):
        return self.json[member]

    @property
    def etag(self):
        return self.headers.get("ETag")

    def violation(self, pointer, code=None):
        """The violation at this pointer."""
        found = [e for e in self.json.get("errors", []) if e["pointer"] == pointer and code in (None, e["code"])]
        assert found, f"no violation {code} at {pointer!r} in {self!r}"
        return found[0]


class Api:
    def __init__(self, url, username="admin", password=None, token=None, verify=True):
        self.url, self.base = url, url + "/api/v1"
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.verify = str(verify) if verify is not True else True
        self.token = token
        if password is not None:
            self.token = self.post("/session", username=username, password=password).expect(200)["token"]

    def request(self, method, path, body=None, query=None, headers=None, timeout=30, stream=False, **fields):
        """body: JSON value, or str/bytes sent as they are; else the keyword arguments are the body's members."""
        base = self.url if path in ("/healthz", "/readyz", "/metrics", "/") else self.base
        sent = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        if fields:
            body = fields
        if body is not None:
            sent["Content-Type"] = "application/json"
            if not isinstance(body, (str, bytes)):
                body = json.dumps(body)
        sent.update(headers or {})
        data = body.encode() if isinstance(body, str) else body
        prepared = requests.Request(method, base, params=query, data=data, headers=sent, cookies=self.session.cookies).prepare()
        asked = prepared.url.partition("?")[2]
        prepared.url = base + path + ("?" + asked if asked else "")  # the path as given, nothing normalised
        try:
            return Answer(self.session.send(prepared, timeout=timeout, stream=stream, allow_redirects=False))
        except requests.ConnectionError:
            if method != "GET":
                raise
            # An idle connection was closed by the server just now: any client asks again.
            return Answer(self.session.send(prepared, timeout=timeout, stream=stream, allow_redirects=False))

    def get(self, path, **query):
        return self.request("GET", path, query=query)

    def post(self, path, body=None, query=None, headers=None, **fields):
        return self.request("POST", path, body, query, headers, **fields)

    def put(self, path, body=None, query=None, headers=None, **fields):
        return self.request("PUT", path, body, query, headers, **fields)

    def patch(self, path, body=None, query=None, headers=None, **fields):
        return self.request("PATCH", path, body, query, headers, **fields)

    def delete(self, path, query=None, headers=None):
        return self.request("DELETE", path, query=query, headers=headers)

    # What most tests ask for.

    def registration(self, name, server, **fields):
        """Creates one.  server: anything with host and port."""
        fields = {"username": name, "password": "secret", "server": server.host, "port": server.port, **fields}
        return self.post("/registrations", name=name, **fields).expect(201)

    def change(self, name, **fields):
        return self.patch(f"/registrations/{name}", **fields).expect(200)

    def status(self, name):
        return self.get(f"/registrations/{name}/status").expect(200).json

    def attempts(self, name):
        answer = self.get(f"/registrations/{name}/attempts").expect(200).json
        return answer["items"] if isinstance(answer, dict) else answer

    def wait_for_state(self, name, state, within=5, **having):
        """The status once it shows this state (and these members)."""
        seen = []

        def found():
            status = self.status(name)
            seen[:] = [status]
            return status if status["state"] == state and all(status[k] == v for k, v in having.items()) else None
        return until(found, within, lambda: f"state {state} {having} of {name}; it is {seen}")

    def pages(self, path, **query):
        """Every item of a list, page by page."""
        items, cursor = [], None
        while True:
            answer = self.get(path, **query, **({"cursor": cursor} if cursor else {})).expect(200)
            items += answer["items"]
            cursor = answer["next"]
            if cursor is None:
                return items

"""What must hold of every answer, whatever was asked."""

import json
import re

from api_values import parses

HEAD_FAULTS = ("400", "404", "405", "431")  # of what is no operation at all


class Failure(Exception):
    pass


def must(holds, what):
    if not holds:
        raise Failure(what() if callable(what) else what)


def text_of(reply):
    try:
        return reply.body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Failure(f"the answer is no UTF-8: {error}") from error


def json_of(reply):
    good, value = parses(reply.body)
    must(good, lambda: f"the answer is no JSON: {text_of(reply)[:300]}")
    return value


def check_problem(document, reply):
    must(reply.media == "application/problem+json", lambda: f"a {reply.status} of type {reply.media!r}: {reply.body[:200]!r}")
    problem = json_of(reply)
    fault = document.fault(document.document["components"]["schemas"]["Problem"], problem)
    must(not fault, lambda: f"no problem as described: {fault}")
    must(problem["status"] == reply.status, "the status of the problem is another than that of the answer")
    must(problem["detail"] and problem["title"], "a problem without words")
    must(all(violation["detail"] for violation in problem.get("errors", [])), "a violation without words")
    must(reply.header("x-request-id") in (None, problem["request_id"]), "two request ids")
    return problem


def check_5xx(reply, problem, asked, switch):
    word = problem["type"].removeprefix("/problems/")
    if not switch and word in ("switchcore_down", "switchcore_timeout"):
        return
    if word == "switchcore_timeout" and "wait=" in asked.target:
        return
    must(False, f"a {reply.status}: {problem['detail']}")


def check_refusal(document, asked, reply, switch):
    problem = check_problem(document, reply)
    if reply.status >= 500:
        check_5xx(reply, problem, asked, switch)
    if reply.status == 401:
        must(reply.header("www-authenticate"), "a 401 without WWW-Authenticate")
    if reply.status == 405:
        allowed = (reply.header("allow") or "").replace(" ", "").split(",")
        there = {o.method for o in document.at(asked.target.partition("?")[0])}
        must(allowed != [""] and there <= set(allowed) and asked.method not in allowed, f"a 405 that allows {allowed}")
    if reply.status in (413, 415, 422, 409, 412, 428) and asked.method == "GET":
        must(reply.status == 422 or asked.body is not None, f"a GET without a body got {reply.status}")
    return problem


def check_success(document, asked, reply):
    operation, answer = asked.operation, asked.operation.answers[str(reply.status)]
    content = answer.get("content", {})
    if reply.status in (204, 304) or asked.method == "HEAD":
        must(not reply.body, "a body where there must be none")
        return None
    if not content:
        must(not reply.body, "a body that is not described")
        return None
    must(reply.media in content, f"the type {reply.media!r} is not described")
    dry, untagged = "dry_run=true" in asked.target, re.search(r"[?&](dry_run|effective|status)=true(&|$)", asked.target)
    if "ETag" in answer.get("headers", {}) and not untagged:
        must(reply.header("etag"), "no ETag, where one is promised")
    if reply.status == 201 and not dry:
        must(reply.header("location"), "201 without a Location")
    if operation.endless or reply.media != "application/json":
        return None
    value = json_of(reply)
    fault = document.fault(content[reply.media]["schema"], value)
    must(not fault, lambda: f"not as described: {fault}")
    return value


def check(document, asked, reply, switch):
    """The JSON of the answer, or None.  Failure says what is wrong."""
    if reply.status >= 400 and asked.method != "HEAD":
        value = check_refusal(document, asked, reply, switch)
    else:
        value = None
    described = asked.operation.answers if asked.described else HEAD_FAULTS
    must(str(reply.status) in described, lambda: f"{reply.status} is not described: {reply.body[:300]!r}")
    if reply.status < 400:
        value = check_success(document, asked, reply)
        check_taken(document, asked, reply)
    return value


def check_taken(document, asked, reply):
    """What was accepted is what the document says may be sent."""
    operation = asked.operation
    must(asked.token or operation.public, "served without a token")
    for query, values in asked.query.items():
        described = next((p for p in operation.queries if p["name"] == query), None)
        must(described, f"the query parameter {query!r} was accepted and is not described")
        must(len(values) == 1, f"the query parameter {query!r} was accepted twice")
        text, schema = values[0], document.deref(described["schema"])
        value = text
        if schema.get("type") in ("integer", "boolean"):
            good, value = parses(text.encode("utf-8", "replace"))
            value = value if good else text
        fault = schema.get("format") != "date-time" and document.fault(schema, value)
        must(not fault, lambda: f"the query parameter {query} was accepted: {fault}")
    if operation.body is None or reply.status == 304:
        must(not asked.body, "a body was accepted where none is described")
        return
    if not asked.body and not operation.body_required:
        return
    good, value = parses(asked.body or b"")
    must(good, lambda: f"accepted, though it is no JSON: {asked.body[:200]!r}")
    fault = document.fault(operation.body, value)
    must(not fault, lambda: f"accepted against the document: {fault}")


def whole_second(time):
    """Of a time in UTC; what an expiry keeps."""
    return re.sub(r"(\.\d+)?Z$", "", time)


def check_written(sent, shown, schema, document):
    """Each plain field of the body is there in what GET shows."""
    properties = document.deref(schema).get("properties", {})
    for member, value in sent.items() if isinstance(sent, dict) else ():
        if member not in shown or member not in properties or member in ("sources", "revision", "changed_at", "changed_by"):
            continue
        inner = document.deref(properties[member])
        if isinstance(value, dict) and isinstance(shown[member], dict) and "set" not in shown[member]:
            check_written(value, shown[member], inner, document)
        elif isinstance(value, (bool, int, str)) and value != 0 and "writeOnly" not in inner:
            kept = whole_second if inner.get("format") == "date-time" else lambda same: same
            must(kept(shown[member]) == kept(value), lambda: f"{member} was written as {json.dumps(value)} and reads {json.dumps(shown[member])}")

"""The web panel as files over HTTP: what comes, in which coding, with which headers, and that nothing else can be had by asking oddly."""

import gzip
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys

import pytest

from conftest import lab_for
from lab import BUILD
from until import until

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "fuzz"))

from api_wire import Wire  # noqa: E402

ROOT = pathlib.Path(__file__).parents[2]
PANEL_KB = 150  # all of it but the licences, compressed
POLICY = ("default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; font-src 'self'; "
          "form-action 'none'; frame-ancestors 'none'; base-uri 'none'")
GUARDS = {"content-security-policy": POLICY, "x-content-type-options": "nosniff", "referrer-policy": "no-referrer",
          "x-frame-options": "DENY", "cross-origin-opener-policy": "same-origin"}
PAGE = b"<!doctype html><title>x</title>" + b"<p>text" * 200
TYPES = {"page.html": "text/html; charset=utf-8", "a.css": "text/css; charset=utf-8", "a.js": "text/javascript; charset=utf-8",
         "a.txt": "text/plain; charset=utf-8", "a.svg": "image/svg+xml", "a.png": "image/png", "a.ico": "image/x-icon",
         "a.json": "application/json", "a.webmanifest": "application/manifest+json", "a.woff2": "font/woff2"}


def fill(folder):
    """A panel with a file of every type, one in two more codings, and what must stay unseen."""
    (folder / "vendor").mkdir(parents=True)
    (folder / "index.html").write_bytes(PAGE)
    (folder / "index.html.gz").write_bytes(gzip.compress(PAGE, mtime=0))
    (folder / "index.html.br").write_bytes(b"as if it were brotli")
    for name in TYPES:
        (folder / name).write_text(f"I am {name}")
    (folder / "vendor/x.js").write_text("export {};")
    (folder / "empty.js").write_text("")
    (folder / "inside.js").symlink_to("vendor/x.js")
    (folder.parent / "secret.js").write_text("secret")
    (folder / "outside.js").symlink_to("../secret.js")
    (folder / "vendor/absolute.js").symlink_to(folder.parent / "secret.js")
    (folder / "up").symlink_to("..")
    (folder / ".hidden.js").write_text("secret")
    (folder / ".git").mkdir()
    (folder / ".git/config.txt").write_text("secret")
    (folder / "a.php").write_text("secret")
    (folder / "with blank.js").write_text("secret")
    (folder / "only.js.gz").write_bytes(gzip.compress(b"secret"))
    (folder / "broken.js").symlink_to("nowhere.js")
    os.mkfifo(folder / "fifo.js")
    return folder


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    for lab in lab_for(tmp_path_factory.mktemp("served")):
        lab.www = fill(lab.directory / "www")
        lab.start("mgmtd", mgmtd=["--www", lab.www])
        yield lab


def ask(lab, target, method="GET", **headers):
    wire = Wire(lab.url, 10)
    try:
        return wire.ask(method, target, [("Host", "x"), *((name.replace("_", "-"), value) for name, value in headers.items())])
    finally:
        wire.close()


def refused(lab, target, statuses=(404,), method="GET"):
    answer = ask(lab, target, method)
    assert answer.status in statuses and answer.media == "application/problem+json", (target, answer.status, answer.body[:200])
    assert b"secret" not in answer.body and b"root:" not in answer.body, target
    return answer


# ---- what comes

@pytest.mark.parametrize("name", TYPES)
def test_a_file_comes_with_its_type_a_tag_and_the_guards_without_a_log_in(served, name):
    answer = ask(served, f"/{name}")
    assert answer.status == 200 and answer.body == f"I am {name}".encode()
    assert answer.header("content-type") == TYPES[name]
    assert answer.header("cache-control") == "no-cache" and answer.header("vary") == "Accept-Encoding"
    assert re.fullmatch(r'"[0-9a-f]{32}"', answer.header("etag"))
    assert {guard: answer.header(guard) for guard in GUARDS} == GUARDS
    assert answer.header("content-encoding") is None and answer.header("set-cookie") is None


def test_the_folder_itself_is_its_index(served):
    assert ask(served, "/").body == ask(served, "/index.html").body == ask(served, "http://x").body == PAGE
    assert ask(served, "/?from=a+bookmark&x").body == PAGE
    assert ask(served, "/vendor/x.js").body == b"export {};" == ask(served, "/inside.js").body
    assert ask(served, "/empty.js").body == b""


@pytest.mark.parametrize("accept, coding", [
    (None, None), ("", None), ("gzip", "gzip"), ("br", "br"), ("gzip, deflate, br, zstd", "br"), ("GZip;q=1.0, BR;q=0", "gzip"), ("br;q=0", None),
    ("br;q=0.000,gzip;q=0.0", None), ("br;q=0.5, gzip;q=0.8", "gzip"), ("br;q=0.5, gzip;q=0.50", "br"), ("*", "br"), ("*;q=0.1, br;q=0", "gzip"), ("*;q=0", None),
    ("br;q=0.3, identity;q=0.7", None), ("identity;q=0, *;q=0", None), ("x-gzip", "gzip"), ("deflate", None), ("brr, gzipped", None), (",, ,gzip ; q=0.9,", "gzip"),
    ("br;q=nonsense, gzip;q=0.1", "gzip"), ("gzip;level=9;q=0, br;level=2", "br"), ("br;q", "br"), (";q=1", None)])
def test_the_coding_is_the_one_the_client_likes_best(served, accept, coding):
    answer = ask(served, "/", **({} if accept is None else {"Accept_Encoding": accept}))
    assert (answer.status, answer.header("content-encoding")) == (200, coding)
    assert answer.body == {None: PAGE, "gzip": (served.www / "index.html.gz").read_bytes(), "br": b"as if it were brotli"}[coding]
    assert answer.header("content-type") == "text/html; charset=utf-8" and answer.header("vary") == "Accept-Encoding"
    assert ask(served, "/a.js", Accept_Encoding="br, gzip").header("content-encoding") is None  # it lies there in no other


def test_every_coding_has_a_tag_of_its_own_and_304_goes_by_it(served):
    codings = ("br", "gzip", "identity")
    tags = {coding: ask(served, "/", Accept_Encoding=coding).header("etag") for coding in codings}
    assert len(set(tags.values())) == 3 and tags["br"] != ask(served, "/a.js").header("etag")
    for asked in codings:
        for shown in codings:
            answer = ask(served, "/", Accept_Encoding=asked, If_None_Match=tags[shown])
            assert answer.status == (304 if asked == shown else 200), (asked, shown)
            assert answer.header("etag") == tags[asked] and answer.header("vary") == "Accept-Encoding"
            assert answer.header("content-security-policy") == POLICY and answer.header("cache-control") == "no-cache"


@pytest.mark.parametrize("form, status", [
    ("{}", 304), ("W/{}", 304), ('"a", {}', 304), ('"a",W/{},"b"', 304), ("*", 304), ('"a", "b"', 200), ("", 200), ('"', 200), ('"r1"', 200), ("nonsense", 200)])
def test_if_none_match_takes_lists_weak_tags_and_a_star(served, form, status):
    tag = ask(served, "/a.js").header("etag")
    for method in ("GET", "HEAD"):
        assert ask(served, "/a.js", method, If_None_Match=form.format(tag)).status == status
    assert ask(served, "/a.js", If_None_Match=tag.strip('"')).status == 200


def test_head_is_get_without_a_body(served):
    for accept in ("br", "gzip", "identity"):
        get, head = (ask(served, "/", method, Accept_Encoding=accept) for method in ("GET", "HEAD"))
        assert head.status == 200 and head.body == b""
        assert [h for h in head.headers if h[0] != "date"] == [h for h in get.headers if h[0] != "date"]
        assert head.header("content-length") == str(len(get.body))


def test_an_answer_names_the_request_where_the_client_named_it(served):
    answer = ask(served, "/a.js", X_Request_Id="deploy-7")
    assert answer.header("x-request-id") == "deploy-7" and answer.body == b"I am a.js" and answer.header("content-security-policy") == POLICY
    assert ask(served, "/a.js").header("x-request-id") is None
    assert ask(served, "/a.js", X_Request_Id="x", If_None_Match=answer.header("etag")).status == 304


# ---- what does not

@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "PROPFIND", "get"])
def test_another_method_is_405_with_allow(served, method):
    for path in ("/", "/a.js"):
        answer = refused(served, path, (405,), method)
        assert answer.header("allow") == "GET, HEAD" and answer.header("content-security-policy") == POLICY
    assert refused(served, "/nothing.js", method=method).header("allow") is None


@pytest.mark.parametrize("target", [
    "/outside.js", "/vendor/absolute.js", "/up/secret.js", "/.hidden.js", "/.git/config.txt", "/a.php", "/with%20blank.js", "/only.js", "/only.js.gz", "/index.html.br",
    "/index.html.gz", "/broken.js", "/fifo.js", "/nothing.js", "/vendor", "/vendor/", "/A.JS", "/a.js/", "/a.js%00", "/a%2ejs", "/vendor%2fx.js", "//", "//a.js", "/./a.js",
    "/vendor//x.js", "/vendor/../a.js", "/../a.js", "/../secret.js", "/..", "/%2e%2e/secret.js", "/%2e%2e%2fsecret.js", "/vendor/%2e%2e/%2e%2e/secret.js", "/%252e%252e/secret.js",
    "/..\\secret.js", "\\secret.js", "/vendor\\x.js", "/..%5csecret.js", "/\xff", "/%", "/a.js;x", "/index.html/../../secret.js", "/www/a.js", "/api/v1/a.js",
    "/" + "../" * 4000 + "etc/passwd", "/" + "a" * 12000])
def test_a_path_that_is_no_files_is_404(served, target):
    refused(served, target, (400, 404))


def test_a_nul_ends_the_path_and_opens_nothing(served):
    refused(served, "/../secret.js\x00/index.html", (400, 404))
    refused(served, "/outside.js\x00.png", (400, 404))
    assert ask(served, "/a.js\x00/../secret.js").body in (b"I am a.js", b"")


def test_a_body_is_refused(served):
    wire = Wire(served.url, 10)
    answer = wire.ask("GET", "/", [("Host", "x"), ("Content-Length", "3")], b"abc")
    wire.close()
    assert answer.status == 400 and answer.header("content-security-policy") == POLICY


def test_the_paths_of_the_api_go_first_and_say_what_they_said(served):
    assert served.api(token=None).get("/healthz").expect(200).headers.get("Content-Security-Policy") is None
    served.api(token=None).get("/status").expect(401)
    assert not any("panel" in path or path == "/" for path in served.api().get("/openapi.json").expect(200)["paths"])


def test_what_is_left_out_is_told_once(served):
    log = served.mgmtd.log()
    for name, why in (("outside.js", "leads out"), ("vendor/absolute.js", "leads out"), ("fifo.js", "no regular file"), ("a.php", "no known type"), ("with blank.js", "a name is made of")):
        assert len(re.findall(rf"/{re.escape(name)} is left out: .*{why}", log)) == 1, name


# ---- counted and logged as the rest

def test_the_panel_is_counted_and_in_the_access_log(lab):
    www = fill(lab.directory / "www")
    log = lab.directory / "access"
    lab.start("mgmtd", mgmtd=["--www", www, "--access-log", log])
    ask(lab, "/?secret=1", Accept_Encoding="gzip")
    ask(lab, "/a.js", "POST")

    def lines():
        found = [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []
        return found if len(found) >= 2 else None
    page, post = until(lines, 5, "two lines")[:2]
    assert (page["path"], page["query"], page["status"], page["user"]) == ("/", "...", 200, None)
    assert page["bytes"] == (www / "index.html.gz").stat().st_size and page["complete"]
    assert (post["method"], post["path"], post["status"]) == ("POST", "/a.js", 405)
    text = lab.api().get("/metrics").expect(200).text
    for status in ("2xx", "4xx"):
        assert f'tandem_http_requests_total{{method="GET",route="panel",status="{status}"}} 1\n' in text
    assert 'tandem_http_request_duration_seconds_count{method="GET",route="panel"} 2\n' in text


# ---- the option

def a_file(folder):
    shutil.rmtree(folder)
    folder.write_text("")


def many(folder):
    for number in range(256):
        (folder / f"f{number}.js").write_text("")


def deep(folder):
    (folder / "a/b/c/d/e").mkdir(parents=True)


def one_too_large(folder):
    with open(folder / "large.js", "wb") as file:
        file.truncate((4 << 20) + 1)


def all_too_large(folder):
    for number in range(5):
        with open(folder / f"large{number}.js", "wb") as file:
            file.truncate(4 << 20)


def long(folder):
    (folder / ("a" * 130 + ".js")).write_text("")


@pytest.mark.parametrize("make, words", [
    (shutil.rmtree, ["No such file"]), (a_file, ["Not a directory"]), (lambda folder: (folder / "index.html").unlink(), ["no index.html"]),
    (lambda folder: (folder / "index.html").unlink() or (folder / "index.html").mkdir(), ["no index.html"]),
    (many, ["256 files"]), (deep, ["/a/b/c/d/e", "the most is 4"]), (one_too_large, ["/large.js", "4194304", "4194305"]), (all_too_large, ["/large", "16777216"]), (long, ["127 bytes"])])
def test_a_folder_that_cannot_be_served_is_one_line_and_exit_code_1(lab, make, words):
    www = lab.directory / "www"
    www.mkdir()
    (www / "index.html").write_text("x")
    make(www)
    lab.extra["mgmtd"] = ["--www", www]
    mgmtd = lab.launch("mgmtd")
    assert mgmtd.wait_end() == 1
    mgmtd.ended_on_purpose = True
    line, = [line for line in mgmtd.log().splitlines() if not re.match(r"<\d>|.*panel: ", line)]
    assert line.startswith(f"mgmtd: --www: {www}") and all(word in line for word in words), line


def alone(lab, www=None):
    """A copy of mgmtd in a folder of its own, and `www` beside it."""
    folder = lab.directory / "bin"
    folder.mkdir()
    shutil.copy(BUILD / "mgmtd", folder)
    if www:
        www(folder / "www")
    command = lab.command
    lab.command = lambda name: [folder / name, *command(name)[1:]]
    return folder


def nothing_is_served(lab):
    for path in ("/", "/index.html"):
        refused(lab, path)
        refused(lab, path, method="POST")


def test_without_a_folder_beside_the_program_there_is_no_panel(lab):
    folder = alone(lab)
    lab.start("mgmtd")
    nothing_is_served(lab)
    fill(folder / "www")
    lab.mgmtd.process.send_signal(signal.SIGHUP)
    lab.mgmtd.wait_log("SIGHUP")
    nothing_is_served(lab)  # it takes a restart to begin


def test_the_folder_beside_the_program_is_the_default_wherever_it_is_started(lab):
    alone(lab, fill)
    lab.start("mgmtd")
    assert ask(lab, "/").body == PAGE


def test_a_folder_beside_the_program_that_is_no_panel_stops_no_start(lab):
    alone(lab, pathlib.Path.mkdir)
    lab.start("mgmtd")
    nothing_is_served(lab)
    assert "no index.html" in lab.mgmtd.log()


def test_an_empty_name_serves_none(lab):
    alone(lab, fill)
    lab.start("mgmtd", mgmtd=["--www="])
    nothing_is_served(lab)


# ---- SIGHUP

@pytest.mark.threads
def test_sighup_reads_the_folder_anew_and_a_faulty_one_changes_nothing(lab):
    www = fill(lab.directory / "www")
    lab.start("mgmtd", mgmtd=["--www", www])
    tag = ask(lab, "/a.js").header("etag")
    (www / "a.js").write_text("new")
    (www / "new.js").write_text("new")
    (www / "a.css").unlink()
    assert ask(lab, "/a.js").body == b"I am a.js" and ask(lab, "/new.js").status == 404
    lab.mgmtd.process.send_signal(signal.SIGHUP)
    until(lambda: ask(lab, "/a.js").body == b"new", 5, "the new file")
    assert ask(lab, "/a.js", If_None_Match=tag).status == 200 and ask(lab, "/new.js").body == b"new" and ask(lab, "/a.css").status == 404
    for _ in range(3):
        lab.mgmtd.process.send_signal(signal.SIGHUP)
    (www / "index.html").rename(www / "gone.html")
    lab.mgmtd.process.send_signal(signal.SIGHUP)
    lab.mgmtd.wait_log(f"the panel stays as it was: {www}: there is no index.html in it")
    assert ask(lab, "/").body == PAGE and ask(lab, "/a.js").body == b"new" and ask(lab, "/gone.html").status == 404


@pytest.mark.threads
def test_who_is_still_reading_a_file_gets_all_of_it_over_a_sighup(lab):
    www = fill(lab.directory / "www")
    (www / "large.js").write_bytes(b"0123456789abcdef" * (4 << 16))
    lab.start("mgmtd", mgmtd=["--www", www])
    wire = Wire(lab.url, 10)
    wire.exchange(b"GET /a.js HTTP/1.1\r\nHost: x\r\n\r\n", "GET", False)
    wire.socket.sendall(b"GET /large.js HTTP/1.1\r\nHost: x\r\n\r\n")
    wire.more()
    (www / "large.js").unlink()
    lab.mgmtd.process.send_signal(signal.SIGHUP)
    until(lambda: ask(lab, "/large.js").status == 404, 5, "that it is gone")
    assert wire.read("GET", False).body == b"0123456789abcdef" * (4 << 16)
    wire.close()


# ---- the panel that was built

def test_all_that_a_visit_may_load_is_small():
    www = BUILD / "www"
    sizes = {path.name: path.stat().st_size for path in www.rglob("*.br") if "LICENSE" not in path.name}
    assert "index.html.br" in sizes and "pico.css.br" in sizes
    assert sum(sizes.values()) <= PANEL_KB * 1000, f"{sum(sizes.values())} bytes: {sorted(sizes.items(), key=lambda item: -item[1])}"


def imported(*names):
    """Those modules and all that they cannot begin without."""
    found, todo = set(), list(names)
    while todo:
        name = todo.pop()
        if name not in found:
            found.add(name)
            todo += [] if name.startswith("vendor/") else re.findall(r'^import [^;]*from "\./([^"]+)";', (ROOT / "www" / name).read_text(), re.M)
    return found


def test_what_the_first_page_needs_is_asked_for_at_once():
    """A module that the page does not name is found only after the one that imports it was read, a round trip later."""
    page = (ROOT / "www/index.html").read_text()
    named = set(re.findall(r'<link rel="modulepreload" href="([^"]+)">', page))
    assert named | {"app.js"} == imported("app.js", "overview.js")


def test_the_built_panel_is_served_and_its_codings_hold_its_files(lab):
    lab.start("mgmtd")
    www = BUILD / "www"
    files = [path for path in sorted(www.rglob("*")) if path.is_file() and path.suffix not in (".br", ".gz") and path.name != ".made"]
    assert len(files) > 5
    for path in files:
        name, plain = path.relative_to(www), path.read_bytes()
        answer = ask(lab, f"/{name}")
        assert answer.status == 200 and answer.body == plain, name
        if path.suffix not in (".html", ".css", ".js", ".svg", ".json", ".txt", ".webmanifest"):
            continue
        for coding, command in (("br", ["brotli", "-dc"]), ("gzip", ["gzip", "-dc"])):
            answer = ask(lab, f"/{name}", Accept_Encoding=coding)
            assert answer.header("content-encoding") == coding, name
            assert subprocess.run(command, input=answer.body, stdout=subprocess.PIPE, check=True).stdout == plain, name


def test_the_lock_file_pins_every_package_by_its_hash_and_names_no_host():
    text = (ROOT / "www/package-lock.json").read_text()
    wanted = json.loads((ROOT / "www/package.json").read_text())
    packages = {name: package for name, package in json.loads(text)["packages"].items() if name}
    assert len(packages) >= 4 and all(package["integrity"].startswith("sha512-") for package in packages.values())
    assert "resolved" not in text and not re.search(r"https?:|//|\.(com|org|net|io)\b", re.sub(r'"integrity": "[^"]*"', "", text))
    for name, version in {**wanted["dependencies"], **wanted["devDependencies"]}.items():
        assert re.fullmatch(r"\d+\.\d+\.\d+", version) and packages[f"node_modules/{name}"]["version"] == version

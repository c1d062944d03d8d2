"""Fixtures: a lab for each test, one shared lab for tests that only ask."""

import pytest

import authority as certificates
from exchange import Exchange, revive
from lab import Lab


def pytest_configure(config):
    config.addinivalue_line("markers", "slow: waits for real time to pass (a retry delay, the end of a binding)")
    config.addinivalue_line("markers", "threads: keeps the threads of mgmtd busy; run under ThreadSanitizer too")
    config.addinivalue_line("markers", "soak: repeated for longer by `make soak`")
    config.addinivalue_line("markers", "heavy: many processes or objects; run once, on one build")
    config.addinivalue_line("markers", "panel: drives a browser; run once, on one build")


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    report = outcome.get_result()
    for name in ("lab", "quiet", "switch", "furnished"):
        lab = getattr(item, "funcargs", {}).get(name)
        if lab and report.failed:
            report.sections.append((f"logs of {name}", lab.logs()))
    page = getattr(item, "funcargs", {}).get("page") or getattr(item, "funcargs", {}).get("walker")
    if page and report.failed and call.when == "call":
        page.failed = True
        report.sections.append(("page", page.kept(item.name)))


def lab_for(directory):
    lab = Lab(directory)
    yield lab
    lab.close()
    assert not lab.problems, "\n".join(lab.problems) + "\n" + lab.logs()


@pytest.fixture
def lab(tmp_path):
    """Nothing is started yet."""
    yield from lab_for(tmp_path)


@pytest.fixture(scope="module")
def quiet(tmp_path_factory):
    """Both daemons, shared by the tests of a module that leave no trace or use names of their own."""
    for lab in lab_for(tmp_path_factory.mktemp("quiet")):
        lab.start("mgmtd", "switchcore").wait_switch()
        yield lab


@pytest.fixture
def api(quiet):
    return quiet.api()


@pytest.fixture(scope="session")
def authority(tmp_path_factory):
    """A certificate authority; see authority.py."""
    return certificates.Authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture(scope="module")
def switch(tmp_path_factory, authority):
    """Both daemons with a listener of every transport, shared by the tests of a module through `exchange`."""
    for lab in lab_for(tmp_path_factory.mktemp("switch")):
        # lsan.supp names functions that only the slow unwinder finds behind libssl's.
        lab.env["ASAN_OPTIONS"] = "detect_leaks=1:fast_unwind_on_malloc=0"
        certificate, key = authority.issue(lab.host)
        lab.start("mgmtd", "switchcore", sip=("udp:{host}:0", "tcp:{host}:0", "tls:{host}:0"),
                  switchcore=["--tls-ca", authority.file, "--tls-cert", certificate, "--tls-key", key]).wait_switch()
        yield lab


@pytest.fixture
def exchange(switch):
    """Callers and gateways of one test around the shared switch."""
    revive(switch)
    own = Exchange(switch)
    yield own
    own.end()


@pytest.fixture(scope="session")
def browser():
    """One Chromium of this worker."""
    from browser import Browser  # only what drives one needs it installed
    own = Browser()
    yield own
    own.close()


@pytest.fixture
def page(browser):
    """A tab where nobody was ever here, not yet opened: page.at(lab).  It ends with nothing to complain of."""
    own = browser.page()
    yield own
    if not own.failed:
        own.clean()


@pytest.fixture
def at(exchange, page):
    """Opens the panel of the exchange there."""
    return lambda where: page.at(exchange.lab).enter(where)


@pytest.fixture(scope="session")
def furnished(tmp_path_factory):
    """A lab with something to show in every view, for tests that only look; see furniture.py."""
    from furniture import furnish
    for lab in lab_for(tmp_path_factory.mktemp("furnished")):
        exchange = furnish(lab)
        yield lab
        exchange.end()


@pytest.fixture
def own_exchange(lab):
    """The same around a switch of the test's own, for tests that stop or kill it."""
    lab.start("mgmtd", "switchcore").wait_switch()
    own = Exchange(lab)
    yield own
    own.end()

"""Fixtures: a lab for each test, one shared lab for tests that only ask."""

import pytest

from lab import Lab


def pytest_configure(config):
    config.addinivalue_line("markers", "slow: waits for real time to pass (a retry delay, the end of a binding)")
    config.addinivalue_line("markers", "threads: keeps the threads of mgmtd busy; run under ThreadSanitizer too")
    config.addinivalue_line("markers", "soak: repeated for longer by `make soak`")
    config.addinivalue_line("markers", "heavy: many processes or objects; run once, on one build")


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    report = outcome.get_result()
    for name in ("lab", "quiet"):
        lab = getattr(item, "funcargs", {}).get(name)
        if lab and report.failed:
            report.sections.append((f"logs of {name}", lab.logs()))


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

"""Times of messages and of the API."""

import datetime


def parsed(text):
    """Seconds since the epoch of an API time, which is RFC 3339 in UTC with milliseconds."""
    return datetime.datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=datetime.timezone.utc).timestamp()


def seconds_between(earlier, later):
    return parsed(later) - parsed(earlier)


def between(first, second, least, most):
    """The two messages came so far apart; says how far when they did not."""
    apart = second.at - first.at
    assert least <= apart <= most, f"{apart:.3f} s apart, not {least} to {most}"
    return True

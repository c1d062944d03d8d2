"""A request of the fuzzer, and what its checks want to know of it."""

import shlex


class Asked:
    def __init__(self, operation, method, target, described):
        self.operation, self.method, self.target, self.described = operation, method, target, described
        self.query, self.headers, self.body = {}, [("Host", "fuzz")], None
        self.name, self.token = None, False

    def command(self, url):
        """The same by hand; $TOKEN is to be filled in."""
        words = ["curl", "-i", "--path-as-is", "-X", self.method, url + self.target]
        for name, value in self.headers:
            if name != "Host":
                words += ["-H", f"{name}: $TOKEN" if name == "Authorization" and self.token else f"{name}: {value}"]
        line = " ".join(shlex.quote(word) for word in words).replace("'Authorization: $TOKEN'", '"Authorization: Bearer $TOKEN"')
        if self.body is None:
            return line
        text = "".join(chr(c) if 32 <= c < 127 and chr(c) not in "\\'" else f"\\x{c:02x}" for c in self.body[:4000])
        return line + f" --data-binary $'{text}'" + (f"   # and {len(self.body) - 4000} bytes more" if len(self.body) > 4000 else "")

"""A certificate authority of the tests' own."""

import pathlib
import ssl
import subprocess


class Authority:
    """file: its certificate; stranger: that of another authority, which signed nothing."""

    def __init__(self, directory):
        self.directory = pathlib.Path(directory)
        for name in ("ca", "stranger"):
            self.openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", f"{name}.key", "-out", f"{name}.pem", "-subj",
                         f"/CN={name}", "-days", "2")
        self.file, self.stranger = self.directory / "ca.pem", self.directory / "stranger.pem"

    def openssl(self, *words):
        subprocess.run(["openssl", *map(str, words)], cwd=self.directory, check=True, capture_output=True)

    def issue(self, name):
        """(certificate, key) of a server of that name or address."""
        kind = "IP" if name[0].isdigit() else "DNS"
        self.openssl("req", "-newkey", "rsa:2048", "-nodes", "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}")
        (self.directory / f"{name}.ext").write_text(f"subjectAltName={kind}:{name}\n")
        self.openssl("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2", "-out",
                     f"{name}.pem", "-extfile", f"{name}.ext")
        return self.directory / f"{name}.pem", self.directory / f"{name}.key"

    def context(self, name):
        """What a TLS server of that name needs."""
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(*self.issue(name))
        return tls

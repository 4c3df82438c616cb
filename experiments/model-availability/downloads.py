"""The downloaders under test, and the file that they download.

DOWNLOADER is the command of yours, with {url} and {file} in it: it ends with 0 when the file is there and right, and
with something else when it is not. Default: download.py (aiohttp) and download.bash (curl) beside this file.
FILE_URL is a file on your own server, at most some megabytes; default: one of the lab.
"""

import hashlib
import os
import shlex
import subprocess
import sys
import urllib.request
from pathlib import Path
from urllib.parse import urlsplit

HERE = Path(__file__).parent
SIZE = 300_007
LAB = {
    "aiohttp": f"{shlex.quote(sys.executable)} {shlex.quote(str(HERE / 'download.py'))} {{url}} {{file}}",
    "curl": f"bash {shlex.quote(str(HERE / 'download.bash'))} {{url}} {{file}}",
}
DOWNLOADERS = {"yours": os.environ["DOWNLOADER"]} if os.environ.get("DOWNLOADER") else LAB
WITHIN_S = 120


class Source:
    """A file on a server, with chaosproxy in front of it."""

    def __init__(self, chaos, size=SIZE):
        real = urlsplit(os.environ.get("FILE_URL", ""))
        self.server = chaos.wrap(f"{real.scheme}://{real.netloc}", "hub") if real.netloc else chaos.backend("hub")
        self.path = real.path if real.netloc else f"/files/{size}"
        self.url = self.server.url + self.path
        with urllib.request.urlopen(self.url, timeout=WITHIN_S) as response:  # noqa: S310 - http
            self.body = response.read()
        self.sha256 = hashlib.sha256(self.body).hexdigest()

    def fault(self, name, **settings):
        """A fault that meets the file, and not its checksum."""
        return self.server.fault(name, match={"path": self.path}, **settings)

    @property
    def asked(self):
        """The status of each answer for the file since the start, without the first one, which is ours."""
        return [each.sent.status for each in self.server.exchanges if each.path == self.path][1:]

    def is_right(self, file):
        """Whether the file is there and has the right bytes."""
        return file.exists() and hashlib.sha256(file.read_bytes()).hexdigest() == self.sha256


def download(downloader, source, file, **env):
    """Exit code and output of one run of a downloader."""
    command = shlex.split(DOWNLOADERS[downloader].format(url=source.url, file=shlex.quote(str(file))))
    done = subprocess.run(
        command,
        env={**os.environ, **env},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=WITHIN_S,
        check=False,
    )
    return done.returncode, done.stdout


def assert_honest(ended, source, file):
    """Success means the right file; a failure leaves no wrong file behind under its name."""
    code, out = ended
    if code == 0:
        assert source.is_right(file), f"it ended with 0, and the file is wrong\n{out}"
    else:
        assert not file.exists() or source.is_right(file), f"it ended with {code} and left a wrong file\n{out}"

"""A headless Chromium that says what a page drew, what it complained about, what it asked for."""

import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

_NAMES = (os.environ.get("CHROME", ""), "chromium", "chromium-browser", "google-chrome")
_FLAGS = (
    "--headless",
    "--no-sandbox",  # the pages are ours, and CI runs as root
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
    "--host-resolver-rules=MAP * ~NOTFOUND",  # the browser's own errands end here
    "--enable-logging=stderr",
    "--v=0",
    "--virtual-time-budget=8000",
)
_BROWSERS_OWN = "not an origin"


@dataclass(frozen=True)
class Visit:
    """What came of opening a page."""

    dom: str
    console: tuple[str, ...]
    requests: tuple[str, ...]


@dataclass(frozen=True)
class Browser:
    program: str
    folder: Path

    def open(self, page: Path, *options: str) -> Visit:
        log = self.folder / "net.json"
        done = self.run(page, f"--log-net-log={log}", "--dump-dom", *options)
        return Visit(
            dom=done.stdout,
            console=tuple(line for line in done.stderr.splitlines() if ":CONSOLE:" in line),
            requests=_requests(json.loads(log.read_text(encoding="utf-8"))),
        )

    def run(self, page: Path, *options: str) -> subprocess.CompletedProcess[str]:
        profile = self.folder / "profile"
        command = [self.program, *_FLAGS, f"--user-data-dir={profile}", *options, page.as_uri()]
        return subprocess.run(
            command, capture_output=True, encoding="utf-8", timeout=120, check=True
        )


def _requests(log: dict[str, Any]) -> tuple[str, ...]:
    """Return the addresses pages asked for; the browser's own requests have no origin."""
    urls = []
    for event in log["events"]:
        about = event.get("params", {})
        if about.get("initiator", _BROWSERS_OWN) != _BROWSERS_OWN:
            urls.append(about["url"])
    return tuple(urls)


@pytest.fixture
def browser(tmp_path: Path) -> Browser:
    found = [program for name in _NAMES if name and (program := shutil.which(name))]
    if not found:
        pytest.skip(
            "no Chromium found, so the report was NOT tested in a browser: "
            "`apt-get install chromium`, or set CHROME to the program"
        )
    folder = tmp_path / "browser"
    folder.mkdir()
    return Browser(found[0], folder)

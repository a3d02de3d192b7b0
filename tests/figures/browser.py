"""A headless Chromium, driven over HTTP by the WebDriver protocol."""

from __future__ import annotations

import base64
import contextlib
import json
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

ARGUMENTS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage")


def chromium() -> str | None:
    """The browser's path, if there is one."""
    found = map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))
    return next(filter(None, found), None)


def why_not() -> str:
    """What is missing, or nothing."""
    if chromium() is None:
        return "no chromium, chromium-browser or google-chrome on the path"
    return "" if shutil.which("chromedriver") else "no chromedriver on the path"


class Browser:
    """One window of a browser.

    Parameters
    ----------
    address : str
        Of a WebDriver session.
    """

    def __init__(self, address: str) -> None:
        self.address = address

    def open(self, file: Path) -> None:
        """Show a file."""
        _ask("POST", f"{self.address}/url", {"url": file.resolve().as_uri()})

    def run(self, script: str, *arguments: object) -> object:
        """The value that a script returns."""
        body = {"script": script, "args": list(arguments)}
        return _ask("POST", f"{self.address}/execute/sync", body)

    def click(self, selector: str, place: int = 0) -> None:
        """Click on an element, at the given place among those that a CSS selector finds."""
        _ask("POST", f"{self._element(selector, place)}/click", {})

    def press(self, selector: str, place: int, keys: str) -> None:
        """Press keys in an element."""
        _ask("POST", f"{self._element(selector, place)}/value", {"text": keys})

    def _element(self, selector: str, place: int) -> str:
        body = {"using": "css selector", "value": selector}
        found = _ask("POST", f"{self.address}/elements", body)
        return f"{self.address}/element/{next(iter(found[place].values()))}"

    def console(self) -> list[str]:
        """What the console has said since it was last asked."""
        return [line["message"] for line in _ask("POST", f"{self.address}/se/log", LOG)]

    def devtools(self, command: str, **parameters: object) -> object:
        """Send a command of Chromium's own protocol."""
        body = {"cmd": command, "params": parameters}
        return _ask("POST", f"{self.address}/goog/cdp/execute", body)

    def pdf(self) -> bytes:
        """The page printed as its style sheet says."""
        printed = self.devtools("Page.printToPDF", preferCSSPageSize=True, printBackground=True)
        return base64.b64decode(printed["data"])


LOG = {"type": "browser"}


@contextlib.contextmanager
def browser(profile: Path) -> Iterator[Browser]:
    """Run a browser that keeps its files in a folder of its own."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = f"http://127.0.0.1:{port}"
    options = {"binary": chromium(), "args": [*ARGUMENTS, f"--user-data-dir={profile}"]}
    wanted = {"goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"}}
    driver = subprocess.Popen(
        [shutil.which("chromedriver"), f"--port={port}"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _await(server, driver)
        session = _ask("POST", f"{server}/session", {"capabilities": {"alwaysMatch": wanted}})
        address = f"{server}/session/{session['sessionId']}"
        try:
            yield Browser(address)
        finally:
            _ask("DELETE", address)
    finally:
        driver.terminate()
        driver.wait(600)


def _await(server: str, driver: subprocess.Popen) -> None:
    while driver.poll() is None:
        with contextlib.suppress(OSError):
            if _ask("GET", f"{server}/status")["ready"]:
                return
        time.sleep(0.05)
    raise OSError("chromedriver has ended")


def _ask(method: str, url: str, body: object = None) -> object:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"}, method=method)
    try:
        with OPENER.open(request, timeout=600) as answer:
            return json.load(answer)["value"]
    except urllib.error.HTTPError as error:
        raise RuntimeError(json.load(error)["value"]["message"]) from None


OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # no proxy to this machine

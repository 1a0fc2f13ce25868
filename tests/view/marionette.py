"""Firefox, driven by its own remote protocol (Marionette): Playwright has another Firefox than Debian's,
and no driver is needed for the few things that are asked here."""
import contextlib
import json
import os
import re
import shutil
import socket
import subprocess
import tempfile
import threading

TIMEOUT = 120
PREFERENCES = {
    "marionette.port": 0,  # any that is free; it is written to the profile
    "browser.shell.checkDefaultBrowser": False,
    "browser.startup.homepage_override.mstone": "ignore",
    "datareporting.policy.dataSubmissionEnabled": False,
    "app.update.enabled": False,
    "network.proxy.type": 1,  # to where nothing listens: nothing leaves the machine
    "network.proxy.http": "127.0.0.1", "network.proxy.http_port": 9, "network.proxy.ssl": "127.0.0.1", "network.proxy.ssl_port": 9,
}


def find():
    return shutil.which("firefox-esr") or shutil.which("firefox")


class Firefox:
    """Connected; commands are those of WebDriver."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT)
        self.number, self.buffer = 0, b""
        self.receive()
        self.ask("WebDriver:NewSession", {})

    def receive(self):
        while b":" not in self.buffer:
            self.buffer += self.more()
        size, self.buffer = self.buffer.split(b":", 1)
        while len(self.buffer) < int(size):
            self.buffer += self.more()
        text, self.buffer = self.buffer[:int(size)], self.buffer[int(size):]
        return json.loads(text)

    def more(self):
        data = self.socket.recv(1 << 16)
        if not data:
            raise EOFError("Firefox is gone")
        return data

    def ask(self, command, parameters):
        self.number += 1
        text = json.dumps([0, self.number, command, parameters])
        self.socket.sendall(b"%d:%s" % (len(text), text.encode()))
        _, number, error, result = self.receive()
        if error:
            raise RuntimeError("%s: %s" % (command, error))
        return result

    def open(self, address):
        self.ask("WebDriver:Navigate", {"url": address})

    def run(self, script, *arguments):
        """What a function body returns."""
        return self.ask("WebDriver:ExecuteScript", {"script": script, "args": list(arguments)})["value"]

    def wait(self, script):
        """Until the body calls its last argument."""
        return self.ask("WebDriver:ExecuteAsyncScript", {"script": script, "args": [], "scriptTimeout": 1000 * TIMEOUT})["value"]


def drain(output):
    with output:
        output.read()


def port_of(output):
    """Waits for the line in which Firefox says where it listens, and has the rest read and thrown away."""
    for line in output:
        found = re.search(r"Marionette.*Listening on port (\d+)", line)
        if found:
            threading.Thread(target=drain, args=(output,), daemon=True).start()
            return int(found.group(1))
    raise EOFError("Firefox is gone")


@contextlib.contextmanager
def firefox():
    with tempfile.TemporaryDirectory(prefix="mt") as profile:
        with open(os.path.join(profile, "user.js"), "w") as f:
            for name, value in PREFERENCES.items():
                f.write("user_pref(%s, %s);\n" % (json.dumps(name), json.dumps(value)))
        environment = dict(os.environ, HOME=profile, MOZ_HEADLESS="1", TMPDIR=profile)
        process = subprocess.Popen([find(), "--headless", "--marionette", "--no-remote", "--profile", profile],
                                   stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                   universal_newlines=True, errors="replace", env=environment)
        try:
            browser = Firefox(port_of(process.stdout))
            with contextlib.closing(browser.socket):
                yield browser
        finally:
            process.terminate()
            process.wait(TIMEOUT)

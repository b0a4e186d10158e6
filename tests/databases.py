"""A private PostgreSQL server for the tests: made in a folder of its own, heard on a socket only, gone afterwards."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

DEBIAN = Path("/usr/lib/postgresql")


def binaries():
    """The folder of PostgreSQL's programs, None where the machine has none."""
    found = shutil.which("initdb")
    folders = [Path(found).resolve().parent] if found else []
    folders += sorted(DEBIAN.glob("*/bin"), key=lambda folder: int(folder.parent.name.partition(".")[0]), reverse=True)
    return next((folder for folder in folders if (folder / "initdb").exists() and (folder / "postgres").exists()), None)


def _user():
    """PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"


class Server:
    """A server that can be stopped and started; ``create`` makes an empty database and returns its URL."""

    def __init__(self, folder, *, fsync=False):
        self.bin, self.folder, self.user, self.made = binaries(), folder, _user(), 0
        self.shared, self.fsync = None, fsync
        if self.user:
            shutil.chown(folder, self.user)
        self._run("initdb", "--pgdata", folder / "data", "--username", "clerk", "--auth", "trust", "--encoding", "UTF8", "--locale", "C", "--no-sync")
        self.process = None
        self.start()

    def _run(self, program, *words):
        subprocess.run([self.bin / program, *words], check=True, capture_output=True, user=self.user, cwd=self.folder)

    def start(self, *options):
        settings = ["listen_addresses=", f"unix_socket_directories={self.folder}", f"fsync={'on' if self.fsync else 'off'}", "max_connections=60", *options]
        command = [self.bin / "postgres", "-D", self.folder / "data", *(word for setting in settings for word in ("-c", setting))]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, user=self.user, cwd=self.folder)
        for _ in range(200):
            ready = subprocess.run([self.bin / "pg_isready", "-q", "-h", self.folder], check=False)
            if ready.returncode == 0:
                return
            time.sleep(0.05)
        raise AssertionError("PostgreSQL did not start")

    def stop(self):
        self.process.send_signal(signal.SIGQUIT)
        self.process.wait(timeout=30)

    def create(self, encoding="UTF8"):
        self.made += 1
        name = f"letters_{self.made}"
        self._run("createdb", "-h", self.folder, "-U", "clerk", "--template", "template0", "--encoding", encoding, name)
        return self.url(name)

    def emptied(self):
        """The one database that most tests use, one after the other: emptying it is quicker than making another."""
        if self.shared is None:
            self.shared = self.create()
        else:
            self._run(
                "psql",
                "-q",
                "-h",
                self.folder,
                "-U",
                "clerk",
                "-c",
                "DROP SCHEMA public CASCADE; CREATE SCHEMA public",
                self.shared.split("/")[3].partition("?")[0],
            )
        return self.shared

    def url(self, name):
        return f"postgresql://clerk@/{name}?host={self.folder}"


@contextmanager
def server(*, fsync=False):
    folder = Path(tempfile.mkdtemp(prefix="pg"))  # a socket's path is at most 107 bytes long
    running = Server(folder, fsync=fsync)
    try:
        yield running
    finally:
        running.stop()
        shutil.rmtree(folder)

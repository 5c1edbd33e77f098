"""What can go wrong with the local servers, each error naming the thing and the remedy.

LocalError
 ├─ PortTaken         another program listens where a server should
 ├─ NoSuchAddress     a server should listen at an address that this machine does not have
 ├─ SoftwareMissing   a program or download is not there
 ├─ DiskFull          too little room for the servers' data
 ├─ NotLocal          the settings point to another machine
 ├─ OtherPorts        a server runs already, at other ports than the settings say
 ├─ NotOurs           another user started a server, and only that user may stop it
 ├─ BridgeRuns        a bridge has files in use that are to be removed
 └─ ServerFailed      a server ended or did not become ready; carries the end of its log
"""

from pathlib import Path


class LocalError(Exception):
    """The local servers cannot do what was asked; the message names the thing and the remedy."""


class PortTaken(LocalError):
    """Another program listens on a port that a server needs."""

    def __init__(self, server: str, port: int, holder: str, setting: str) -> None:
        super().__init__(
            f"port {port} of {server} is taken by {holder}: stop that program, or choose another port with {setting}"
        )


class NoSuchAddress(LocalError):
    """A server should listen at an address that this machine does not have."""

    def __init__(self, what: str, host: str, setting: str) -> None:
        super().__init__(f"{what} cannot be served at {host}, which is no address of this machine: look at {setting}")


class SoftwareMissing(LocalError):
    """A program or a download is missing."""

    def __init__(self, what: str, remedy: str = "run `make setup`") -> None:
        super().__init__(f"{what} is missing: {remedy}")


class DiskFull(LocalError):
    """The folder of the servers' data has too little room."""

    def __init__(self, folder: Path, free_mb: int, needed_mb: int) -> None:
        super().__init__(
            f"only {free_mb} MB are free in {folder} and the servers need {needed_mb} MB: "
            "make room, or put their data elsewhere with LIVETAPE_HOME"
        )


class NotLocal(LocalError):
    """The settings name a server on another machine, several of them, or no port."""

    def __init__(self, server: str, address: str, setting: str) -> None:
        self.server = server
        self.address = address.rpartition("@")[2]  # without a password
        super().__init__(
            f"{server} at {self.address} is no one port of this machine: `livetape up` starts local servers only "
            f"({setting})"
        )


class OtherPorts(LocalError):
    """A server runs already, at other ports than the settings say."""

    def __init__(self, server: str, there: int, wanted: int) -> None:
        super().__init__(
            f"{server} runs already, started for port {there} and not for {wanted}: `livetape down` comes first"
        )


class NotOurs(LocalError):
    """A process belongs to another user."""

    def __init__(self, pid: int, name: str, owner: str) -> None:
        super().__init__(f"{name} (pid {pid}) belongs to {owner}: stop it as that user")


class BridgeRuns(LocalError):
    """A bridge has files in use that are to be removed."""

    def __init__(self, folder: Path) -> None:
        super().__init__(f"a bridge runs and has {folder} in use: stop it first")


class ServerFailed(LocalError):
    """A server ended or did not become ready in time."""

    def __init__(self, server: str, why: str, log: Path, tail: str) -> None:
        full = "No space left on device" in tail
        remedy = " The disk is full: make room and start again." if full else ""
        super().__init__(f"{server} {why}.{remedy}\n{tail}\nThe whole log: {log}")

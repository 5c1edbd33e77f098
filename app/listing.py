"""What can be asked for, as JSON: made once for as long as it stays the same, since every page asks for it."""

from app.bars import encode
from app.catalogue import Catalogue
from app.history import History
from app.settings import Settings
from app.status import Origin, Status


class Listing:
    """All that the topics hold once its `state` is ready; `version` rises with each change."""

    def __init__(self, settings: Settings, catalogue: Catalogue, history: History, status: Status) -> None:
        self._settings = settings
        self._catalogue = catalogue
        self._history = history
        self._status = status
        self._made_of: object = None
        self._version = 0
        self._text = ""

    @property
    def version(self) -> int:
        """Of the list as it is now."""
        self._renew()
        return self._version

    @property
    def text(self) -> str:
        """The JSON object."""
        self._renew()
        return self._text

    def _renew(self) -> None:
        standing = self._status.now
        older_bars = standing.history is not Origin.TOPIC or not self._history.is_away
        made_of = (standing.state, older_bars, self._catalogue.seen)
        if made_of == self._made_of:
            return
        self._made_of = made_of
        self._version += 1
        self._text = encode(
            {
                "version": self._version,
                "state": standing.state,
                "older_bars": older_bars,
                "namespace": self._settings.namespace,
                "intervals": self._catalogue.intervals,
                "instruments": [instrument._asdict() for instrument in self._catalogue.instruments()],
            }
        )

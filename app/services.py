"""What the doors of one application share."""

from dataclasses import dataclass

from app.catalogue import Catalogue
from app.history import History
from app.metrics import Metrics
from app.movers import Movers
from app.settings import Settings
from app.status import Origin, Status
from app.table_views import TableViews
from app.ticks import Ticks
from app.views import BarView


@dataclass(frozen=True)
class Services:
    """The parts that routes and /ws connections use."""

    settings: Settings
    view: BarView
    catalogue: Catalogue
    movers: Movers
    tables: TableViews
    ticks: Ticks
    history: History
    status: Status
    metrics: Metrics

    def listing(self) -> dict[str, object]:
        """What can be asked for, as JSON values: all that the topics hold once `state` is ready."""
        standing = self.status.now
        return {
            "state": standing.state,
            "older_bars": standing.history is not Origin.TOPIC or not self.history.is_away,
            "namespace": self.settings.namespace,
            "intervals": self.catalogue.intervals,
            "instruments": [instrument._asdict() for instrument in self.catalogue.instruments()],
        }

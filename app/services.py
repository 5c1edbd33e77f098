"""What the doors of one application share."""

from collections.abc import Mapping
from dataclasses import dataclass

from app.catalogue import Catalogue
from app.history import History
from app.listing import Listing
from app.metrics import Metrics
from app.movers import Movers
from app.refusals import Refusals
from app.settings import Settings
from app.status import Status
from app.table_views import TableViews
from app.ticks import Ticks
from app.venues import Venue
from app.views import BarView


@dataclass(frozen=True, kw_only=True)
class Services:
    """The parts that routes and /ws connections use."""

    settings: Settings
    venues: Mapping[str, Venue]
    view: BarView
    catalogue: Catalogue
    movers: Movers
    tables: TableViews
    ticks: Ticks
    history: History
    status: Status
    listing: Listing
    metrics: Metrics
    refusals: Refusals

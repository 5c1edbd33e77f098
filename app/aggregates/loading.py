"""Finds the aggregates that a setting names."""

import importlib
import sys
from collections import Counter
from pathlib import Path

from app.aggregates.declaration import AggregatesUnfit, Declared, declared
from app.settings import Settings


def load_aggregates(settings: Settings) -> tuple[Declared, ...]:
    """The aggregates of the settings' `module:NAME`; none where nothing is set.

    Raises:
        AggregatesUnfit: the module is not there or fails, or what NAME holds cannot be used.
    """
    if not settings.aggregates:
        return ()
    module_name, _, attribute = settings.aggregates.partition(":")
    told = f"LIVETAPE_AGGREGATES={settings.aggregates}"
    if not module_name or not attribute:
        raise AggregatesUnfit(f'{told}: must be `module:NAME`, such as "my_aggregates:ALL"')
    here = str(Path.cwd())
    if here not in sys.path:  # as Faust and uvicorn look for an app; a console script does not
        sys.path.insert(0, here)
    try:
        module = importlib.import_module(module_name)
    except Exception as error:
        raise AggregatesUnfit(
            f"{told}: {module_name} cannot be imported: {type(error).__name__}: {error}. "
            "It is looked for in the current folder and on PYTHONPATH"
        ) from error
    classes = getattr(module, attribute, None)
    if not isinstance(classes, list | tuple):
        raise AggregatesUnfit(f"{told}: {module.__name__} has no list or tuple {attribute}")
    found = tuple(declared(each) for each in classes)
    twice = [name for name, count in Counter(each.name for each in found).items() if count > 1]
    if twice:
        raise AggregatesUnfit(f"{told}: two aggregates have the name {', '.join(twice)}")
    return found

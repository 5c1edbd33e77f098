"""Settings of a bridge of the test's own."""

from pathlib import Path

import pytest

from app.settings import Settings
from tests.integration.bridge_kit import bridge_settings


@pytest.fixture
def here(settings: Settings, tmp_path: Path) -> Settings:
    """A bridge's, with its files in the test's folder."""
    return bridge_settings(settings, tmp_path)


@pytest.fixture
def doubting(here: Settings) -> Settings:
    """Those of a bridge that soon doubts a silent subscription."""
    return here.model_copy(update={"silence_ms": 1_000})

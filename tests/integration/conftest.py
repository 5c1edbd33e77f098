"""Settings that several tests of the bridge share."""

from pathlib import Path

import pytest

from app.settings import Settings
from tests.integration.bridge_kit import bridge_settings


@pytest.fixture
def here(settings: Settings, tmp_path: Path) -> Settings:
    """The settings of a bridge of the test's own, which soon doubts a silent subscription."""
    return bridge_settings(settings, tmp_path).model_copy(update={"silence_ms": 1_000})

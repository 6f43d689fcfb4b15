"""What tests of the command line share."""

import pytest


@pytest.fixture
def files(folder, monkeypatch):
    """The module's folder of files, as the working directory."""
    monkeypatch.chdir(folder)
    return folder

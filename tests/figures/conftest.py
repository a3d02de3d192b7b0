"""One window of a browser for all tests of pages."""

import pytest
from browser import browser, why_not


@pytest.fixture(scope="session")
def window(tmp_path_factory):
    if why_not():
        pytest.skip(why_not())
    with browser(tmp_path_factory.mktemp("browser") / "profile") as found:
        yield found

"""What is set for libraries before they are loaded."""

from system import environment


def test_what_the_user_has_set_stays():
    given = {"OMP_WAIT_POLICY": "active"}
    environment.prepare(given)
    assert given == environment.SETTINGS | {"OMP_WAIT_POLICY": "active"}

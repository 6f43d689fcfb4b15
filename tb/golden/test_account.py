"""Counters of a run that is going on."""

from golden.machine.account import Account


def test_what_was_told_is_not_taken_back():
    """Cycles of which it turns out later what they waited for: each counts once."""
    account = Account()
    account.standing.append(lambda time: [("mac_wait_words", time)])
    assert account.before(10)["mac_wait_words"] == 10
    account.standing[0] = lambda time: [("mac_wait_weights", time - 2), ("mac_busy", 2)]
    for time, weights in ((13, 1), (40, 28)):
        found = account.before(time)
        assert found["mac_wait_words"] == 10 and found["mac_wait_weights"] == weights, found
        assert found["mac_busy"] == 2 and found["cycles"] == time

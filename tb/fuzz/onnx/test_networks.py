"""Random ONNX networks: golden = machine, each node within 1 of ONNX Runtime's, none refused."""

import pytest

from tb.fuzz.onnx.campaign import Campaign

CHUNKS, EACH = 10, 20


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_networks(chunk, tmp_path):
    campaign = Campaign(folder=tmp_path, most_failures=1, shrink_seconds=20)
    campaign.run(EACH, 100_000 + chunk * 2 * EACH)
    account = campaign.account()
    assert not account["failures"], account["failures"]
    assert account["cases"] == EACH and sum(account["refused"].values()) < EACH // 4
    assert account["one_off"] <= 0.03 * account["compared"]

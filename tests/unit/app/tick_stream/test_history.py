"""How far back Kafka is read for what was missed."""

from itertools import pairwise

from app.tick_stream.history import looks


def test_each_look_goes_further_back_and_the_last_to_the_beginning() -> None:
    now_s = 1_700_000_000.0
    times = looks(now_s)
    assert [now_s - from_s for from_s in times[:4]] == [30.0, 900.0, 3_600.0, 14_400.0]
    assert all(near > far for near, far in pairwise(times))
    assert times[-1] == 0.0

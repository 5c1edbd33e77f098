"""What `livetape live` takes for a bar that came."""

import httpx
import pytest

from cli.arrivals import Arrivals

NOTHING = httpx.Response(200, json={"bars": []})
UNKNOWN = httpx.Response(404)
LOADING = httpx.Response(503)
AWAY = httpx.ConnectError("refused")


def bar(start_ns: int, trades: int) -> httpx.Response:
    return httpx.Response(200, json={"bars": [{"start_ns": str(start_ns), "trade_count": trades}]})


@pytest.mark.parametrize(
    ("answers", "seen"),
    [
        ([UNKNOWN, UNKNOWN, bar(9, 1)], [False, False, True]),
        ([NOTHING, bar(9, 1)], [False, True]),
        ([bar(9, 5), bar(9, 5), bar(9, 6)], [False, False, True]),
        ([bar(9, 5), bar(10, 1)], [False, True]),
        ([AWAY, LOADING, bar(9, 5), bar(9, 5), AWAY, bar(10, 5)], [False, False, False, False, False, True]),
    ],
)
def test_only_what_comes_after_the_first_look_counts(
    answers: list[httpx.Response | Exception], seen: list[bool]
) -> None:
    left = iter(answers)

    def answer(request: httpx.Request) -> httpx.Response:
        assert (request.url.path, request.url.params["instrument"]) == ("/api/v1/bars", "BTC-USD")
        told = next(left)
        if isinstance(told, Exception):
            raise told
        return told

    with httpx.Client(base_url="http://api", transport=httpx.MockTransport(answer)) as http:
        arrivals = Arrivals(http, "1s")
        assert [arrivals.look("kraken", "BTC-USD") for _ in answers] == seen

import { afterEach, describe, expect, it, vi } from "vitest";

import { PAGE_BARS } from "../src/feed/history";
import type { Bar } from "../src/feed/protocol";
import { BARS_KEPT, SeriesBars } from "../src/market/series";
import { aBar, KEY } from "./bars";

/** A server that has these bars; it answers as GET /api/v1/bars does, the newest `limit` before `end_ns`. */
function serve(held: readonly Bar[]): string[] {
  const asked: string[] = [];
  vi.stubGlobal("fetch", (address: string) => {
    asked.push(address);
    const query = new URL(address, "http://server").searchParams;
    const end = BigInt(query.get("end_ns") ?? 0);
    const found = held.filter(({ start_ns }) => BigInt(start_ns) < end);
    return Promise.resolve(Response.json({ bars: found.slice(-Number(query.get("limit"))) }));
  });
  return asked;
}

/** A server that answers each question when it is told what to say. */
function serveByHand(): ((found: Bar[]) => void)[] {
  const answers: ((found: Bar[]) => void)[] = [];
  vi.stubGlobal(
    "fetch",
    () =>
      new Promise<Response>((resolve) => {
        answers.push((found) => {
          resolve(Response.json({ bars: found }));
        });
      }),
  );
  return answers;
}

const minute = ({ start_ns }: Bar): number => Number(BigInt(start_ns) / 60_000_000_000n);

interface Watched {
  series: SeriesBars;
  /** Minutes of the bars shown now, and of all that were ever shown. */
  shown: (() => number[]) & { all: number[][] };
  at: (wanted: number) => Bar | undefined;
  problems: string[];
}

function watching(): Watched {
  let last: readonly Bar[] = [];
  const all: number[][] = [];
  const problems: string[] = [];
  const series = new SeriesBars(KEY, {
    barsChanged: () => {
      last = series.list();
      all.push(last.map(minute));
    },
    historyAnswered: (problem) => problems.push(problem),
  });
  return {
    series,
    shown: Object.assign(() => last.map(minute), { all }),
    at: (wanted) => last.find((bar) => minute(bar) === wanted),
    problems,
  };
}

const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, i) => from + i);
const bars = (from: number, to: number): Bar[] => range(from, to).map((number) => aBar(number));

afterEach(() => {
  vi.unstubAllGlobals();
});

describe("bars of a series", () => {
  it("have neither hole nor double after a reconnect that missed more than a snapshot holds", async () => {
    serve(bars(0, 5_000));
    const { series, shown } = watching();
    series.takeSnapshot(bars(0, 100));
    series.takeSnapshot(bars(4_000, 4_500));
    expect(shown()).toEqual(range(4_000, 4_500));
    series.takeUpdate(aBar(4_500));
    await vi.waitFor(() => {
      expect(shown()).toEqual(range(0, 4_501));
    });
  });

  it("need nothing fetched when the snapshot reaches as far back as what was held", () => {
    const asked = serve([]);
    const { series, shown } = watching();
    series.takeSnapshot(bars(0, 10));
    series.takeSnapshot(bars(0, 12));
    expect(shown()).toEqual(range(0, 12));
    expect(asked).toEqual([]);
  });

  it("are told as they became while the connection was lost, also before the snapshot", async () => {
    const revised = aBar(3, { state: "revised", revision: 1, close: "7", seq: 900 });
    const final = aBar(4, { state: "final", seq: 901 });
    serve([...bars(0, 3), revised, final, ...bars(5, 20)]);
    const { series, shown, at } = watching();
    series.takeSnapshot([
      ...bars(0, 4),
      aBar(4, { state: "forming" }),
      aBar(5),
      aBar(6, { state: "forming" }),
    ]);
    series.takeSnapshot(bars(6, 20));
    await vi.waitFor(() => {
      expect(at(3)).toEqual(revised);
    });
    expect(at(4)).toEqual(final);
    expect(shown()).toEqual(range(0, 20));
  });

  it("never join bars of two reconnects over a hole, when the first one's history comes late", async () => {
    const answers = serveByHand();
    const { series, shown } = watching();
    series.takeSnapshot(bars(0, 10));
    series.takeSnapshot(bars(100, 110));
    series.takeSnapshot(bars(200, 210));
    answers[0]?.(bars(0, 100));
    answers[1]?.(bars(0, 200));
    await vi.waitFor(() => {
      expect(shown()).toEqual(range(0, 210));
    });
    expect(shown.all).not.toContainEqual([...range(0, 100), ...range(200, 210)]);
  });

  it("take a revision of a bar older than the oldest shown when history has come so far", async () => {
    serve(bars(0, 1_500));
    const { series, shown, at } = watching();
    series.takeSnapshot(bars(1_000, 1_500));
    series.takeUpdate(aBar(700, { state: "revised", revision: 1, seq: 90_000 }));
    expect(shown()).toEqual(range(1_000, 1_500));
    await series.loadOlder();
    expect(shown()).toEqual(range(0, 1_500));
    expect(at(700)?.state).toBe("revised");
  });

  it("begin with one that a late trade makes before the first, be it before or after history has come so far", async () => {
    serve(bars(5, 8));
    const { series, shown } = watching();
    series.takeSnapshot(bars(6, 8));
    series.takeUpdate(aBar(3));
    expect(shown()).toEqual([6, 7]);
    await series.loadOlder();
    expect(shown()).toEqual([3, 5, 6, 7]);
    series.takeUpdate(aBar(1));
    series.takeUpdate(aBar(2, { state: "revised", revision: 1 }));
    expect(shown()).toEqual([1, 2, 3, 5, 6, 7]);
  });

  it("begin with one that a late trade makes before the first where history has none older", async () => {
    serve(bars(6, 8));
    const { series, shown } = watching();
    series.takeSnapshot(bars(6, 8));
    series.takeUpdate(aBar(3));
    await series.loadOlder();
    expect(shown()).toEqual([3, 6, 7]);
  });

  it("of before a reset give way to what history has of after it, or go with what it does not have", async () => {
    const after = (bar: Bar): Bar => ({ ...bar, epoch: "log.1", close: "7", seq: 0 });
    const of = (epoch: string, some: readonly Bar[]): Bar[] => some.map((bar) => ({ ...bar, epoch }));
    serve([...of("log.0", bars(1, 2)), ...bars(2, 4).map(after)]);
    const { series, shown, at } = watching();
    series.takeSnapshot(of("log.0", bars(0, 8)));
    series.takeUpdate(after(aBar(8)));
    series.takeSnapshot([...bars(5, 7), aBar(8)].map(after));
    await vi.waitFor(() => {
      expect(shown()).toEqual([1, 2, 3, 5, 6, 8]);
    });
    expect(shown().map((number) => at(number)?.close)).toEqual(["1.5", "7", "7", "7", "7", "7"]);
  });

  it("are none once the server, which has loaded all, says that there are none", () => {
    const asked = serve([]);
    const { series, shown } = watching();
    series.takeSnapshot(bars(0, 10));
    series.takeSnapshot([]);
    expect(shown()).toEqual([]);
    series.takeUpdate(aBar(3, { epoch: "log-1", seq: 1 }));
    expect(shown()).toEqual([3]);
    expect(asked).toEqual([]);
  });

  it("begin anew when the log does", () => {
    serve([]);
    const { series, shown } = watching();
    series.takeSnapshot(bars(0, 10));
    series.takeSnapshot(bars(5, 8).map((bar) => ({ ...bar, seq: 0, epoch: "log-1" })));
    expect(shown()).toEqual([5, 6, 7]);
  });

  it("grow by a page of older ones at a time, until there are none", async () => {
    const asked = serve(bars(0, 1_500));
    const { series, shown } = watching();
    series.takeSnapshot(bars(1_400, 1_500));
    await Promise.all([series.loadOlder(), series.loadOlder()]);
    expect(shown()).toEqual(range(400, 1_500));
    expect(asked).toHaveLength(1);
    await series.loadOlder();
    await series.loadOlder();
    expect(shown()).toEqual(range(0, 1_500));
    expect(asked).toHaveLength(2);
  });

  it("stay as they are when history fails, say so, and are asked for again", async () => {
    const refused = { error: { code: "database_unavailable", reason: "Postgres did not answer" } };
    vi.stubGlobal("fetch", () => Promise.resolve(Response.json(refused, { status: 503 })));
    const { series, shown, problems } = watching();
    series.takeSnapshot(bars(5, 8));
    await series.loadOlder();
    vi.stubGlobal("fetch", () => Promise.resolve(new Response("<h1>Bad gateway</h1>", { status: 502 })));
    await series.loadOlder();
    vi.stubGlobal("fetch", () => Promise.reject(new TypeError("Failed to fetch")));
    await series.loadOlder();
    expect(shown()).toEqual([5, 6, 7]);
    serve(bars(0, 8));
    await series.loadOlder();
    expect(shown()).toEqual(range(0, 8));
    expect(problems).toEqual([
      "Postgres did not answer",
      "the API answered 502",
      "the API cannot be reached",
      "",
    ]);
  });

  it("are asked for again where an answer took too long, and say so", async () => {
    const limit = new AbortController();
    const timeout = vi.spyOn(AbortSignal, "timeout").mockReturnValueOnce(limit.signal);
    const unanswered = (_: string, { signal }: { signal: AbortSignal }): Promise<Response> =>
      Promise.resolve(
        new Response(
          new ReadableStream({
            start: (body) => {
              signal.onabort = () => {
                body.error(signal.reason);
              };
            },
          }),
        ),
      );
    vi.stubGlobal("fetch", unanswered);
    const { series, shown, problems } = watching();
    series.takeSnapshot(bars(5, 8));
    const loading = series.loadOlder();
    limit.abort();
    await loading;
    expect(timeout).toHaveBeenCalledWith(60_000);
    expect(problems).toEqual(["the API did not answer within 60 s"]);
    serve(bars(0, 8));
    await series.loadOlder();
    expect(shown()).toEqual(range(0, 8));
  });

  it("say nothing more once another series was chosen", async () => {
    serve(bars(0, 10));
    const { series, shown, problems } = watching();
    series.takeSnapshot(bars(5, 8));
    const loading = series.loadOlder();
    series.drop();
    await loading;
    expect(shown()).toEqual([5, 6, 7]);
    expect(problems).toEqual([]);
  });
});

describe("bars of a series that stays open", () => {
  const MOST = BARS_KEPT + PAGE_BARS;
  const revised = (number: number, seq: number): Bar =>
    aBar(number, { state: "revised", revision: 1, close: String(seq), seq });

  /** A series that no one hears: what it holds is asked when it matters. */
  const opened = (snapshot: readonly Bar[]): SeriesBars => {
    const series = new SeriesBars(KEY, { barsChanged: () => undefined, historyAnswered: () => undefined });
    series.takeSnapshot(snapshot);
    return series;
  };
  const trade = (series: SeriesBars, from: number, to: number): void => {
    for (const bar of bars(from, to)) series.takeUpdate(bar);
  };
  /** The first and last minute of bars that follow each other: more than one such pair where there is a hole. */
  const spans = (minutes: readonly number[]): number[][] => {
    const found: number[][] = [];
    for (const number of minutes) {
      const last = found.at(-1);
      if (last?.[1] === number - 1) last[1] = number;
      else found.push([number, number]);
    }
    return found;
  };
  const held = (series: SeriesBars): number[][] => spans(series.list().map(minute));

  it("are no more after as many as a day has seconds, and the newest ones", () => {
    const series = opened(bars(0, 500));
    for (let number = 500; number < 86_400; number += 100) {
      trade(series, number, number + 100);
      expect(series.list().length).toBeLessThanOrEqual(MOST);
    }
    const { length } = series.list();
    expect(length).toBeGreaterThanOrEqual(BARS_KEPT);
    expect(held(series)).toEqual([[86_400 - length, 86_399]]);
  });

  it("are dropped many at once, since the chart is drawn anew then", () => {
    const series = opened(bars(0, 500));
    const oldest = new Set<string | undefined>();
    for (const number of range(500, 10_000)) {
      series.takeUpdate(aBar(number));
      oldest.add(series.list()[0]?.start_ns);
    }
    expect(oldest.size).toBeLessThan(10_000 / PAGE_BARS);
  });

  it("all stay while one looks at older ones, and are fewer again once one has returned to the newest", () => {
    const series = opened(bars(0, 500));
    series.keep(Infinity);
    trade(series, 500, 3 * MOST);
    expect(held(series)).toEqual([[0, 3 * MOST - 1]]);
    series.keep(200);
    series.takeUpdate(aBar(3 * MOST));
    expect(held(series)).toEqual([[3 * MOST + 1 - BARS_KEPT, 3 * MOST]]);
  });

  it("stay as far as a very wide screen shows them", () => {
    const series = opened(bars(0, 500));
    series.keep(7_700);
    trade(series, 500, 20_000);
    expect(series.list().length).toBeGreaterThanOrEqual(7_700);
    expect(series.list().length).toBeLessThanOrEqual(7_700 + PAGE_BARS);
  });

  it("come back from history when they were dropped, page by page to the first one", async () => {
    serve(bars(0, MOST));
    const series = opened(bars(0, 500));
    trade(series, 500, MOST + 1);
    expect(held(series)).toEqual([[PAGE_BARS + 1, MOST]]);
    series.keep(Infinity);
    await series.loadOlder();
    expect(held(series)).toEqual([[1, MOST]]);
    await series.loadOlder();
    expect(held(series)).toEqual([[0, MOST]]);
  });

  it("also come back when history had said before that there are none older", async () => {
    serve(bars(0, MOST));
    const series = opened(bars(100, 600));
    await series.loadOlder();
    trade(series, 600, MOST + 1);
    await series.loadOlder();
    expect(held(series)).toEqual([[1, MOST]]);
  });

  it("come back as the stream revised them, before or after they were dropped, though history lags", async () => {
    serve(bars(0, MOST));
    const series = opened(bars(0, 500));
    trade(series, 500, MOST);
    series.takeUpdate(revised(700, 900_000));
    series.takeUpdate(aBar(MOST));
    series.takeUpdate(revised(800, 900_001));
    await series.loadOlder();
    expect(series.list().filter(({ state }) => state === "revised")).toEqual([
      revised(700, 900_000),
      revised(800, 900_001),
    ]);
  });

  it("come back as history has them where that is newer than what the stream revised", async () => {
    serve([...bars(0, 700), revised(700, 900_002), ...bars(701, MOST)]);
    const series = opened(bars(0, 500));
    trade(series, 500, MOST);
    series.takeUpdate(revised(700, 900_000));
    series.takeUpdate(aBar(MOST));
    await series.loadOlder();
    expect(series.list().filter(({ state }) => state === "revised")).toEqual([revised(700, 900_002)]);
  });

  it("leave no hole before a page of history that is under way", async () => {
    const answers = serveByHand();
    const series = opened(bars(1_000, 1_500));
    const loading = series.loadOlder();
    trade(series, 1_500, 3 * MOST);
    answers[0]?.(bars(0, 1_000));
    await loading;
    expect(held(series)).toEqual([[0, 3 * MOST - 1]]);
    series.takeUpdate(aBar(3 * MOST));
    expect(series.list()).toHaveLength(BARS_KEPT);
  });

  it("are asked for anew only as far as they are kept after a reconnect that missed very many", async () => {
    const asked = serve(bars(0, 20_000));
    const { series, shown, problems } = watching();
    series.takeSnapshot(bars(0, 500));
    series.takeSnapshot(bars(19_500, 20_000));
    await vi.waitFor(() => {
      expect(problems).toEqual([""]);
    });
    expect(asked).toHaveLength(5);
    expect(spans(shown())).toEqual([[14_500, 19_999]]);
    await series.loadOlder();
    expect(spans(shown())).toEqual([[13_500, 19_999]]);
  });

  it("are asked for anew as far as they were held while one looks at older ones", async () => {
    serve(bars(0, 8_000));
    const { series, shown } = watching();
    series.takeSnapshot(bars(0, 500));
    series.keep(Infinity);
    series.takeSnapshot(bars(7_500, 8_000));
    await vi.waitFor(() => {
      expect(spans(shown())).toEqual([[0, 7_999]]);
    });
  });

  it("that a reconnect asks for anew are told as they became, and those that it does not ask for are dropped", async () => {
    serve(bars(0, 8_100).map((bar) => ({ ...bar, close: "9" })));
    const { series, shown, at, problems } = watching();
    series.keep(Infinity);
    series.takeSnapshot(bars(0, 8_000));
    series.keep(200);
    series.takeSnapshot(bars(7_600, 8_100));
    await vi.waitFor(() => {
      expect(problems).toEqual([""]);
    });
    expect(spans(shown())).toEqual([[2_600, 8_099]]);
    expect([at(2_600), at(7_599)].map((bar) => bar?.close)).toEqual(["9", "9"]);
  });
});

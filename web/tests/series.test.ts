import { afterEach, describe, expect, it, vi } from "vitest";

import type { Bar } from "../src/feed/protocol";
import { SeriesBars } from "../src/market/series";
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
    barsChanged: (changed) => {
      last = changed;
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

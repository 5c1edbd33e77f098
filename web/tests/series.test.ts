import { afterEach, describe, expect, it, vi } from "vitest";

import type { Bar } from "../src/feed/protocol";
import { SeriesBars } from "../src/market/series";
import { aBar, KEY } from "./bars";

/** A server whose log has these minutes; it answers as GET /api/v1/bars does, the newest `limit` of the range. */
function serve(minutes: readonly number[]): string[] {
  const asked: string[] = [];
  vi.stubGlobal("fetch", (address: string) => {
    asked.push(address);
    const query = new URL(address, "http://server").searchParams;
    const [from, to] = [BigInt(query.get("start_ns") ?? 0), BigInt(query.get("end_ns") ?? 0)];
    const bars = minutes
      .map((minute) => aBar(minute))
      .filter(({ start_ns }) => BigInt(start_ns) >= from && BigInt(start_ns) < to);
    return Promise.resolve(Response.json({ bars: bars.slice(-Number(query.get("limit"))) }));
  });
  return asked;
}

function watching(): { series: SeriesBars; shown: () => number[]; failures: string[] } {
  let last: readonly Bar[] = [];
  const failures: string[] = [];
  const series = new SeriesBars(KEY, {
    barsChanged: (bars) => (last = bars),
    historyFailed: (reason) => failures.push(reason),
  });
  return {
    series,
    shown: () => last.map(({ start_ns }) => Number(BigInt(start_ns) / 60_000_000_000n)),
    failures,
  };
}

const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, i) => from + i);
const bars = (from: number, to: number): Bar[] => range(from, to).map((minute) => aBar(minute));

afterEach(() => {
  vi.unstubAllGlobals();
});

describe("bars of a series", () => {
  it("have neither hole nor double after a reconnect that missed more than a snapshot holds", async () => {
    serve(range(0, 5_000));
    const { series, shown } = watching();
    series.takeSnapshot(bars(0, 100));
    series.takeSnapshot(bars(4_000, 4_500));
    expect(shown()).toEqual(range(4_000, 4_500));
    series.takeUpdate(aBar(4_500));
    await vi.waitFor(() => {
      expect(shown()).toEqual(range(0, 4_501));
    });
  });

  it("need nothing fetched when the snapshot reaches back to what was held", () => {
    const asked = serve([]);
    const { series, shown } = watching();
    series.takeSnapshot(bars(0, 10));
    series.takeSnapshot(bars(9, 12));
    expect(shown()).toEqual(range(0, 12));
    expect(asked).toEqual([]);
  });

  it("grow by a page of older ones at a time, until there are none", async () => {
    const asked = serve(range(0, 1_500));
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

  it("stay as they are when history fails, and say so", async () => {
    vi.stubGlobal("fetch", () => Promise.resolve(new Response("", { status: 503 })));
    const { series, shown, failures } = watching();
    series.takeSnapshot(bars(5, 8));
    await series.loadOlder();
    expect(shown()).toEqual([5, 6, 7]);
    expect(failures).toEqual(["GET /api/v1/bars answered 503"]);
  });
});

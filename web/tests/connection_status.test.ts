import { describe, expect, it, vi } from "vitest";
import { createSSRApp, ref } from "vue";
import { renderToString } from "vue/server-renderer";

import ConnectionStatus from "../src/components/ConnectionStatus.vue";
import type { ConnectionState } from "../src/feed/connection";
import { aTrade } from "./bars";

/** What is said of a trade of this age in ms, heard 200 ms after it was made. */
async function said(connection: ConnectionState, ageMs: number): Promise<string> {
  vi.setSystemTime(100_000);
  const market = {
    connection: ref(connection),
    retryAt: ref(103_000),
    namespace: ref("demo"),
    lagMs: ref(200),
    trades: ref([aTrade(1, String((100_000 - ageMs) * 1_000_000))]),
  };
  const html = await renderToString(createSSRApp(ConnectionStatus, { market }));
  return html.replaceAll(/<!--.*?-->|<[^>]*>/gs, " ").replaceAll(/\s+/g, " ");
}

describe("the status", () => {
  it("has the lag of trades while they follow each other, and the age of the last one once they do not", async () => {
    expect(await said("open", 300)).toContain("lag 200 ms");
    expect(await said("open", 6_000)).toContain("last trade 6.0 s ago");
  });

  it.each(["waiting", "connecting"] as const)(
    "has no lag while %s: no trade is heard",
    async (connection) => {
      expect(await said(connection, 300)).toContain("last trade 300 ms ago");
    },
  );

  it("says when the next attempt is due, and offers one at once", async () => {
    expect(await said("waiting", 300)).toMatch(/disconnected , again in 3 s connect now/);
    expect(await said("open", 300)).not.toContain("connect now");
  });
});

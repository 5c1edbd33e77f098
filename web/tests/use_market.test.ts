import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { effectScope, type EffectScope } from "vue";

import type { Bar } from "../src/feed/protocol";
import { useMarket, type Market } from "../src/market/use_market";
import { aBar, KEY } from "./bars";
import { newest, ServerEnd } from "./server_end";

const LISTING = { namespace: "demo", intervals: [KEY.interval], instruments: [KEY] };
let scope: EffectScope;
let asked: string[];

/** A market that the server has greeted and told these bars. */
function told(history: string, bars: readonly Bar[]): Market {
  const market = scope.run(() => useMarket("ws://server/ws"));
  if (!market) throw new Error("the scope has ended");
  greet(history, bars);
  return market;
}

function greet(history: string, bars: readonly Bar[]): void {
  newest().say({ type: "hello", namespace: "demo", heartbeat_s: 5, history });
  newest().say({ type: "list", ...LISTING });
  newest().say({ type: "snapshot", ...KEY, bars });
}

beforeEach(() => {
  vi.useFakeTimers();
  const page = { location: { search: "" }, history: { replaceState: vi.fn() } };
  vi.stubGlobal("window", Object.assign(new EventTarget(), page));
  vi.stubGlobal("WebSocket", ServerEnd);
  asked = [];
  vi.stubGlobal("fetch", (address: string) => {
    asked.push(address);
    return Promise.resolve(Response.json({ bars: [] }));
  });
  ServerEnd.opened = [];
  scope = effectScope();
});

afterEach(() => {
  scope.stop();
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

describe("older bars", () => {
  it("are asked for where Postgres has them", () => {
    told("postgres", [aBar(9)]).loadOlder();
    expect(asked).toHaveLength(1);
  });

  it("are asked for where the server, just begun, does not know yet whether there are some", () => {
    const market = told("postgres", [aBar(9)]);
    newest().hangUp();
    market.reconnect();
    greet("unknown", [aBar(9)]);
    market.loadOlder();
    expect(asked).toHaveLength(1);
  });

  it("are not asked for where the topics are all there is", () => {
    told("topic", [aBar(9)]).loadOlder();
    expect(asked).toEqual([]);
  });
});

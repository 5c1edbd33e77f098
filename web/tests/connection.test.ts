import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import { Connection, type ConnectionState } from "../src/feed/connection";
import { KEY } from "./bars";
import { newest, ServerEnd } from "./server_end";

const HELLO = { type: "hello", namespace: "demo", heartbeat_s: 5 };

function connect(): {
  connection: Connection;
  states: ConnectionState[];
  heard: string[];
  refused: string[];
} {
  const [states, heard, refused]: [ConnectionState[], string[], string[]] = [[], [], []];
  const connection = new Connection("ws://server/ws", {
    stateChanged: (state) => {
      states.push(state);
      if (state === "open") connection.send({ op: "list" });
    },
    messageReceived: (message) => heard.push(message.type),
    messageRefused: (error) => refused.push(error.message),
  });
  connection.open();
  return { connection, states, heard, refused };
}

beforeEach(() => {
  vi.useFakeTimers();
  vi.stubGlobal("WebSocket", ServerEnd);
  vi.spyOn(Math, "random").mockReturnValue(1);
  ServerEnd.opened = [];
});

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
  vi.restoreAllMocks();
});

describe("the connection", () => {
  it("is open from the server's greeting on, and asks then", () => {
    const { states, heard } = connect();
    expect(states).toEqual(["connecting"]);
    newest().say(HELLO);
    expect(states).toEqual(["connecting", "open"]);
    expect(heard).toEqual(["hello"]);
    expect(newest().received).toEqual([{ op: "list" }]);
  });

  it("is made again when it is lost, and asks again", () => {
    const { states } = connect();
    newest().say(HELLO);
    newest().hangUp();
    expect(states.at(-1)).toBe("waiting");
    vi.advanceTimersByTime(250);
    expect(ServerEnd.opened).toHaveLength(2);
    newest().say(HELLO);
    expect(states.at(-1)).toBe("open");
    expect(newest().received).toEqual([{ op: "list" }]);
  });

  it("is tried less and less often while the server is away, at least every ten seconds", () => {
    connect();
    const pauses = Array.from({ length: 8 }, () => {
      newest().hangUp();
      const [tries, began] = [ServerEnd.opened.length, Date.now()];
      while (ServerEnd.opened.length === tries) vi.advanceTimersByTime(1);
      return Date.now() - began;
    });
    expect(pauses).toEqual([250, 500, 1_000, 2_000, 4_000, 8_000, 10_000, 10_000]);
  });

  it("is tried at once when asked to, and then only once", () => {
    const { connection } = connect();
    newest().hangUp();
    connection.open();
    connection.open();
    vi.advanceTimersByTime(1_000);
    expect(ServerEnd.opened).toHaveLength(2);
  });

  it("counts as lost when heartbeats fail to come, though no one hung up", () => {
    const { states } = connect();
    newest().say(HELLO);
    vi.advanceTimersByTime(12_000);
    newest().say({ type: "heartbeat", time_ns: "1", list_version: 1 });
    vi.advanceTimersByTime(12_499);
    expect(states.at(-1)).toBe("open");
    vi.advanceTimersByTime(1);
    expect(states.at(-1)).toBe("waiting");
    expect(newest().isClosed).toBe(true);
  });

  it("waits longer for a snapshot, which may take long, and not after it", () => {
    const { connection, states } = connect();
    newest().say(HELLO);
    connection.send({ op: "subscribe", channel: "bars", ...KEY });
    vi.advanceTimersByTime(59_999);
    expect(states.at(-1)).toBe("open");
    newest().say({ type: "snapshot", ...KEY, bars: [] });
    vi.advanceTimersByTime(12_499);
    expect(states.at(-1)).toBe("open");
    vi.advanceTimersByTime(1);
    expect(states.at(-1)).toBe("waiting");
  });

  it("counts as lost when a snapshot, or the greeting after it, does not come at all", () => {
    const { connection, states } = connect();
    newest().say(HELLO);
    connection.send({ op: "subscribe", channel: "bars", ...KEY });
    vi.advanceTimersByTime(60_000);
    expect(states.at(-1)).toBe("waiting");
    vi.advanceTimersByTime(250);
    expect(states.at(-1)).toBe("connecting");
    vi.advanceTimersByTime(12_500);
    expect(states.at(-1)).toBe("waiting");
  });

  it("hears nothing from a server that it has given up", () => {
    const { heard } = connect();
    const silent = newest();
    silent.say(HELLO);
    vi.advanceTimersByTime(20_000);
    silent.say({ type: "heartbeat", time_ns: "1", list_version: 1 });
    expect(heard).toEqual(["hello"]);
  });

  it("goes on after a message that makes no sense, and tells what is wrong with it", () => {
    const { heard, refused, states } = connect();
    newest().say(HELLO);
    newest().say("{");
    newest().say({ type: "heartbeat", time_ns: 5 });
    newest().say({ type: "heartbeat", time_ns: "5", list_version: 1 });
    expect(refused).toEqual(["not JSON: {", "time_ns: text was expected"]);
    expect(heard).toEqual(["hello", "heartbeat"]);
    expect(states.at(-1)).toBe("open");
  });

  it("is not made again once it was closed", () => {
    const { connection, states } = connect();
    newest().say(HELLO);
    connection.close();
    vi.advanceTimersByTime(60_000);
    expect(ServerEnd.opened).toHaveLength(1);
    expect(states.at(-1)).toBe("closed");
  });
});

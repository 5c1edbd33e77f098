import { delayMs } from "./backoff";
import { parseMessage, ProtocolError } from "./guard";
import type { ClientMessage, ServerMessage } from "./protocol";

export type ConnectionState = "connecting" | "open" | "waiting" | "closed";

export interface Listener {
  /** Called at every change of the state; `retryAt` is in milliseconds of Date.now(), 0 unless waiting. */
  stateChanged(state: ConnectionState, retryAt: number): void;
  messageReceived(message: ServerMessage): void;
  messageRefused(error: ProtocolError): void;
}

/** Until the server has said its heartbeat. */
const SILENCE_MS = 12_500;
const HEARTBEATS_MISSED = 2.5;
/** While a snapshot is awaited: over a slow link it takes long, and no heartbeat comes before its end. */
const SNAPSHOT_MS = 60_000;

/**
 * One WebSocket, opened again whenever it ends or falls silent.
 *
 *     connecting ── hello ──▶ open ── end or silence ──▶ waiting ── delay ──▶ connecting
 *
 * It is open from the server's greeting on: a proxy that accepts and then fails is no connection.
 */
export class Connection {
  private socket: WebSocket | null = null;
  private failures = 0;
  private silenceMs = SILENCE_MS;
  private awaitsSnapshot = false;
  private silence: ReturnType<typeof setTimeout> | undefined;
  private retry: ReturnType<typeof setTimeout> | undefined;
  private state: ConnectionState = "closed";

  constructor(
    private readonly url: string,
    private readonly listener: Listener,
  ) {}

  /** Connect now, also when an attempt is due only later. */
  open(): void {
    if (this.state === "open" || this.state === "connecting") return;
    clearTimeout(this.retry);
    this.enter("connecting");
    const socket = new WebSocket(this.url);
    this.socket = socket;
    socket.onmessage = (event: MessageEvent<unknown>) => {
      this.take(event.data);
    };
    socket.onclose = () => {
      this.lost();
    };
    this.expectMessage();
  }

  close(): void {
    this.drop();
    clearTimeout(this.retry);
    this.enter("closed");
  }

  /** Send when open; otherwise nothing: who hears of "open" says again what it wants. */
  send(message: ClientMessage): void {
    if (this.state !== "open") return;
    this.socket?.send(JSON.stringify(message));
    if (message.op === "subscribe" && message.channel === "bars") {
      this.awaitsSnapshot = true;
      this.expectMessage();
    }
  }

  private take(data: unknown): void {
    this.expectMessage();
    try {
      const message = parseMessage(data);
      if (message.type === "snapshot" || message.type === "error") this.answered();
      if (message.type === "hello") this.greeted(message.heartbeat_s);
      this.listener.messageReceived(message);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.listener.messageRefused(error);
    }
  }

  private greeted(heartbeat_s: number): void {
    this.failures = 0;
    this.silenceMs = heartbeat_s * 1000 * HEARTBEATS_MISSED;
    this.enter("open");
  }

  private answered(): void {
    this.awaitsSnapshot = false;
    this.expectMessage();
  }

  private expectMessage(): void {
    clearTimeout(this.silence);
    this.silence = setTimeout(
      () => {
        this.lost();
      },
      this.awaitsSnapshot ? SNAPSHOT_MS : this.silenceMs,
    );
  }

  private lost(): void {
    this.drop();
    this.failures += 1;
    const delay = delayMs(this.failures, Math.random());
    this.retry = setTimeout(() => {
      this.open();
    }, delay);
    this.enter("waiting", Date.now() + delay);
  }

  /** Forget the socket at once: the close event of one that hangs may come much later, or never. */
  private drop(): void {
    clearTimeout(this.silence);
    this.awaitsSnapshot = false;
    if (!this.socket) return;
    this.socket.onmessage = null;
    this.socket.onclose = null;
    this.socket.close();
    this.socket = null;
  }

  private enter(state: ConnectionState, retryAt = 0): void {
    this.state = state;
    this.listener.stateChanged(state, retryAt);
  }
}

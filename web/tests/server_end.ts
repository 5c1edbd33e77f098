/** The server's end of each WebSocket that the page opened. */
export class ServerEnd {
  static opened: ServerEnd[] = [];
  onmessage: ((event: { data: string }) => void) | null = null;
  onclose: (() => void) | null = null;
  readonly received: unknown[] = [];
  isClosed = false;

  constructor(readonly url: string) {
    ServerEnd.opened.push(this);
  }

  send(text: string): void {
    this.received.push(JSON.parse(text));
  }

  close(): void {
    this.isClosed = true;
  }

  say(message: unknown): void {
    this.onmessage?.({ data: typeof message === "string" ? message : JSON.stringify(message) });
  }

  hangUp(): void {
    this.onclose?.();
  }
}

/** The end of the connection that the page opened last. */
export const newest = (): ServerEnd => {
  const end = ServerEnd.opened.at(-1);
  if (!end) throw new Error("the page has opened no connection");
  return end;
};

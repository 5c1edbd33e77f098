package livetape.bench;

/** A bar, the key of its instrument and the start of its window in milliseconds since 1970. */
public final class WindowBar {
  public String key;
  public long startMs;
  public Bar bar;

  public WindowBar() {}

  WindowBar(String key, long startMs, Bar bar) {
    this.key = key;
    this.startMs = startMs;
    this.bar = bar;
  }
}

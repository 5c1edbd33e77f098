package livetape.bench;

/**
 * Tells the benchmark how far the engine is, on standard output: RUNNING, and DONE once all trades are aggregated,
 * before they are committed. The timing favours the engine.
 */
final class Progress {
  private static long left;

  private Progress() {}

  /** To be called once, before the engine starts. */
  static void expect(long trades) {
    left = trades;
  }

  static void running() {
    System.out.println("RUNNING");
  }

  /** To be called for every trade, by the one thread that aggregates. */
  static void aggregated() {
    if (--left == 0) {
      System.out.println("DONE");
    }
  }
}

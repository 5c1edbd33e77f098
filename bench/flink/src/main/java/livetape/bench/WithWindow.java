package livetape.bench;

import org.apache.flink.streaming.api.functions.windowing.WindowFunction;
import org.apache.flink.streaming.api.windowing.windows.TimeWindow;
import org.apache.flink.util.Collector;

/** Gives a window's bar its key and start. */
final class WithWindow implements WindowFunction<Bar, WindowBar, String, TimeWindow> {
  private static final long serialVersionUID = 1;

  @Override
  public void apply(String key, TimeWindow window, Iterable<Bar> bars, Collector<WindowBar> out) {
    for (Bar bar : bars) {
      out.collect(new WindowBar(key, window.getStart(), bar));
    }
  }
}

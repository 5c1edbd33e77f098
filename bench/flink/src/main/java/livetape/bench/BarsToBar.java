package livetape.bench;

import org.apache.flink.api.common.functions.AggregateFunction;

/** Adds the bars of a shorter interval to the bar of their window. */
final class BarsToBar implements AggregateFunction<WindowBar, Bar, Bar> {
  private static final long serialVersionUID = 1;

  @Override
  public Bar createAccumulator() {
    return new Bar();
  }

  @Override
  public Bar add(WindowBar child, Bar bar) {
    return bar.add(child.bar);
  }

  @Override
  public Bar getResult(Bar bar) {
    return bar;
  }

  @Override
  public Bar merge(Bar bar, Bar other) {
    return bar.add(other);
  }
}

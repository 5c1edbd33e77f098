package livetape.bench;

import org.apache.flink.api.common.functions.AggregateFunction;

/** Adds trades to the bar of their window. */
final class TradesToBar implements AggregateFunction<InstrumentTrade, Bar, Bar> {
  private static final long serialVersionUID = 1;

  @Override
  public Bar createAccumulator() {
    return new Bar();
  }

  @Override
  public Bar add(InstrumentTrade trade, Bar bar) {
    Progress.aggregated();
    return bar.add(trade.trade());
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

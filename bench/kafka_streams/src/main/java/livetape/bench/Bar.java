package livetape.bench;

/** A bar under construction: prices in 1/100, volume in 1/10,000, notional in 1/1,000,000. */
final class Bar {
  long firstSeq = Long.MAX_VALUE;
  long lastSeq = Long.MIN_VALUE;
  long open;
  long high = Long.MIN_VALUE;
  long low = Long.MAX_VALUE;
  long close;
  long volume;
  long notional;
  long tradeCount;

  Bar add(Trade trade) {
    if (trade.tradeSeq() < firstSeq) {
      firstSeq = trade.tradeSeq();
      open = trade.price();
    }
    if (trade.tradeSeq() > lastSeq) {
      lastSeq = trade.tradeSeq();
      close = trade.price();
    }
    high = Math.max(high, trade.price());
    low = Math.min(low, trade.price());
    volume += trade.size();
    notional += trade.price() * trade.size();
    tradeCount++;
    return this;
  }
}

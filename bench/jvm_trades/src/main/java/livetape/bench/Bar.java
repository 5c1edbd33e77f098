package livetape.bench;

import java.nio.ByteBuffer;

/**
 * A bar under construction: prices in 1/100, volume in 1/10,000, notional in 1/1,000,000. Public, with public fields,
 * because that is what Flink asks of a type for which it is to have a fast serializer.
 */
public final class Bar {
  private static final int BYTES = 9 * Long.BYTES;

  public long firstSeq = Long.MAX_VALUE;
  public long lastSeq = Long.MIN_VALUE;
  public long open;
  public long high = Long.MIN_VALUE;
  public long low = Long.MAX_VALUE;
  public long close;
  public long volume;
  public long notional;
  public long tradeCount;

  public Bar() {}

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

  Bar add(Bar other) {
    if (other.firstSeq < firstSeq) {
      firstSeq = other.firstSeq;
      open = other.open;
    }
    if (other.lastSeq > lastSeq) {
      lastSeq = other.lastSeq;
      close = other.close;
    }
    high = Math.max(high, other.high);
    low = Math.min(low, other.low);
    volume += other.volume;
    notional += other.notional;
    tradeCount += other.tradeCount;
    return this;
  }

  /** Nine big-endian longs in the order of the fields. */
  byte[] encode() {
    return ByteBuffer.allocate(BYTES)
        .putLong(firstSeq)
        .putLong(lastSeq)
        .putLong(open)
        .putLong(high)
        .putLong(low)
        .putLong(close)
        .putLong(volume)
        .putLong(notional)
        .putLong(tradeCount)
        .array();
  }

  static Bar decode(byte[] bytes) {
    ByteBuffer in = ByteBuffer.wrap(bytes);
    Bar bar = new Bar();
    bar.firstSeq = in.getLong();
    bar.lastSeq = in.getLong();
    bar.open = in.getLong();
    bar.high = in.getLong();
    bar.low = in.getLong();
    bar.close = in.getLong();
    bar.volume = in.getLong();
    bar.notional = in.getLong();
    bar.tradeCount = in.getLong();
    return bar;
  }
}

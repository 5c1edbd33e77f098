package livetape.bench;

import java.nio.ByteBuffer;
import org.apache.kafka.common.serialization.Deserializer;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serializer;

/** Nine big-endian longs in the order of the fields of {@link Bar}. */
final class BarSerde implements Serde<Bar> {
  private static final int BYTES = 9 * Long.BYTES;

  @Override
  public Serializer<Bar> serializer() {
    return (topic, bar) -> bar == null ? null : write(bar);
  }

  @Override
  public Deserializer<Bar> deserializer() {
    return (topic, bytes) -> bytes == null ? null : read(ByteBuffer.wrap(bytes));
  }

  private static byte[] write(Bar bar) {
    return ByteBuffer.allocate(BYTES)
        .putLong(bar.firstSeq)
        .putLong(bar.lastSeq)
        .putLong(bar.open)
        .putLong(bar.high)
        .putLong(bar.low)
        .putLong(bar.close)
        .putLong(bar.volume)
        .putLong(bar.notional)
        .putLong(bar.tradeCount)
        .array();
  }

  private static Bar read(ByteBuffer in) {
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

package livetape.bench;

import org.apache.kafka.common.serialization.Deserializer;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serializer;

/** A {@link Bar} as its own encoding. */
final class BarSerde implements Serde<Bar> {
  @Override
  public Serializer<Bar> serializer() {
    return (topic, bar) -> bar == null ? null : bar.encode();
  }

  @Override
  public Deserializer<Bar> deserializer() {
    return (topic, bytes) -> bytes == null ? null : Bar.decode(bytes);
  }
}

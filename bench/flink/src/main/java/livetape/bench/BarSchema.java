package livetape.bench;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import org.apache.flink.connector.kafka.sink.KafkaRecordSerializationSchema;
import org.apache.kafka.clients.producer.ProducerRecord;

/** The instrument's key and 8 bytes of window start, and the bar's own encoding: as Kafka Streams writes them. */
final class BarSchema implements KafkaRecordSerializationSchema<WindowBar> {
  private static final long serialVersionUID = 1;

  private final String topic;

  BarSchema(String topic) {
    this.topic = topic;
  }

  @Override
  public ProducerRecord<byte[], byte[]> serialize(WindowBar bar, KafkaSinkContext context, Long timestamp) {
    byte[] instrument = bar.key.getBytes(StandardCharsets.ISO_8859_1);
    byte[] key = ByteBuffer.allocate(instrument.length + Long.BYTES).put(instrument).putLong(bar.startMs).array();
    return new ProducerRecord<>(topic, key, bar.bar.encode());
  }
}

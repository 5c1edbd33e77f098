package livetape.bench;

import java.nio.charset.StandardCharsets;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.connector.kafka.source.reader.deserializer.KafkaRecordDeserializationSchema;
import org.apache.flink.util.Collector;
import org.apache.kafka.clients.consumer.ConsumerRecord;

/** Records of the topic of trades; those of other schemas (the clocks) are left out. */
final class TradeSchema implements KafkaRecordDeserializationSchema<InstrumentTrade> {
  private static final long serialVersionUID = 1;

  private final TradeReader reader;

  TradeSchema(int tradeSchemaId) {
    this.reader = new TradeReader(tradeSchemaId);
  }

  @Override
  public void deserialize(ConsumerRecord<byte[], byte[]> record, Collector<InstrumentTrade> out) {
    Trade trade = reader.read(record.value());
    if (trade != null) {
      out.collect(new InstrumentTrade(new String(record.key(), StandardCharsets.ISO_8859_1), trade));
    }
  }

  @Override
  public TypeInformation<InstrumentTrade> getProducedType() {
    return TypeInformation.of(InstrumentTrade.class);
  }
}

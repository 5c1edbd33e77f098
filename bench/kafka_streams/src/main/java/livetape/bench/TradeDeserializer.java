package livetape.bench;

import org.apache.kafka.common.serialization.Deserializer;

/** Records of the topic of trades; those of other schemas (the clocks) give null. */
final class TradeDeserializer implements Deserializer<Trade> {
  private final TradeReader reader;

  TradeDeserializer(int tradeSchemaId) {
    this.reader = new TradeReader(tradeSchemaId);
  }

  @Override
  public Trade deserialize(String topic, byte[] record) {
    return reader.read(record);
  }
}

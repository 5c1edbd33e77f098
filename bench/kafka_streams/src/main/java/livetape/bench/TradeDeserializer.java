package livetape.bench;

import java.nio.ByteBuffer;
import org.apache.kafka.common.serialization.Deserializer;

/**
 * Reads just the fields that a bar needs from the Avro body of trade.avsc and skips the rest, with no object but the
 * trade itself. Records of other schemas (the clocks) give null.
 */
final class TradeDeserializer implements Deserializer<Trade> {
  private static final int WIRE_HEADER_BYTES = 5;
  private static final int PRICE_PLACES = 2;
  private static final int SIZE_PLACES = 4;

  private final int tradeSchemaId;
  private final ExactDivision toPrice = new ExactDivision(18 - PRICE_PLACES);
  private final ExactDivision toSize = new ExactDivision(18 - SIZE_PLACES);

  TradeDeserializer(int tradeSchemaId) {
    this.tradeSchemaId = tradeSchemaId;
  }

  @Override
  public Trade deserialize(String topic, byte[] record) {
    if (ByteBuffer.wrap(record).getInt(1) != tradeSchemaId) {
      return null;
    }
    AvroReader in = new AvroReader(record, WIRE_HEADER_BYTES);
    in.skipBytes(); // venue
    in.skipBytes(); // instrument
    in.skipBytes(); // trade_id
    long tradeSeq = in.readLong() == 1 ? in.readLong() : -1;
    long price = in.readDecimal(toPrice);
    long size = in.readDecimal(toSize);
    in.readLong(); // aggressor
    long eventTimeNs = in.readLong();
    return new Trade(tradeSeq, price, size, eventTimeNs / 1_000_000);
  }
}

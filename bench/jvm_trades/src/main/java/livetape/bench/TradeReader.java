package livetape.bench;

import java.io.Serializable;
import java.nio.ByteBuffer;

/**
 * Reads just the fields that a bar needs from the Avro body of trade.avsc and skips the rest, with no object but the
 * trade itself.
 */
final class TradeReader implements Serializable {
  private static final long serialVersionUID = 1;
  private static final int WIRE_HEADER_BYTES = 5;
  private static final int PRICE_PLACES = 2;
  private static final int SIZE_PLACES = 4;
  private static final ExactDivision TO_PRICE = new ExactDivision(18 - PRICE_PLACES);
  private static final ExactDivision TO_SIZE = new ExactDivision(18 - SIZE_PLACES);

  private final int tradeSchemaId;

  TradeReader(int tradeSchemaId) {
    this.tradeSchemaId = tradeSchemaId;
  }

  /** The trade, or null for a record of another schema (a clock). */
  Trade read(byte[] record) {
    if (ByteBuffer.wrap(record).getInt(1) != tradeSchemaId) {
      return null;
    }
    AvroReader in = new AvroReader(record, WIRE_HEADER_BYTES);
    in.skipBytes(); // venue
    in.skipBytes(); // instrument
    in.skipBytes(); // trade_id
    long tradeSeq = in.readLong() == 1 ? in.readLong() : -1;
    long price = in.readDecimal(TO_PRICE);
    long size = in.readDecimal(TO_SIZE);
    in.readLong(); // aggressor
    long eventTimeNs = in.readLong();
    return new Trade(tradeSeq, price, size, eventTimeNs / 1_000_000);
  }
}

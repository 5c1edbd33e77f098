package livetape.bench;

/** A cursor over the binary encoding of Avro, for the types that trade.avsc uses. */
final class AvroReader {
  private final byte[] data;
  private int position;

  AvroReader(byte[] data, int position) {
    this.data = data;
    this.position = position;
  }

  long readLong() {
    long zigzag = 0;
    int shift = 0;
    byte next;
    do {
      next = data[position++];
      zigzag |= (next & 0x7fL) << shift;
      shift += 7;
    } while (next < 0);
    return (zigzag >>> 1) ^ -(zigzag & 1);
  }

  void skipBytes() {
    int length = (int) readLong();
    position += length;
  }

  /** A non-negative decimal of at most 16 bytes, in the unit of the division. */
  long readDecimal(ExactDivision division) {
    int end = (int) readLong();
    end += position;
    long high = 0;
    long low = 0;
    while (position < end) {
      high = (high << 8) | (low >>> 56);
      low = (low << 8) | (data[position++] & 0xff);
    }
    return division.apply(high, low);
  }
}

package livetape.bench;

import com.paritytrading.juncture.nasdaq.itch50.ITCH50Parser;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * Times Juncture on messages each behind two bytes of length; prints the fastest round in nanoseconds a message, and
 * the sum of the fields, the same each round. There are more rounds than in C++: the first ones compile the code.
 */
public final class JunctureDecode {
  private static final int ROUNDS = 20;

  private JunctureDecode() {}

  public static void main(String[] arguments) throws IOException {
    ByteBuffer stream = ByteBuffer.wrap(Files.readAllBytes(Path.of(arguments[0])));
    double fastest = Double.POSITIVE_INFINITY;
    long sum = 0;
    for (int round = 0; round < ROUNDS; round++) {
      FieldSum fields = new FieldSum();
      ITCH50Parser parser = new ITCH50Parser(fields);
      long start = System.nanoTime();
      long messages = decodeAll(stream, parser);
      fastest = Math.min(fastest, (double) (System.nanoTime() - start) / messages);
      sum = fields.sum();
    }
    System.out.println("{\"checksum\": " + Long.toUnsignedString(sum) + ", \"ns\": " + fastest + "}");
  }

  private static long decodeAll(ByteBuffer stream, ITCH50Parser parser) throws IOException {
    int end = stream.capacity();
    stream.clear();
    long messages = 0;
    while (stream.position() < end) {
      int length = Short.toUnsignedInt(stream.getShort());
      stream.limit(stream.position() + length);
      parser.message(stream);
      stream.limit(end);
      messages++;
    }
    return messages;
  }
}

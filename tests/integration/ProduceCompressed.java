import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Properties;
import java.util.Scanner;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/** Writes each value on standard input, hexadecimal, to a topic a codec, as `topic=codec` arguments say. */
class ProduceCompressed {
    public static void main(String[] arguments) {
        List<byte[]> values = new ArrayList<>();
        Scanner lines = new Scanner(System.in, StandardCharsets.UTF_8);
        while (lines.hasNextLine()) {
            values.add(HexFormat.of().parseHex(lines.nextLine()));
        }
        for (int i = 1; i < arguments.length; i++) {
            String[] topicAndCodec = arguments[i].split("=");
            produce(arguments[0], topicAndCodec[0], topicAndCodec[1], values);
        }
    }

    private static void produce(String servers, String topic, String codec, List<byte[]> values) {
        Properties settings = new Properties();
        settings.put("bootstrap.servers", servers);
        settings.put("compression.type", codec);
        settings.put("linger.ms", "1000");
        settings.put("batch.size", "1000000");
        var bytes = new ByteArraySerializer();
        try (var producer = new KafkaProducer<>(settings, bytes, bytes)) {
            for (byte[] value : values) {
                producer.send(new ProducerRecord<>(topic, 0, null, value));
            }
        }
    }
}

import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.stream.Collectors;
import org.apache.avro.Conversions;
import org.apache.avro.Schema;
import org.apache.avro.generic.GenericData;
import org.apache.avro.io.DecoderFactory;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

/**
 * Prints every committed record of a topic, one a line: partition, offset, key and value in hexadecimal, and the value's
 * fields as JSON, read by the schema that the registry has under the id in its wire header.
 */
class ReadBars {
    private static final int HEADER_BYTES = 5; // 0, then the schema id

    private final HttpClient client = HttpClient.newHttpClient();
    private final GenericData model = new GenericData();
    private final Map<Integer, Schema> schemas = new HashMap<>();
    private final String registry;

    ReadBars(String registry) {
        this.registry = registry;
        model.addLogicalTypeConversion(new Conversions.DecimalConversion());
    }

    public static void main(String[] arguments) throws IOException, InterruptedException {
        Properties settings = new Properties();
        settings.put("bootstrap.servers", arguments[0]);
        settings.put("isolation.level", "read_committed");
        settings.put("enable.auto.commit", "false");
        var bytes = new ByteArrayDeserializer();
        var bars = new ReadBars(arguments[2]);
        try (var consumer = new KafkaConsumer<>(settings, bytes, bytes)) {
            List<TopicPartition> partitions = consumer.partitionsFor(arguments[1]).stream()
                    .map(each -> new TopicPartition(each.topic(), each.partition()))
                    .collect(Collectors.toList());
            consumer.assign(partitions);
            consumer.seekToBeginning(partitions);
            var ends = consumer.endOffsets(partitions);
            while (partitions.stream().anyMatch(each -> consumer.position(each) < ends.get(each))) {
                for (var record : consumer.poll(Duration.ofSeconds(1))) {
                    bars.print(record);
                }
            }
        }
    }

    private void print(ConsumerRecord<byte[], byte[]> record) throws IOException, InterruptedException {
        var hex = HexFormat.of();
        System.out.printf("%d %d %s %s %s%n", record.partition(), record.offset(), hex.formatHex(record.key()),
                hex.formatHex(record.value()), fields(record.value()));
    }

    private String fields(byte[] value) throws IOException, InterruptedException {
        ByteBuffer header = ByteBuffer.wrap(value);
        if (header.get() != 0) {
            throw new IOException("no wire header");
        }
        Schema schema = schema(header.getInt());
        var body = DecoderFactory.get().binaryDecoder(value, HEADER_BYTES, value.length - HEADER_BYTES, null);
        Object fields = model.createDatumReader(schema).read(null, body);
        if (!body.isEnd()) {
            throw new IOException("bytes behind the fields");
        }
        return model.toString(fields);
    }

    private Schema schema(int id) throws IOException, InterruptedException {
        Schema known = schemas.get(id);
        if (known == null) {
            var request = HttpRequest.newBuilder(URI.create(registry + "/schemas/ids/" + id)).build();
            String answer = client.send(request, BodyHandlers.ofString()).body();
            known = new Schema.Parser().parse(new ObjectMapper().readTree(answer).get("schema").asText());
            schemas.put(id, known);
        }
        return known;
    }
}

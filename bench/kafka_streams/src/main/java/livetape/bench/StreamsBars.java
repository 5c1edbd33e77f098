package livetape.bench;

import java.io.FileInputStream;
import java.io.IOException;
import java.time.Duration;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.CountDownLatch;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.KGroupedStream;
import org.apache.kafka.streams.kstream.KStream;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.kstream.TimeWindows;
import org.apache.kafka.streams.kstream.WindowedSerdes;
import org.apache.kafka.streams.state.Stores;

/**
 * Bars of a topic of trades: `StreamsBars FILE`, a properties file with Kafka Streams' own settings and `bench.input`,
 * `bench.output.INTERVAL` (a topic), `bench.intervals.s` (comma-separated lengths in seconds), `bench.retention.s` (the
 * least that bars are kept), `bench.trades` and `bench.trade.schema.id`. Ends when standard input ends.
 */
public final class StreamsBars {
  private static final Duration GRACE = Duration.ofSeconds(1);

  // Changes are stamped with event time, which is long ago: the broker would delete them while they are read.
  private static final Map<String, String> KEPT = Map.of("retention.ms", "-1");

  private StreamsBars() {}

  public static void main(String[] arguments) throws IOException, InterruptedException {
    Properties settings = new Properties();
    try (FileInputStream file = new FileInputStream(arguments[0])) {
      settings.load(file);
    }
    Progress.expect(Long.parseLong(settings.getProperty("bench.trades")));
    CountDownLatch running = new CountDownLatch(1);
    RestoreClock restore = new RestoreClock();
    try (KafkaStreams streams = new KafkaStreams(topology(settings), settings)) {
      streams.setStateListener((now, before) -> {
        if (now == KafkaStreams.State.RUNNING) {
          running.countDown();
        }
      });
      streams.setGlobalStateRestoreListener(restore);
      streams.start();
      running.await();
      restore.report();
      Progress.running();
      while (System.in.read() >= 0) {}
    }
  }

  private static Topology topology(Properties settings) {
    Serde<Trade> trades =
        Serdes.serdeFrom(
            (topic, trade) -> { throw new UnsupportedOperationException("trades are only read"); },
            new TradeDeserializer(Integer.parseInt(settings.getProperty("bench.trade.schema.id"))));
    StreamsBuilder builder = new StreamsBuilder();
    KStream<Bytes, Trade> stream =
        builder
            .stream(
                settings.getProperty("bench.input"),
                Consumed.with(Serdes.Bytes(), trades)
                    .withTimestampExtractor((record, partitionTime) -> timeOf((Trade) record.value(), partitionTime)))
            .filter((key, trade) -> trade != null);
    KGroupedStream<Bytes, Trade> grouped = stream.groupByKey(Grouped.with(Serdes.Bytes(), trades));
    Duration retention = Duration.ofSeconds(Long.parseLong(settings.getProperty("bench.retention.s")));
    for (String seconds : settings.getProperty("bench.intervals.s").split(",")) {
      String output = settings.getProperty("bench.output." + seconds);
      aggregate(grouped, Duration.ofSeconds(Long.parseLong(seconds)), retention, output);
    }
    // Children are processed in the order in which they were added: by now the trade is in all its bars.
    stream.foreach((key, trade) -> Progress.aggregated());
    return builder.build();
  }

  private static void aggregate(
      KGroupedStream<Bytes, Trade> grouped, Duration window, Duration shortest, String output) {
    Duration twice = window.multipliedBy(2);
    Duration retention = twice.compareTo(shortest) > 0 ? twice : shortest;
    grouped
        .windowedBy(TimeWindows.ofSizeAndGrace(window, GRACE))
        .aggregate(
            Bar::new,
            (key, trade, bar) -> bar.add(trade),
            Materialized.<Bytes, Bar>as(
                    Stores.inMemoryWindowStore("bars-" + window.toSeconds(), retention, window, false))
                .withKeySerde(Serdes.Bytes())
                .withValueSerde(new BarSerde())
                .withLoggingEnabled(KEPT)
                .withCachingEnabled())
        .toStream()
        .to(
            output,
            Produced.with(new WindowedSerdes.TimeWindowedSerde<>(Serdes.Bytes(), window.toMillis()), new BarSerde()));
  }

  private static long timeOf(Trade trade, long partitionTime) {
    return trade == null ? partitionTime : trade.eventTimeMs();
  }
}

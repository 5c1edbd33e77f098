package livetape.bench;

import java.io.FileInputStream;
import java.io.IOException;
import java.time.Duration;
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
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.kstream.TimeWindows;
import org.apache.kafka.streams.kstream.WindowedSerdes;
import org.apache.kafka.streams.state.Stores;

/**
 * One-minute bars of a topic of trades: `MinuteBars FILE`, a properties file with Kafka Streams' own settings and
 * `bench.input`, `bench.output`, `bench.trades` and `bench.trade.schema.id`. Says RUNNING on standard output once it
 * runs and DONE once it has aggregated `bench.trades` trades, before they are committed: the timing favours it. Ends
 * when standard input ends.
 */
public final class MinuteBars {
  private static final Duration WINDOW = Duration.ofMinutes(1);
  private static final Duration GRACE = Duration.ofSeconds(1);
  private static final Duration RETENTION = Duration.ofHours(2);

  private static long folded;

  private MinuteBars() {}

  public static void main(String[] arguments) throws IOException, InterruptedException {
    Properties settings = new Properties();
    try (FileInputStream file = new FileInputStream(arguments[0])) {
      settings.load(file);
    }
    CountDownLatch running = new CountDownLatch(1);
    try (KafkaStreams streams = new KafkaStreams(topology(settings), settings)) {
      streams.setStateListener((now, before) -> {
        if (now == KafkaStreams.State.RUNNING) {
          running.countDown();
        }
      });
      streams.start();
      running.await();
      System.out.println("RUNNING");
      while (System.in.read() >= 0) {}
    }
  }

  private static Topology topology(Properties settings) {
    long expected = Long.parseLong(settings.getProperty("bench.trades"));
    Serde<Trade> trades =
        Serdes.serdeFrom(
            (topic, trade) -> { throw new UnsupportedOperationException("trades are only read"); },
            new TradeDeserializer(Integer.parseInt(settings.getProperty("bench.trade.schema.id"))));
    StreamsBuilder builder = new StreamsBuilder();
    builder
        .stream(
            settings.getProperty("bench.input"),
            Consumed.with(Serdes.Bytes(), trades)
                .withTimestampExtractor((record, partitionTime) -> timeOf((Trade) record.value(), partitionTime)))
        .filter((key, trade) -> trade != null)
        .groupByKey(Grouped.with(Serdes.Bytes(), trades))
        .windowedBy(TimeWindows.ofSizeAndGrace(WINDOW, GRACE))
        .aggregate(
            Bar::new,
            (key, trade, bar) -> {
              if (++folded == expected) {
                System.out.println("DONE");
              }
              return bar.add(trade);
            },
            Materialized.<Bytes, Bar>as(Stores.inMemoryWindowStore("bars", RETENTION, WINDOW, false))
                .withKeySerde(Serdes.Bytes())
                .withValueSerde(new BarSerde())
                .withCachingEnabled())
        .toStream()
        .to(
            settings.getProperty("bench.output"),
            Produced.with(new WindowedSerdes.TimeWindowedSerde<>(Serdes.Bytes(), WINDOW.toMillis()), new BarSerde()));
    return builder.build();
  }

  private static long timeOf(Trade trade, long partitionTime) {
    return trade == null ? partitionTime : trade.eventTimeMs();
  }
}

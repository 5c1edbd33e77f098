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
import org.apache.kafka.streams.kstream.KGroupedStream;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.kstream.TimeWindows;
import org.apache.kafka.streams.kstream.WindowedSerdes;
import org.apache.kafka.streams.state.Stores;

/**
 * Bars of a topic of trades: `WindowBars FILE`, a properties file with Kafka Streams' own settings and `bench.input`,
 * `bench.output` (a topic an interval, its seconds behind a dash), `bench.seconds` (the intervals, by comma),
 * `bench.trades` and `bench.trade.schema.id`. Each interval is a windowed aggregate of the same grouped stream, since
 * bars of one cannot be summed up to another's: highs and lows have no subtractor. Says RUNNING on standard output once
 * it runs and DONE once it has aggregated `bench.trades` trades in every interval, before they are committed: the timing
 * favours it. Ends when standard input ends.
 */
public final class WindowBars {
  private static final Duration GRACE = Duration.ofSeconds(1);
  private static final Duration RETENTION = Duration.ofHours(2);

  private static long folded;
  private static long expected;

  private WindowBars() {}

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
    String[] intervals = settings.getProperty("bench.seconds").split(",");
    expected = Long.parseLong(settings.getProperty("bench.trades")) * intervals.length;
    Serde<Trade> trades =
        Serdes.serdeFrom(
            (topic, trade) -> { throw new UnsupportedOperationException("trades are only read"); },
            new TradeDeserializer(Integer.parseInt(settings.getProperty("bench.trade.schema.id"))));
    StreamsBuilder builder = new StreamsBuilder();
    KGroupedStream<Bytes, Trade> grouped =
        builder
            .stream(
                settings.getProperty("bench.input"),
                Consumed.with(Serdes.Bytes(), trades)
                    .withTimestampExtractor((record, partitionTime) -> timeOf((Trade) record.value(), partitionTime)))
            .filter((key, trade) -> trade != null)
            .groupByKey(Grouped.with(Serdes.Bytes(), trades));
    for (String seconds : intervals) {
      addBars(grouped, Duration.ofSeconds(Long.parseLong(seconds)), settings.getProperty("bench.output") + "-" + seconds);
    }
    return builder.build();
  }

  private static void addBars(KGroupedStream<Bytes, Trade> grouped, Duration window, String output) {
    grouped
        .windowedBy(TimeWindows.ofSizeAndGrace(window, GRACE))
        .aggregate(
            Bar::new,
            (key, trade, bar) -> {
              if (++folded == expected) {
                System.out.println("DONE");
              }
              return bar.add(trade);
            },
            Materialized.<Bytes, Bar>as(
                    Stores.inMemoryWindowStore("bars-" + window.toSeconds(), RETENTION, window, false))
                .withKeySerde(Serdes.Bytes())
                .withValueSerde(new BarSerde())
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

package livetape.bench;

import java.io.FileInputStream;
import java.io.IOException;
import java.time.Duration;
import java.util.Properties;
import org.apache.flink.api.common.JobStatus;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.connector.base.DeliveryGuarantee;
import org.apache.flink.connector.kafka.sink.KafkaSink;
import org.apache.flink.connector.kafka.source.KafkaSource;
import org.apache.flink.connector.kafka.source.enumerator.initializer.OffsetsInitializer;
import org.apache.flink.core.execution.JobClient;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.datastream.DataStreamUtils;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.windowing.assigners.TumblingEventTimeWindows;

/**
 * Bars of a topic of trades: `FlinkBars FILE`, a properties file with Flink's own settings, settings of its Kafka
 * clients after `consumer.` and `producer.`, and `bench.input`, `bench.output.INTERVAL` (a topic), `bench.intervals.s`
 * (comma-separated lengths in seconds), `bench.trades` and `bench.trade.schema.id`. Reads the topic up to the end that
 * it has at the start, which closes all windows.
 *
 * <p>One task does it all, with no exchange of records between threads: with parallelism 1 every key is at home in the
 * one subtask, so that the source's stream is keyed already. A longer interval is made of the bars of the one before
 * it, as Flink's documentation has it of consecutive windows.
 */
public final class FlinkBars {
  private static final Duration OUT_OF_ORDER = Duration.ofSeconds(1);
  private static final long POLL_MS = 2;

  private FlinkBars() {}

  public static void main(String[] arguments) throws Exception {
    Properties settings = read(arguments[0]);
    Progress.expect(Long.parseLong(settings.getProperty("bench.trades")));
    Configuration configuration = new Configuration();
    settings.stringPropertyNames().forEach(name -> configuration.setString(name, settings.getProperty(name)));
    try (StreamExecutionEnvironment flink = StreamExecutionEnvironment.getExecutionEnvironment(configuration)) {
      addBars(flink, settings);
      JobClient job = flink.executeAsync("bars");
      while (job.getJobStatus().get() != JobStatus.RUNNING) {
        Thread.sleep(POLL_MS);
      }
      Progress.running();
      job.getJobExecutionResult().get();
    }
    System.exit(0); // whatever thread a client library may have left
  }

  private static Properties read(String path) throws IOException {
    Properties settings = new Properties();
    try (FileInputStream file = new FileInputStream(path)) {
      settings.load(file);
    }
    return settings;
  }

  private static void addBars(StreamExecutionEnvironment flink, Properties settings) {
    DataStream<InstrumentTrade> trades =
        flink.fromSource(
            source(settings),
            WatermarkStrategy.<InstrumentTrade>forBoundedOutOfOrderness(OUT_OF_ORDER)
                .withTimestampAssigner((trade, recordTimeMs) -> trade.trade().eventTimeMs()),
            "trades");
    DataStream<WindowBar> bars = null;
    for (String seconds : settings.getProperty("bench.intervals.s").split(",")) {
      TumblingEventTimeWindows windows = TumblingEventTimeWindows.of(Duration.ofSeconds(Long.parseLong(seconds)));
      bars =
          bars == null
              ? DataStreamUtils.reinterpretAsKeyedStream(trades, InstrumentTrade::key, Types.STRING)
                  .window(windows)
                  .aggregate(new TradesToBar(), new WithWindow())
              : DataStreamUtils.reinterpretAsKeyedStream(bars, bar -> bar.key, Types.STRING)
                  .window(windows)
                  .aggregate(new BarsToBar(), new WithWindow());
      bars.sinkTo(sink(settings, settings.getProperty("bench.output." + seconds)));
    }
  }

  private static KafkaSource<InstrumentTrade> source(Properties settings) {
    return KafkaSource.<InstrumentTrade>builder()
        .setBootstrapServers(settings.getProperty("bench.bootstrap"))
        .setProperties(startingWith("consumer.", settings))
        .setTopics(settings.getProperty("bench.input"))
        .setStartingOffsets(OffsetsInitializer.earliest())
        .setBounded(OffsetsInitializer.latest())
        .setDeserializer(new TradeSchema(Integer.parseInt(settings.getProperty("bench.trade.schema.id"))))
        .build();
  }

  private static KafkaSink<WindowBar> sink(Properties settings, String topic) {
    return KafkaSink.<WindowBar>builder()
        .setBootstrapServers(settings.getProperty("bench.bootstrap"))
        .setKafkaProducerConfig(startingWith("producer.", settings))
        .setRecordSerializer(new BarSchema(topic))
        .setDeliveryGuarantee(DeliveryGuarantee.AT_LEAST_ONCE)
        .build();
  }

  private static Properties startingWith(String prefix, Properties settings) {
    Properties found = new Properties();
    for (String name : settings.stringPropertyNames()) {
      if (name.startsWith(prefix)) {
        found.setProperty(name.substring(prefix.length()), settings.getProperty(name));
      }
    }
    return found;
  }
}

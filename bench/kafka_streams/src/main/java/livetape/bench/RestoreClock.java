package livetape.bench;

import com.sun.management.OperatingSystemMXBean;
import java.lang.management.ManagementFactory;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.streams.processor.StateRestoreListener;

/** Times the restore of all stores, from the first that begins to the last that ends; started before any of them. */
final class RestoreClock implements StateRestoreListener {
  private final OperatingSystemMXBean system =
      (OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();
  private long records;
  private long startNs;
  private long startCpuNs;
  private long endNs;
  private long endCpuNs;

  @Override
  public synchronized void onRestoreStart(TopicPartition partition, String store, long startOffset, long endOffset) {
    if (startNs == 0) {
      startNs = System.nanoTime();
      startCpuNs = system.getProcessCpuTime();
    }
  }

  @Override
  public void onBatchRestored(TopicPartition partition, String store, long batchEndOffset, long batchRecords) {}

  @Override
  public synchronized void onRestoreEnd(TopicPartition partition, String store, long totalRecords) {
    records += totalRecords;
    endNs = System.nanoTime();
    endCpuNs = system.getProcessCpuTime();
  }

  /** Says RESTORED, how many records, in how many milliseconds, with how many of CPU; nothing when there were none. */
  synchronized void report() {
    if (records > 0) {
      System.out.printf(
          "RESTORED %d %d %d%n", records, (endNs - startNs) / 1_000_000, (endCpuNs - startCpuNs) / 1_000_000);
    }
  }
}

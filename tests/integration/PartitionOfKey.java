import java.nio.charset.StandardCharsets;
import java.util.Scanner;
import org.apache.kafka.clients.producer.internals.BuiltInPartitioner;

/** Prints the partition that Java's own producer would choose for each key on standard input, one a line. */
class PartitionOfKey {
    public static void main(String[] arguments) {
        int partitions = Integer.parseInt(arguments[0]);
        Scanner keys = new Scanner(System.in, StandardCharsets.UTF_8);
        while (keys.hasNextLine()) {
            byte[] key = keys.nextLine().getBytes(StandardCharsets.UTF_8);
            System.out.println(BuiltInPartitioner.partitionForKey(key, partitions));
        }
    }
}

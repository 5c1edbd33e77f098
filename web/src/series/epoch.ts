/**
 * How many resets of the server's state are between two epochs, `<log>.<generation>`: more than 0 where the later one
 * outranks the earlier one. Null where they are of different logs, which neither outranks.
 */
export function resetsBetween(earlier: string, later: string): number | null {
  if (earlier === later) return 0;
  const [first, second] = [parts(earlier), parts(later)];
  return first.log === second.log ? second.generation - first.generation : null;
}

function parts(epoch: string): { log: string; generation: number } {
  const [, log = epoch, generation = "0"] = /^(.*)\.(\d+)$/s.exec(epoch) ?? [];
  return { log, generation: Number(generation) };
}

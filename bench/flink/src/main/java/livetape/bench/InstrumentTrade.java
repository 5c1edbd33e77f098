package livetape.bench;

/** A trade and the key of its record. */
public record InstrumentTrade(String key, Trade trade) {}

package livetape.bench;

/**
 * A trade as the aggregation needs it: 64-bit longs, the price in 1/100 of quote currency, the size in 1/10,000 of
 * base currency, the time in milliseconds since 1970.
 */
public record Trade(long tradeSeq, long price, long size, long eventTimeMs) {}

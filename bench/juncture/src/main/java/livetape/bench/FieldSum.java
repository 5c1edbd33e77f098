package livetape.bench;

import com.paritytrading.juncture.nasdaq.itch50.ITCH50;
import com.paritytrading.juncture.nasdaq.itch50.ITCH50Listener;

/** Adds up what bench/itch.cpp does: every field of the messages that come often, the header of the others. */
final class FieldSum implements ITCH50Listener {
  private static final long SPACES = 0x2020202020202020L;
  private long sum;

  long sum() {
    return sum;
  }

  private void add(int stockLocate, int trackingNumber, int timestampHigh, long timestampLow, long fields) {
    sum += fields + stockLocate + trackingNumber + ((long) timestampHigh << 32) + timestampLow;
  }

  private static long side(byte indicator) {
    return Byte.toUnsignedLong(indicator);
  }

  /** Of left-justified text, without the spaces behind it. */
  private static long width(long text) {
    return Long.BYTES - Long.numberOfTrailingZeros(text ^ SPACES) / Byte.SIZE;
  }

  @Override
  public void systemEvent(ITCH50.SystemEvent m) {
    add(m.stockLocate, m.trackingNumber, m.timestampHigh, m.timestampLow, 0);
  }

  @Override
  public void stockDirectory(ITCH50.StockDirectory m) {
    add(m.stockLocate, m.trackingNumber, m.timestampHigh, m.timestampLow, 0);
  }

  @Override
  public void stockTradingAction(ITCH50.StockTradingAction m) {
    add(m.stockLocate, m.trackingNumber, m.timestampHigh, m.timestampLow, 0);
  }

  @Override
  public void regSHORestriction(ITCH50.RegSHORestriction m) {
    add(m.locateCode, m.trackingNumber, m.timestampHigh, m.timestampLow, 0);
  }

  @Override
  public void marketParticipantPosition(ITCH50.MarketParticipantPosition m) {
    add(m.stockLocate, m.trackingNumber, m.timestampHigh, m.timestampLow, 0);
  }

  @Override
  public void mwcbDeclineLevel(ITCH50.MWCBDeclineLevel m) {
    add(m.stockLocate, m.trackingNumber, m.timestampHigh, m.timestampLow, 0);
  }

  @Override
  public void mwcbStatus(ITCH50.MWCBStatus m) {
    add(m.stockLocate, m.trackingNumber, m.timestampHigh, m.timestampLow, 0);
  }

  @Override
  public void ipoQuotingPeriodUpdate(ITCH50.IPOQuotingPeriodUpdate m) {
    add(m.stockLocate, m.trackingNumber, m.timestampHigh, m.timestampLow, 0);
  }

  @Override
  public void luldAuctionCollar(ITCH50.LULDAuctionCollar m) {
    add(m.stockLocate, m.trackingNumber, m.timestampHigh, m.timestampLow, 0);
  }

  @Override
  public void operationalHalt(ITCH50.OperationalHalt m) {
    add(m.stockLocate, m.trackingNumber, m.timestampHigh, m.timestampLow, 0);
  }

  @Override
  public void addOrder(ITCH50.AddOrder m) {
    add(m.stockLocate, m.trackingNumber, m.timestampHigh, m.timestampLow, m.orderReferenceNumber + m.shares + m.price + side(m.buySellIndicator) + width(m.stock));
  }

  @Override
  public void addOrderMPID(ITCH50.AddOrderMPID m) {
    add(m.stockLocate, m.trackingNumber, m.timestampHigh, m.timestampLow, 0);
  }

  @Override
  public void orderExecuted(ITCH50.OrderExecuted m) {
    add(m.stockLocate, m.trackingNumber, m.timestampHigh, m.timestampLow, m.orderReferenceNumber + m.executedShares + m.matchNumber);
  }

  @Override
  public void orderExecutedWithPrice(ITCH50.OrderExecutedWithPrice m) {
    add(m.stockLocate, m.trackingNumber, m.timestampHigh, m.timestampLow, 0);
  }

  @Override
  public void orderCancel(ITCH50.OrderCancel m) {
    add(m.stockLocate, m.trackingNumber, m.timestampHigh, m.timestampLow, m.orderReferenceNumber + m.canceledShares);
  }

  @Override
  public void orderDelete(ITCH50.OrderDelete m) {
    add(m.stockLocate, m.trackingNumber, m.timestampHigh, m.timestampLow, m.orderReferenceNumber);
  }

  @Override
  public void orderReplace(ITCH50.OrderReplace m) {
    add(m.stockLocate, m.trackingNumber, m.timestampHigh, m.timestampLow, m.originalOrderReferenceNumber + m.newOrderReferenceNumber + m.shares + m.price);
  }

  @Override
  public void trade(ITCH50.Trade m) {
    add(m.stockLocate, m.trackingNumber, m.timestampHigh, m.timestampLow, m.orderReferenceNumber + m.shares + m.price + m.matchNumber + width(m.stock));
  }

  @Override
  public void crossTrade(ITCH50.CrossTrade m) {
    add(m.stockLocate, m.trackingNumber, m.timestampHigh, m.timestampLow, 0);
  }

  @Override
  public void brokenTrade(ITCH50.BrokenTrade m) {
    add(m.stockLocate, m.trackingNumber, m.timestampHigh, m.timestampLow, 0);
  }

  @Override
  public void noii(ITCH50.NOII m) {
    add(m.stockLocate, m.trackingNumber, m.timestampHigh, m.timestampLow, 0);
  }

  @Override
  public void rpii(ITCH50.RPII m) {
    add(m.stockLocate, m.trackingNumber, m.timestampHigh, m.timestampLow, 0);
  }
}

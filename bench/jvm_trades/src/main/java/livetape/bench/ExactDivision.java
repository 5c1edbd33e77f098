package livetape.bench;

/**
 * Divides a 128-bit number by a power of ten that is known to divide it, with one shift and one multiplication: the
 * power of two is shifted out, and an odd number that divides exactly is divided by multiplying with its inverse
 * modulo 2^64. The quotient must fit 63 bits.
 */
final class ExactDivision {
  private final int places;
  private final long inverseOfPowerOfFive;

  ExactDivision(int places) {
    this.places = places;
    long power = 1;
    for (int i = 0; i < places; i++) {
      power *= 5;
    }
    // Newton's iteration doubles the number of right bits each time, from the 3 that an odd number starts with.
    long inverse = power;
    for (int bits = 3; bits < 64; bits *= 2) {
      inverse *= 2 - power * inverse;
    }
    this.inverseOfPowerOfFive = inverse;
  }

  long apply(long high, long low) {
    return ((high << (64 - places)) | (low >>> places)) * inverseOfPowerOfFive;
  }
}

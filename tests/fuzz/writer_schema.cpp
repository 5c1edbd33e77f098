#include "kit.hpp"

/// A body behind any writer's schema, given as its plan: a count of steps, and each with its code, slot, size, symbols
/// and children; then the body.
using namespace livetape::kernel;

namespace {

constexpr int kMaxDepth = 8;
constexpr std::uint8_t kMaxChildren = 16;

std::vector<Step> read_steps(ByteReader& in, int depth);

Step read_step(ByteReader& in, int depth) {
  constexpr std::uint8_t kCodes = 12;
  constexpr std::uint8_t kSlots = 12;
  Step step{static_cast<Step::Code>(in.big_endian<std::uint8_t>() % kCodes),
            static_cast<Slot>(in.big_endian<std::uint8_t>() % kSlots),
            in.big_endian<std::uint8_t>(),
            {},
            {}};
  for (int left = in.big_endian<std::uint8_t>() % kMaxChildren; left > 0 && in.ok(); --left) {
    step.symbols.push_back(in.big_endian<std::uint8_t>() % 3);
  }
  if (depth < kMaxDepth) step.children = read_steps(in, depth + 1);
  return step;
}

std::vector<Step> read_steps(ByteReader& in, int depth) {
  std::vector<Step> steps;
  for (int left = in.big_endian<std::uint8_t>() % kMaxChildren; left > 0 && in.ok(); --left) {
    steps.push_back(read_step(in, depth));
  }
  return steps;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  ByteReader in({data, size});
  const DecodePlan plan{RecordKind::trade, read_steps(in, 0)};
  Decoded decoded;
  static_cast<void>(decode(plan, in.bytes(in.remaining()), decoded));
  return 0;
}

#include "correction_identity.hpp"

#include "state_text.hpp"

namespace livetape::kernel {

std::string identity_of(const Decoded& correction) {
  StateText text;
  text.number(static_cast<std::int64_t>(correction.action)).text(correction.refers_to);
  text.number(correction.trade_id.number).text(correction.trade_id.text);
  text.append(2 * AvroCursor::kMaxNumberBytes,
              [&](AvroCursor& out) { out.decimal(correction.price).decimal(correction.size); });
  text.number(static_cast<std::int64_t>(correction.aggressor));
  text.number(correction.has_trade_seq ? 1 : 0).number(correction.has_trade_seq ? correction.trade_seq : 0);
  text.number(correction.event_time_ns).number(correction.receive_time_ns);
  const Bytes bytes = text.bytes();
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace livetape::kernel

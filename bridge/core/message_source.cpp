#include "core/message_source.hpp"

#include <random>

namespace livetape::bridge {

SessionId random_session_id() {
  std::random_device random;
  SessionId id;
  for (auto& byte : id) byte = static_cast<unsigned char>(random());
  return id;
}

}  // namespace livetape::bridge

#pragma once

#include <cstdint>
#include <memory>
#include <shared_mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "decode_plan.hpp"

namespace livetape::kernel {

/// The plans of all schemas met so far, by registry id. Many threads may look up while one adds.
class WriterSchemas {
 public:
  /// A plan, or the reason why records of this schema are refused.
  struct Entry {
    std::unique_ptr<const DecodePlan> plan;
    std::string refusal;
  };

  void add(std::int32_t schema_id, DecodePlan plan);
  void refuse(std::int32_t schema_id, std::string reason);
  /// Lets a refused id be met anew; nothing happens to one that has a plan.
  void forget(std::int32_t schema_id);
  /// Null when the id was never met; entries stay where they are for good.
  [[nodiscard]] const Entry* find(std::int32_t schema_id) const;

 private:
  void set(std::int32_t schema_id, Entry entry);

  mutable std::shared_mutex mutex_;
  std::unordered_map<std::int32_t, std::unique_ptr<const Entry>> entries_;
  std::vector<std::unique_ptr<const Entry>> forgotten_;  // readers may hold them
};

}  // namespace livetape::kernel

#include "writer_schemas.hpp"

#include <mutex>
#include <utility>

namespace livetape::kernel {

void WriterSchemas::add(std::int32_t schema_id, DecodePlan plan) {
  set(schema_id, {std::make_unique<const DecodePlan>(std::move(plan)), {}});
}

void WriterSchemas::refuse(std::int32_t schema_id, std::string reason) { set(schema_id, {nullptr, std::move(reason)}); }

void WriterSchemas::forget(std::int32_t schema_id) {
  const std::unique_lock lock(mutex_);
  const auto found = entries_.find(schema_id);
  if (found == entries_.end() || found->second->plan) return;
  forgotten_.push_back(std::move(found->second));
  entries_.erase(found);
}

const WriterSchemas::Entry* WriterSchemas::find(std::int32_t schema_id) const {
  const std::shared_lock lock(mutex_);
  const auto found = entries_.find(schema_id);
  return found == entries_.end() ? nullptr : found->second.get();
}

void WriterSchemas::set(std::int32_t schema_id, Entry entry) {
  const std::unique_lock lock(mutex_);
  // What a registry id means never changes, and readers may hold the entry: the first stays.
  entries_.try_emplace(schema_id, std::make_unique<const Entry>(std::move(entry)));
}

}  // namespace livetape::kernel

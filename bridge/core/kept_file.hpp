#pragma once

#include <filesystem>
#include <string_view>

namespace livetape::bridge {

/// Where a run keeps what the next one goes on from: `<folder>/<name>`; the folder is made.
/// Throws std::runtime_error that names the folder when that cannot be.
[[nodiscard]] std::filesystem::path kept_file(const std::filesystem::path& folder, std::string_view name);

/// Replaces a file: whoever reads it sees the old one or the new one. False when the disk does not take it.
[[nodiscard]] bool replace_file(const std::filesystem::path& file, std::string_view text);

}  // namespace livetape::bridge

#include "core/kept_file.hpp"

#include <fstream>
#include <stdexcept>
#include <string>
#include <system_error>

namespace livetape::bridge {

std::filesystem::path kept_file(const std::filesystem::path& folder, std::string_view name) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error)
    throw std::runtime_error("nothing can be kept for the next run in " + folder.string() + ": " + error.message());
  return folder / name;
}

bool replace_file(const std::filesystem::path& file, std::string_view text) {
  const std::filesystem::path fresh = file.string() + ".new";
  std::ofstream out(fresh, std::ios::trunc);
  out << text << std::flush;
  out.close();
  std::error_code error;
  if (out) std::filesystem::rename(fresh, file, error);
  return out && !error;
}

}  // namespace livetape::bridge

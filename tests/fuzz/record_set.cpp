#include "kit.hpp"

/// Any bytes as a record set: read with headers, and over every batch that cannot be read.
using namespace livetape::kernel;

namespace {

void look_at(const Record& record, const std::vector<Header>& headers) {
  if (record.key) fuzz::touch(*record.key);
  if (record.value) fuzz::touch(*record.value);
  for (const Header& header : headers) {
    fuzz::touch({reinterpret_cast<const std::uint8_t*>(header.key.data()), header.key.size()});
    if (header.value) fuzz::touch(*header.value);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::vector<std::uint8_t> set(data, data + size);
  fuzz::mend_crcs(set);
  static Decompressor decompressor;
  RecordSetReader reader(set, {{1, 0}, {2, 5}}, decompressor);
  std::int64_t expected = -1;
  while (true) {
    while (const Record* record = reader.next(true)) {
      look_at(*record, reader.headers());
      fuzz::expect(record->offset >= expected, "offsets ascend");
      expected = record->offset + 1;
      fuzz::expect(reader.next_offset() >= expected, "the reader is behind what it gave");
    }
    if (reader.error().empty()) return 0;
    const auto damaged = reader.pass_over();
    if (!damaged) return 0;
    fuzz::touch(damaged->bytes);
    fuzz::expect(reader.next_offset() >= damaged->first_offset, "a damaged batch is passed over forwards");
  }
}

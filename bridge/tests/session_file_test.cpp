#include "nic/session_file.hpp"

#include <gtest/gtest.h>

#include <fstream>
#include <limits>
#include <string>

#include "folder_test.hpp"

namespace livetape::bridge {
namespace {

constexpr mold::Session kSession{' ', ' ', 'F', 'R', 'I', ' ', '7', '\n', '8', ' '};

class SessionFileTest : public FolderTest {};

TEST_F(SessionFileTest, TellsTheNextRunWhichDayASessionIsOf) {
  EXPECT_EQ(SessionFile(folder_, "toy").day_of(kSession), std::nullopt);
  const SessionDay friday{86'399'999'999'999, std::numeric_limits<std::int64_t>::max()};
  for (const SessionDay& day : {SessionDay{1, -2}, friday}) {
    ASSERT_TRUE(SessionFile(folder_, "toy").keep(kSession, day));
    EXPECT_EQ(SessionFile(folder_, "toy").day_of(kSession), day);
  }
  mold::Session other = kSession;
  other[9] = 'x';
  EXPECT_EQ(SessionFile(folder_, "toy").day_of(other), std::nullopt);
  EXPECT_EQ(SessionFile(folder_, "other").day_of(kSession), std::nullopt);
}

TEST_F(SessionFileTest, TellsNothingOfAFileThatCannotBeRead) {
  const SessionFile file(folder_, "toy");
  const std::string name(kSession.data(), kSession.size());
  for (const char* rest : {"", " 1", " 1 x", " x 1", " 1 99999999999999999999"}) {
    std::ofstream(folder_ / "toy.session") << name << rest;
    EXPECT_EQ(file.day_of(kSession), std::nullopt) << rest;
  }
}

}  // namespace
}  // namespace livetape::bridge

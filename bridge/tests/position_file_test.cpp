#include "exchange/position_file.hpp"

#include <gtest/gtest.h>

#include <fstream>
#include <string>

#include "folder_test.hpp"

namespace livetape::bridge {
namespace {

class PositionFileTest : public FolderTest {};

TEST_F(PositionFileTest, TellsTheNextRunWhatTheLastOneWrote) {
  Trade numbered;
  ASSERT_TRUE(numbered.id.assign("7"));
  numbered.has_seq = true;
  numbered.seq = 7;
  numbered.event_time_ns = 70;
  Trade other;
  ASSERT_TRUE(other.id.assign("20f43950-d8dd"));
  other.event_time_ns = -1;
  std::string lines;
  PositionFile::append({"BTC-USDT", numbered, 90}, lines);
  PositionFile::append({"ETH-USDT", other, -1}, lines);
  ASSERT_TRUE(PositionFile(folder_, "toy").write(lines));
  const auto positions = PositionFile(folder_, "toy").read();
  ASSERT_EQ(positions.size(), 2U);
  EXPECT_EQ(positions[0].instrument, "BTC-USDT");
  EXPECT_EQ(positions[0].trade.seq, 7);
  EXPECT_EQ(positions[0].trade.event_time_ns, 70);
  EXPECT_EQ(positions[0].whole_until_ns, 90);
  EXPECT_EQ(positions[1].trade.id.view(), "20f43950-d8dd");
  EXPECT_FALSE(positions[1].trade.has_seq);
  EXPECT_EQ(positions[1].trade.event_time_ns, -1);
}

TEST_F(PositionFileTest, TakesALineMoreAtItsEnd) {
  const PositionFile file(folder_, "toy");
  ASSERT_TRUE(file.add("BTC-USDT 1 7 7\n"));
  ASSERT_TRUE(file.add("ETH-USDT 1 8 8\n"));
  const auto positions = file.read();
  ASSERT_EQ(positions.size(), 2U);
  EXPECT_EQ(positions[0].trade.seq, 7);
  EXPECT_EQ(positions[1].trade.seq, 8);
}

TEST_F(PositionFileTest, LeavesOutWhatIsNoPosition) {
  const PositionFile file(folder_, "toy");
  EXPECT_TRUE(file.read().empty());
  ASSERT_TRUE(file.write("BTC-USDT 1 x 7\nBTC-USDT\n\nETH-USDT 1 8 8\nSOL-USDT 99999999999999999999 1 1\n"));
  const auto positions = file.read();
  ASSERT_EQ(positions.size(), 1U);
  EXPECT_EQ(positions[0].instrument, "ETH-USDT");
  EXPECT_EQ(positions[0].whole_until_ns, 1) << "a line that does not tell it: the trade's own time";
}

TEST_F(PositionFileTest, NamesAFolderThatCannotBeMade) {
  std::filesystem::create_directories(folder_);
  std::ofstream(folder_ / "file") << "x";
  EXPECT_THROW(PositionFile(folder_ / "file", "toy"), std::runtime_error);
}

}  // namespace
}  // namespace livetape::bridge

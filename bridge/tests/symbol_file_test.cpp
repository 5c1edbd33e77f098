#include "exchange/symbol_file.hpp"

#include <gtest/gtest.h>

#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "folder_test.hpp"

namespace livetape::bridge {
namespace {

class SymbolFileTest : public FolderTest {
 protected:
  [[nodiscard]] static std::unique_ptr<Venue> venue() { return make_venue("kraken", kInstruments); }
  [[nodiscard]] SymbolFile file() const { return {folder_, "kraken", kInstruments}; }

  static inline const std::vector<std::string> kInstruments{"BTC-USD", "ETH-USD", "SOL-USD"};
};

TEST_F(SymbolFileTest, TellsTheNextRunHowTheVenueCalledItsInstruments) {
  const auto before = venue(), after = venue();
  before->name(0, {"BTC/USD", "XBTUSD"});
  before->name(2, {"\xE5\xB8\x81 50%/USD", "\xE5\xB8\x81 50%"});
  ASSERT_TRUE(file().keep(*before));
  ASSERT_TRUE(file().name(*after));
  for (const std::uint32_t i : {0U, 2U}) {
    EXPECT_EQ(after->symbol(i).stream, before->symbol(i).stream);
    EXPECT_EQ(after->symbol(i).rest, before->symbol(i).rest);
  }
  EXPECT_FALSE(after->is_listed(1));
}

TEST_F(SymbolFileTest, NamesNothingThatTheVenueHasNamedOrNobodyAsksFor) {
  const auto before = venue(), after = venue();
  before->name(0, {"BTC/USD", "XBTUSD"});
  ASSERT_TRUE(file().keep(*before));
  after->name(0, {"XBT/USD", "BTCUSD"});
  EXPECT_FALSE(file().name(*after));
  EXPECT_EQ(after->symbol(0).stream, "XBT/USD");
  const std::vector<std::string> others{"XRP-USD"};
  const auto other = make_venue("kraken", others);
  EXPECT_FALSE(SymbolFile(folder_, "kraken", others).name(*other));
}

TEST_F(SymbolFileTest, LeavesOutWhatIsNoSymbol) {
  EXPECT_FALSE(file().name(*venue())) << "there is no file";
  std::ofstream(folder_ / "kraken.symbols") << "BTC-USD\n\nETH-USD ETH/USD\nSOL-USD SOL%2 SOLUSD\n";
  EXPECT_FALSE(file().name(*venue()));
}

}  // namespace
}  // namespace livetape::bridge

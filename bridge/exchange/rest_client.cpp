#include "exchange/rest_client.hpp"

#include <simdjson.h>

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <exception>
#include <utility>

#include "exchange/tls.hpp"

namespace livetape::bridge {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;

constexpr auto kCodes = asio::as_tuple(asio::use_awaitable);
constexpr std::chrono::seconds kAnswerTimeout{20};
constexpr std::size_t kMaxBufferedBytes = std::size_t{256} << 10;  // of an answer before its body is taken out of it

RestAnswer failed(const std::string& error) { return {{}, error}; }

/// Whether an answer that is none says why in its body.
bool has_reason(http::status status) noexcept {
  return status == http::status::bad_request || status == http::status::not_found;
}

std::string with_padding(std::string body) {
  body.reserve(body.size() + simdjson::SIMDJSON_PADDING);
  return body;
}

}  // namespace

RestClient::RestClient(const std::string& url, const std::string& ca_file, std::chrono::milliseconds pace,
                       RefusalOf refusal_of)
    : url_(parse_url("https", url)),
      tls_(make_tls_context(ca_file, url)),
      pace_(pace),
      refusal_of_(std::move(refusal_of)) {
  if (url_.target == "/") url_.target.clear();
}

/// A place among those who wait, for as long as it lives: a coroutine may be thrown away while it waits.
class RestClient::Place {
 public:
  Place(RestClient& client, Turn turn, const asio::any_io_executor& executor)
      : client_(client), own_(client.waiting_.insert(client.waiting_.end(), {turn, asio::steady_timer(executor)})) {}
  ~Place() { client_.waiting_.erase(own_); }
  Place(const Place&) = delete;
  Place& operator=(const Place&) = delete;

  [[nodiscard]] std::list<Waiting>::iterator own() const { return own_; }

 private:
  RestClient& client_;
  std::list<Waiting>::iterator own_;
};

asio::awaitable<RestAnswer> RestClient::get(std::string target, Turn turn, std::size_t most_bytes) {
  if (!co_await wait_for_turn(turn)) co_return RestAnswer{{}, "the venue wants to be left alone", left_alone()};
  is_asking_ = true;
  RestAnswer answer;
  try {
    answer = co_await exchange(target, most_bytes);
  } catch (const std::exception& error) {  // whatever it was, the others must have their turn
    answer = failed(error.what());
  }
  is_asking_ = false;
  next_ = Clock::now() + pace_;
  left_alone_until_ = Clock::now() + answer.wait;
  for (Waiting& waiting : waiting_) waiting.timer.cancel();
  co_return answer;
}

bool RestClient::may_ask(std::list<Waiting>::const_iterator own) const {
  return !is_asking_ && std::ranges::min_element(waiting_, {}, &Waiting::turn) == own;
}

std::chrono::milliseconds RestClient::left_alone() const {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(left_alone_until_ - Clock::now());
  return std::max(left, std::chrono::milliseconds(0));
}

/// False when the venue wants to be left alone: for how long, whoever asks may have better to do than to wait.
asio::awaitable<bool> RestClient::wait_for_turn(Turn turn) {
  const Place place(*this, turn, co_await asio::this_coro::executor);
  while (left_alone().count() == 0) {
    const bool is_next = may_ask(place.own());
    if (is_next && Clock::now() >= next_) co_return true;
    asio::steady_timer& timer = place.own()->timer;
    timer.expires_at(is_next ? next_ : Clock::time_point::max());
    co_await timer.async_wait(kCodes);
  }
  co_return false;
}

/// A connection a request: they are seconds apart, and a venue may well have closed one that was kept.
asio::awaitable<RestAnswer> RestClient::exchange(const std::string& target, std::size_t most_bytes) {
  TlsStream stream(co_await asio::this_coro::executor, tls_);
  if (const std::string reason = co_await connect_tls(stream, url_); !reason.empty()) co_return failed(reason);
  stream.next_layer().expires_after(kAnswerTimeout);
  http::request<http::empty_body> request(http::verb::get, url_.target + target, 11);
  request.set(http::field::host, url_.http_host);
  request.set(http::field::user_agent, "livetape");  // there are venues that refuse a client without
  request.set(http::field::accept, "application/json");
  request.keep_alive(false);
  auto [write_error, written] = co_await http::async_write(stream, request, kCodes);
  if (write_error) co_return failed("request: " + write_error.message());
  boost::beast::flat_buffer buffer(kMaxBufferedBytes);
  http::response_parser<http::string_body> parser;
  parser.body_limit(most_bytes);
  auto [read_error, read] = co_await http::async_read(stream, buffer, parser, kCodes);
  if (read_error) co_return failed("answer: " + read_error.message());
  http::response<http::string_body> response = parser.release();
  if (response.result() != http::status::ok) {
    co_return RestAnswer{has_reason(response.result()) ? with_padding(std::move(response.body())) : std::string(),
                         "answer: HTTP status " + std::to_string(response.result_int()),
                         wait_of(response.result_int(), response[http::field::retry_after])};
  }
  if (const auto encoding = response[http::field::content_encoding]; !encoding.empty() && encoding != "identity") {
    co_return failed("answer: it is compressed, which was not asked for");
  }
  co_return judge(with_padding(std::move(response.body())));
}

/// What came with status 200 may be a refusal all the same.
RestAnswer RestClient::judge(std::string body) const {
  const auto refusal = refusal_of_(body);
  if (!refusal) return {std::move(body)};
  return {std::move(body), "answer: " + refusal->reason, wait_of(*refusal)};
}

}  // namespace livetape::bridge

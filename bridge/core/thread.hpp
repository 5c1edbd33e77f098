#pragma once

#include <pthread.h>

#include <csignal>
#include <string>
#include <thread>
#include <utility>

namespace livetape::bridge {

/// Starts a thread under a name that `top -H` shows (15 characters of it). Signals are the main thread's: none
/// interrupts a call of this one.
template <typename Run>
[[nodiscard]] std::thread start_thread(const std::string& name, Run run) {
  constexpr std::size_t kLongestName = 15;
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);  // the new thread inherits it
  std::thread thread(std::move(run));
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  pthread_setname_np(thread.native_handle(), name.substr(0, kLongestName).c_str());
  return thread;
}

}  // namespace livetape::bridge

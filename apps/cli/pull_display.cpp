#include "cli/pull_display.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>

#include "base/strings.h"
#include "cli/format.h"
#include "cli/report.h"

namespace emelex::cli {
namespace {

constexpr size_t kMostLines = 8;  // of files on their way
constexpr auto kPlainEvery = std::chrono::seconds(10);
constexpr double kRateSeconds = 3;  // over which the rate is evened out

size_t terminal_width() {
  winsize size{};
  return ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

int percent(int64_t part, int64_t whole) {
  return whole == 0 ? 100 : static_cast<int>(static_cast<double>(part) / static_cast<double>(whole) * 100);
}

std::string time_text(double seconds) {
  const auto whole = static_cast<int64_t>(std::ceil(seconds));
  if (whole < 60) return str_cat(whole, " s");
  if (whole < 3600) return str_cat(whole / 60, " min ", whole % 60, " s");
  return str_cat(whole / 3600, " h ", whole / 60 % 60, " min");
}

// The end of a path tells files apart.
std::string fitted(const std::string& path, size_t width) {
  const std::string text = one_line(path);
  if (text.size() <= width) return text + std::string(width - text.size(), ' ');
  return "..." + text.substr(text.size() - (width - 3));
}

std::string file_line(const PullProgress::File& file, size_t width) {
  const std::string numbers =
      str_cat(human_bytes(file.received), " of ", human_bytes(file.size), "  ", percent(file.received, file.size), "%");
  const size_t room = width > numbers.size() + 12 ? width - numbers.size() - 3 : 9;
  return str_cat(fitted(file.path, std::min<size_t>(room, 60)), "  ", numbers);
}

}  // namespace

PullDisplay::PullDisplay() : terminal_(stderr_is_terminal()), printed_(Clock::now()) {}

void PullDisplay::show(const PullProgress& progress) {
  if (!progress.notes.empty()) clear();
  for (const std::string& note : progress.notes) report_note(note);
  if (progress.files.empty()) return;
  measure(progress);
  for (const PullProgress::File& file : progress.files) {
    if (!file.done || !finished_.insert(file.path).second) continue;
    clear();
    report_note(str_cat(file.path, ": ", human_bytes(file.size), ", checked"));
  }
  if (terminal_) {
    draw(progress);
  } else {
    print_plainly(progress);
  }
}

// Bytes a second, older ones counting less and less.
void PullDisplay::measure(const PullProgress& progress) {
  const auto now = Clock::now();
  const double seconds = std::chrono::duration<double>(now - measured_).count();
  if (measured_bytes_ >= 0 && seconds > 0) {
    // What is fetched again after a bad hash makes the number smaller.
    const double rate = static_cast<double>(std::max<int64_t>(0, progress.received - measured_bytes_)) / seconds;
    const double weight = rate_ == 0 ? 1 : 1 - std::exp(-seconds / kRateSeconds);
    rate_ += weight * (rate - rate_);
  }
  measured_ = now;
  measured_bytes_ = progress.received;
}

std::string PullDisplay::total_line(const PullProgress& progress) const {
  std::string line = str_cat(human_bytes(progress.received), " of ", human_bytes(progress.size), "  ",
                             percent(progress.received, progress.size), "%");
  if (rate_ >= 1) {
    line += str_cat("  ", human_bytes(static_cast<int64_t>(rate_)), "/s  ",
                    time_text(static_cast<double>(progress.size - progress.received) / rate_), " left");
  }
  return line;
}

void PullDisplay::draw(const PullProgress& progress) {
  clear();
  const size_t width = terminal_width() - 1;
  std::string text;
  for (const PullProgress::File& file : progress.files) {
    if (file.done || file.received == 0 || lines_ == kMostLines) continue;
    text += file_line(file, width) + "\n";
    ++lines_;
  }
  if (progress.received < progress.size) {
    text += total_line(progress).substr(0, width) + "\n";
    ++lines_;
  }
  write_stderr_raw(text);
}

void PullDisplay::clear() {
  if (lines_ > 0) write_stderr_raw(str_cat("\x1B[", lines_, "F\x1B[J"));  // up, and clear to the end
  lines_ = 0;
}

void PullDisplay::print_plainly(const PullProgress& progress) {
  if (Clock::now() - printed_ < kPlainEvery) return;
  printed_ = Clock::now();
  report_note(total_line(progress));
}

}  // namespace emelex::cli

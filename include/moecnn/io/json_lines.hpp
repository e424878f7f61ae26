#pragma once
/// \file
/// Logs of one JSON object per line, which other programs can follow while they grow.

#include "moecnn/io/atomic_file.hpp"
#include "moecnn/io/json.hpp"

namespace moecnn::io {

namespace detail {

/// Calls `use(object, text of its line)` for every line. A last line that breaks off in the middle, as a kill leaves it,
/// is passed over; any other line that is no JSON object is an Error with its number.
template <class Use>
void each_json_line(const std::filesystem::path& path, Use&& use) {
  const InputFile file(path);
  std::string all(file.size(), '\0');
  file.read(0, all.data(), all.size(), "the log");
  int number = 0;
  for (std::size_t at = 0; at < all.size();) {
    const std::size_t newline = all.find('\n', at);
    const bool last = newline == all.npos;
    const std::string_view line(all.data() + at, (last ? all.size() : newline) - at);
    at += line.size() + 1;
    ++number;
    if (line.find_first_not_of(" \t\r") == line.npos) continue;
    const Json object = Json::parse_or_null(line);
    if (last && !object.is_object()) continue;
    check(object.is_object(), "{}: line {} is not a JSON object; repair or move the file away", path.string(), number);
    use(object, line);
  }
}

}  // namespace detail

/// All objects of a log; a last line that breaks off in the middle is left out.
inline std::vector<Json> read_json_lines(const std::filesystem::path& path) {
  std::vector<Json> all;
  detail::each_json_line(path, [&](const Json& object, std::string_view) { all.push_back(object); });
  return all;
}

/// A log that is being written. Every line is in the file when append() returns.
class JsonLines {
 public:
  /// Starts an empty log; an old one of that name is replaced.
  static JsonLines create(const std::filesystem::path& path) { return JsonLines(path, O_TRUNC); }

  /// Goes on with a log: lines whose "step" is beyond `last_step` and a half-written last line are removed, atomically;
  /// lines without "step" stay. A missing file starts empty.
  static JsonLines resume(const std::filesystem::path& path, std::int64_t last_step) {
    if (std::filesystem::exists(path)) {
      std::string kept;
      detail::each_json_line(path, [&](const Json& object, std::string_view line) {
        const Json step = object["step"];
        if (step.is_number() && step.number() > static_cast<double>(last_step)) return;
        kept.append(line).push_back('\n');
      });
      AtomicFile file(path);
      file.write(kept);
      file.commit();
    }
    return JsonLines(path, 0);
  }

  /// Adds one object. On failure the log is cut back to whole lines and Error is thrown.
  void append(const Json& object) {
    check(object.is_object(), "{}: a line of the log must be a JSON object, not {}", path_.string(),
          object.described());
    const std::string line = object.dump() + '\n';
    if (broken_at_ >= 0 && ::ftruncate(fd_.number(), broken_at_) == 0) broken_at_ = -1;
    if (broken_at_ >= 0) fail("cannot write {}: {} (its last line is incomplete)", path_.string(), os_reason(errno));
    const off_t before = ::lseek(fd_.number(), 0, SEEK_END);
    if (const int error = write_all(fd_, line.data(), line.size())) {
      if (before >= 0 && ::ftruncate(fd_.number(), before) != 0) broken_at_ = before;
      fail("cannot write {}: {}{}", path_.string(), os_reason(error),
           broken_at_ < 0 ? "" : " (its last line is incomplete)");
    }
  }

  /// Flushes what was appended to the disk: after it returns, a power cut does not lose it.
  void sync() {
    // Some file systems cannot flush a file and say EINVAL; that is no failure of the log.
    if (::fsync(fd_.number()) != 0 && errno != EINVAL) fail("cannot flush {}: {}", path_.string(), os_reason(errno));
  }

  const std::filesystem::path& path() const { return path_; }

 private:
  JsonLines(std::filesystem::path path, int flags) : path_(std::move(path)) {
    fd_ = Fd(::open(path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | flags, 0666));
    if (!fd_.valid()) fail("cannot write {}: {}", path_.string(), os_reason(errno));
  }

  std::filesystem::path path_;
  Fd fd_;
  off_t broken_at_ = -1;  // where an incomplete line begins that could not be cut off
};

}  // namespace moecnn::io

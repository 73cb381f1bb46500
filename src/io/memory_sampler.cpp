#include "io/memory_sampler.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>

#include "base/fail.hpp"

namespace plimsoll::io {
namespace {

constexpr std::size_t path_max = 4096;
constexpr std::uint64_t unlimited = std::uint64_t{1} << 62;  // and above: "max" of v2, and the large number that v1 shows instead
constexpr std::size_t text_max = 16u << 10;                  // memory.stat has about 2 KiB, /proc/meminfo 1.5 KiB

// A path put together in place. One that does not fit names no file.
class Path {
 public:
  explicit Path(std::string_view root) { *this += root; }
  Path& operator+=(std::string_view part) {
    if (part.size() >= path_max - size_) {
      too_long_ = true;
      return *this;
    }
    std::copy(part.begin(), part.end(), text_.begin() + static_cast<std::ptrdiff_t>(size_));
    size_ += part.size();
    text_[size_] = 0;
    return *this;
  }
  void cut_to(std::size_t size) {
    size_ = size;
    text_[size_] = 0;
  }
  std::size_t size() const { return size_; }
  bool too_long() const { return too_long_; }
  const char* text() const { return text_.data(); }
  std::string_view view() const { return {text_.data(), size_}; }

 private:
  std::array<char, path_max> text_;
  std::size_t size_ = 0;
  bool too_long_ = false;
};

std::string_view next_line(std::string_view& text) {
  const std::size_t end = text.find('\n');
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  return line;
}

std::string_view trimmed(std::string_view text) {
  const auto is_space = [](char c) { return c == ' ' || c == '\t' || c == '\n'; };
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  return text;
}

template <class Number>
std::optional<Number> number_of(std::string_view text) {
  Number number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

// One sample in the making.
class Sampling {
 public:
  explicit Sampling(std::string_view root) : root_(root) {}
  MemorySample take();

 private:
  enum class Version : std::uint8_t { v1, v2 };
  struct Group {  // a group of one level
    std::optional<std::uint64_t> limit{}, usage{};
  };

  std::optional<std::string_view> read(const Path& path);
  std::optional<std::uint64_t> read_number(const Path& path, std::string_view file);
  std::optional<std::uint64_t> find(std::string_view text, std::string_view key, std::string_view file);
  void misunderstood(std::string_view file, std::string_view text);
  void look_at_machine();
  bool look_at_groups(Version version, std::string_view mount);
  std::optional<std::string_view> group_path(Version version);
  Group look_at(const Path& group, Version version);
  void bind(const Group& group, const Path& path, Version version);
  std::optional<double> pressure(const Path& path);

  const std::string_view root_;
  MemorySample sample_;
  std::array<char, text_max> text_;        // of the file read last
  std::array<char, path_max> group_path_;  // of the process
};

// The text is valid until the next read. Absent: no such file, or none for us.
std::optional<std::string_view> Sampling::read(const Path& path) {
  if (path.too_long()) return std::nullopt;
  const int file = ::open(path.text(), O_RDONLY | O_CLOEXEC);
  if (file < 0) {
    const int error = errno;
    if (error != ENOENT && error != ENOTDIR && !sample_.problem) sample_.problem = fail_os(error, "{}", path.view()).error();
    return std::nullopt;
  }
  std::size_t size = 0;
  ssize_t got = 0;
  while (size < text_.size()) {
    got = ::read(file, text_.data() + size, text_.size() - size);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    size += static_cast<std::size_t>(got);
  }
  const int error = errno;
  ::close(file);
  if (got < 0) {
    if (error != EOPNOTSUPP && !sample_.problem) sample_.problem = fail_os(error, "{}", path.view()).error();  // PSI switched off
    return std::nullopt;
  }
  return std::string_view{text_.data(), size};
}

void Sampling::misunderstood(std::string_view file, std::string_view text) {
  constexpr std::size_t shown_max = 40;
  if (!sample_.problem)
    sample_.problem = fail(ErrorCode::invalid_argument, "{}: \"{}\" is not understood", file, text.substr(0, shown_max)).error();
}

// A file that holds one number; "max" is the largest one.
std::optional<std::uint64_t> Sampling::read_number(const Path& group, std::string_view file) {
  Path path(group);
  path += file;
  const auto text = read(path);
  if (!text) return std::nullopt;
  const std::string_view word = trimmed(*text);
  if (word == "max") return unlimited;
  const auto number = number_of<std::uint64_t>(word);
  if (!number) misunderstood(path.view(), word);
  return number;
}

// "key 123", "key: 123 kB".
std::optional<std::uint64_t> Sampling::find(std::string_view text, std::string_view key, std::string_view file) {
  while (!text.empty()) {
    const std::string_view line = next_line(text);
    if (!line.starts_with(key) || line.size() == key.size() || (line[key.size()] != ' ' && line[key.size()] != ':')) continue;
    std::string_view rest = trimmed(line.substr(key.size() + 1));
    const bool in_kb = rest.ends_with(" kB");
    if (in_kb) rest = trimmed(rest.substr(0, rest.size() - 3));
    const auto number = number_of<std::uint64_t>(rest);
    if (!number || (in_kb && *number > ~std::uint64_t{0} / 1024)) {
      misunderstood(file, line);
      return std::nullopt;
    }
    return in_kb ? *number * 1024 : *number;
  }
  return std::nullopt;
}

void Sampling::look_at_machine() {
  Path path(root_);
  path += "/proc/meminfo";
  if (const auto text = read(path)) {
    const auto total = find(*text, "MemTotal", path.view()), available = find(*text, "MemAvailable", path.view());
    if (total) {
      sample_.source = MemorySample::Source::system;
      sample_.limit_bytes = total;
      if (available) sample_.usage_bytes = *total - std::min(*total, *available);
    }
    sample_.available_bytes = available;
  }
  Path psi(root_);
  psi += "/proc/pressure/memory";
  sample_.psi_some_avg10 = pressure(psi);
}

// "some avg10=0.12 avg60=..."
std::optional<double> Sampling::pressure(const Path& path) {
  auto text = read(path);
  if (!text) return std::nullopt;
  constexpr std::string_view begin = "some avg10=";
  const std::string_view whole = *text;
  while (!text->empty()) {
    const std::string_view line = next_line(*text);
    if (!line.starts_with(begin)) continue;
    const std::string_view value = line.substr(begin.size());
    const auto share = number_of<double>(value.substr(0, value.find(' ')));
    if (share && *share >= 0 && *share <= 100) return share;
    break;
  }
  misunderstood(path.view(), whole);
  return std::nullopt;
}

// From /proc/self/cgroup: "0::/a/b" for v2, "4:cpu,memory:/a/b" for v1. A path that leaves the visible part of the tree ("/../x")
// says nothing about what is visible here.
std::optional<std::string_view> Sampling::group_path(Version version) {
  Path path(root_);
  path += "/proc/self/cgroup";
  auto text = read(path);
  if (!text) return std::nullopt;
  while (!text->empty()) {
    const std::string_view line = next_line(*text);
    const std::size_t first = line.find(':'), second = first == std::string_view::npos ? first : line.find(':', first + 1);
    if (second == std::string_view::npos || second + 1 == line.size() || line[second + 1] != '/') {
      misunderstood(path.view(), line);
      continue;
    }
    std::string_view controllers = line.substr(first + 1, second - first - 1);
    bool wanted = version == Version::v2 && controllers.empty() && line.starts_with("0:");
    while (version == Version::v1 && !controllers.empty()) {
      const std::size_t comma = controllers.find(',');
      wanted |= controllers.substr(0, comma) == "memory";
      controllers.remove_prefix(comma == std::string_view::npos ? controllers.size() : comma + 1);
    }
    if (!wanted) continue;
    std::string_view group = line.substr(second + 1);
    if (group.find("/..") != std::string_view::npos || group.size() >= group_path_.size()) group = "/";
    std::copy(group.begin(), group.end(), group_path_.begin());
    return std::string_view{group_path_.data(), group == "/" ? 0 : group.size()};
  }
  return std::nullopt;
}

Sampling::Group Sampling::look_at(const Path& group, Version version) {
  if (version == Version::v1) return {read_number(group, "/memory.limit_in_bytes"), read_number(group, "/memory.usage_in_bytes")};
  Group found{read_number(group, "/memory.max"), read_number(group, "/memory.current")};
  const auto high = read_number(group, "/memory.high");
  if (high) found.limit = std::min(*high, found.limit.value_or(*high));
  return found;
}

// A limit that is not below the machine's memory changes nothing.
void Sampling::bind(const Group& group, const Path& path, Version version) {
  if (!group.limit || *group.limit >= unlimited) return;
  if (sample_.source == MemorySample::Source::system && *group.limit >= *sample_.limit_bytes) return;
  if (group.usage) {
    Path stat(path);
    stat += "/memory.stat";
    std::optional<std::uint64_t> cache;
    if (const auto text = read(stat))
      cache = find(*text, version == Version::v2 ? "inactive_file" : "total_inactive_file", stat.view());
    const std::uint64_t held = *group.usage - std::min(*group.usage, cache.value_or(0));
    const std::uint64_t left = *group.limit - std::min(*group.limit, held);
    sample_.available_bytes = std::min(left, sample_.available_bytes.value_or(left));
  }
  if (sample_.limit_bytes && *group.limit >= *sample_.limit_bytes) return;
  sample_.source = version == Version::v2 ? MemorySample::Source::cgroup_v2 : MemorySample::Source::cgroup_v1;
  sample_.limit_bytes = group.limit;
  sample_.usage_bytes = group.usage;
}

// From the process's group up to the mount point. False: no memory controller here.
bool Sampling::look_at_groups(Version version, std::string_view mount) {
  const auto group = group_path(version);
  if (!group) return false;
  Path path(root_);
  path += mount;
  const std::size_t mount_size = path.size();
  path += *group;
  bool controlled = false;
  for (bool pressure_known = false;;) {
    const Group here = look_at(path, version);
    controlled |= here.limit || here.usage;
    bind(here, path, version);
    if (version == Version::v2 && !pressure_known && here.usage) {
      Path psi(path);
      psi += "/memory.pressure";
      if (const auto share = pressure(psi)) sample_.psi_some_avg10 = share;
      pressure_known = true;
    }
    if (path.size() <= mount_size || path.too_long()) return controlled;
    path.cut_to(std::max(mount_size, path.view().rfind('/')));
  }
}

MemorySample Sampling::take() {
  look_at_machine();
  const bool found = look_at_groups(Version::v2, "/sys/fs/cgroup") || look_at_groups(Version::v2, "/sys/fs/cgroup/unified") ||
                     look_at_groups(Version::v1, "/sys/fs/cgroup/memory");
  static_cast<void>(found);
  return sample_;
}

}  // namespace

std::string_view name(MemorySample::Source source) {
  switch (source) {
    case MemorySample::Source::none: return "none";
    case MemorySample::Source::system: return "system";
    case MemorySample::Source::cgroup_v1: return "cgroup v1";
    case MemorySample::Source::cgroup_v2: return "cgroup v2";
  }
  return "";
}

MemorySampler::MemorySampler(std::string_view root) : root_(root) {
  while (root_.ends_with('/')) root_.pop_back();
}

MemorySample MemorySampler::sample() const noexcept { return Sampling(root_).take(); }

}  // namespace plimsoll::io

// What the kernel says about this process and about a store's files: peak resident memory, processor time, disk blocks, page cache.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace plimsoll::bench {

std::uint64_t resident_peak_bytes();  // since the process began or reset_resident_peak(); 0 if the kernel does not tell
void reset_resident_peak();           // no effect where the kernel refuses
std::uint64_t resident_bytes();
double processor_seconds();  // of all threads, user and system

std::uint64_t now_ns();  // monotonic

// Over all regular files below `folder`.
std::uint64_t disk_bytes(const std::string& folder, std::string_view name_contains = {});
std::uint64_t page_cache_bytes(const std::string& folder);
void drop_page_cache(const std::string& folder);  // writes dirty pages out first: the kernel drops clean ones only

void remove_folder(const std::string& folder);

}  // namespace plimsoll::bench

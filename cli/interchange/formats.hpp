// The interchange formats by name, and the making of their readers and writers. Used by load, dump and the shell.
#pragma once

#include <array>
#include <cstdio>
#include <memory>
#include <span>
#include <string_view>

#include "choice.hpp"
#include "interchange/csv.hpp"
#include "interchange/record.hpp"

namespace plimsoll::cli {

enum class Format : std::uint8_t { automatic, jsonl, csv, tsv, db_dump };

inline constexpr std::array<Choice<Format>, 5> format_words{{{"auto", Format::automatic},
                                                             {"jsonl", Format::jsonl},
                                                             {"csv", Format::csv},
                                                             {"tsv", Format::tsv},
                                                             {"db_dump", Format::db_dump}}};
inline constexpr std::span<const Choice<Format>> load_formats(format_words), dump_formats = load_formats.subspan(1);
// From the file's name, or from its first byte, which stays unread. What cannot be told is jsonl.
Format recognize(std::FILE* file, std::string_view file_name);

std::unique_ptr<RecordReader> make_reader(Format format, std::FILE* file, const CsvOptions& csv);

struct WriterOptions {
  Encoding encoding = Encoding::escaped;  // csv, tsv: of the fields
  bool name_tables = false;               // several tables follow one another, and load must tell them apart
  bool print = false;                     // db_dump: printable characters stand for themselves
};
std::unique_ptr<RecordWriter> make_writer(Format format, const WriterOptions& options);

}  // namespace plimsoll::cli

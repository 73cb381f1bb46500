#include "interchange/formats.hpp"

#include "base/check.hpp"
#include "interchange/db_dump.hpp"
#include "interchange/jsonl.hpp"

namespace plimsoll::cli {
Format recognize(std::FILE* file, std::string_view file_name) {
  if (file_name.ends_with(".csv")) return Format::csv;
  if (file_name.ends_with(".tsv")) return Format::tsv;
  if (file_name.ends_with(".jsonl")) return Format::jsonl;
  const int first = std::getc(file);
  if (first != EOF) std::ungetc(first, file);
  return first == 'V' ? Format::db_dump : Format::jsonl;  // VERSION=3
}

std::unique_ptr<RecordReader> make_reader(Format format, std::FILE* file, const CsvOptions& csv) {
  CsvOptions options = csv;
  switch (format) {
    case Format::automatic: break;
    case Format::jsonl: return std::make_unique<JsonlReader>(file);
    case Format::csv: options.separator = ','; return std::make_unique<CsvReader>(file, std::move(options));
    case Format::tsv: options.separator = '\t'; return std::make_unique<CsvReader>(file, std::move(options));
    case Format::db_dump: return std::make_unique<DbDumpReader>(file);
  }
  PLIMSOLL_CHECK(false);  // recognize() comes first
}

std::unique_ptr<RecordWriter> make_writer(Format format, const WriterOptions& options) {
  switch (format) {
    case Format::automatic: break;
    case Format::jsonl: return std::make_unique<JsonlWriter>(options.name_tables);
    case Format::csv: return std::make_unique<CsvWriter>(',', options.encoding, options.name_tables);
    case Format::tsv: return std::make_unique<CsvWriter>('\t', options.encoding, options.name_tables);
    case Format::db_dump: return std::make_unique<DbDumpWriter>(options.print);
  }
  PLIMSOLL_CHECK(false);  // a dump's format is chosen
}

}  // namespace plimsoll::cli

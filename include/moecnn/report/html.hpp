#pragma once
/// \file
/// The page: header, contents, sections of text, tiles, tables, figures and boxes; one string in the end.

#include "moecnn/core/error.hpp"
#include "moecnn/io/atomic_file.hpp"
#include "moecnn/report/style.hpp"
#include "moecnn/report/svg.hpp"

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <vector>

namespace moecnn::report {

struct KeyValue {
  std::string key = {}, value = {};
};

/// A number that deserves large type; `more` says what it is worth.
struct Tile {
  std::string name = {}, value = {}, more = {};
  Markup picture = {};
};

/// A picture with its title and a sentence on how to read it.
struct Figure {
  std::string title = {}, caption = {};
  Markup picture = {};
  bool wide = false;  ///< takes the page's whole width
};

/// One cell of a table: text or markup, and optionally a bar behind the number.
struct Cell {
  std::string text = {};
  Markup markup = {};  ///< instead of the text, when not empty
  double bar = -1;     ///< length 0 … 1 of a bar before the text; negative: none
  int ink = ink_second;
};

struct Column {
  std::string name = {};
  bool numeric = true;  ///< right-aligned
  bool wide = false;    ///< has room for several words
};

/// The form of a table on a narrow screen.
enum class Narrow {
  scroll,  ///< it is moved sideways
  stack    ///< every row becomes a block of named values
};

class Page {
 public:
  explicit Page(std::string title, std::string subtitle = {}, std::string when = {})
      : title_(std::move(title)), subtitle_(std::move(subtitle)), when_(std::move(when)) {}

  /// Starts a section; it is listed in the contents. What was added before the first one stands under the header.
  Page& section(std::string_view title, std::string_view intro = {}) {
    sections_.push_back({std::string(title), anchor(title)});
    raw(formatted("<h2>{}</h2>\n", escape(title)));
    if (!intro.empty()) paragraph(intro);
    return *this;
  }
  Page& heading(std::string_view title) { return raw(formatted("<h3>{}</h3>\n", escape(title))); }
  Page& paragraph(std::string_view text) { return raw(formatted("<p>{}</p>\n", escape(text))); }
  Page& note(std::string_view text) { return box({std::string(text)}, "box", "note"); }
  Page& warning(std::string_view text) { return box({std::string(text)}, "box warning", "alert"); }
  /// All warnings in one box; nothing for none.
  Page& warnings(const std::vector<std::string>& texts) { return box(texts, "box warning", "alert"); }

  Page& tiles(const std::vector<Tile>& tiles) {
    if (tiles.empty()) return *this;
    const std::size_t rows = (tiles.size() + 5) / 6;  // at most six beside each other, and rows of almost one length
    std::string out = formatted("<dl class=\"tiles\" style=\"--n:{}\">", (tiles.size() + rows - 1) / rows);
    for (const Tile& t : tiles) {
      out += formatted("<div class=\"tile\"><dt>{}</dt><dd>{}", escape(t.name), escape(t.value));
      if (!t.more.empty()) out += formatted("<span class=\"more\">{}</span>", escape(t.more));
      out += t.picture.html + "</dd></div>";
    }
    return raw(out + "</dl>\n");
  }

  Page& key_values(const std::vector<KeyValue>& pairs) { return raw(key_value_table(pairs)); }

  /// Two lists of pairs side by side, each under its name; either may be empty.
  Page& key_values(std::string_view name, const std::vector<KeyValue>& pairs, std::string_view other_name,
                   const std::vector<KeyValue>& others) {
    raw("<div class=\"two\">");
    if (!pairs.empty()) raw(formatted("<div><h3>{}</h3>{}</div>", escape(name), key_value_table(pairs)));
    if (!others.empty()) raw(formatted("<div><h3>{}</h3>{}</div>", escape(other_name), key_value_table(others)));
    return raw("</div>\n");
  }

  /// Numeric columns are right-aligned, cells with bars left-aligned so that the bars share their origin.
  Page& table(const std::vector<Column>& columns, const std::vector<std::vector<Cell>>& rows,
              Narrow narrow = Narrow::scroll) {
    std::string out =
        formatted("<div class=\"scroll\"><table{}><thead><tr>", narrow == Narrow::stack ? " class=\"stack\"" : "");
    for (const Column& c : columns)
      out += formatted("<th scope=\"col\"{}>{}</th>", c.numeric ? " class=\"n\"" : "", escape(c.name));
    out += "</tr></thead><tbody>\n";
    for (const auto& row : rows) {
      check(row.size() == columns.size(), "table row has {} cells for {} columns", row.size(), columns.size());
      out += "<tr>";
      for (std::size_t i = 0; i < row.size(); ++i) out += cell(row[i], columns[i], narrow);
      out += "</tr>\n";
    }
    return raw(out + "</tbody></table></div>\n");
  }

  /// Figures in two or three columns (one on narrow screens).
  Page& figures(const std::vector<Figure>& figures, int columns = 2) {
    if (figures.empty()) return *this;
    raw(columns == 3 ? "<div class=\"figures three\">\n" : "<div class=\"figures\">\n");
    for (const Figure& f : figures)
      raw(formatted("<figure{}><figcaption><b>{}</b>{}</figcaption>{}</figure>\n", f.wide ? " class=\"wide\"" : "",
                    escape(f.title), escape(f.caption), f.picture.html));
    return raw("</div>\n");
  }
  Page& figure(Figure figure) {
    figure.wide = true;
    return figures({std::move(figure)});
  }

  /// A block to copy into a shell.
  Page& command(std::string_view text) { return raw(formatted("<pre><code>{}</code></pre>\n", escape(text))); }

  Page& open_details(std::string_view summary) {
    return raw(formatted("<details><summary>{}</summary>\n", escape(summary)));
  }
  Page& close_details() { return raw("</details>\n"); }

  /// Finished markup as it is.
  Page& add(const Markup& markup) { return raw(markup.html); }

  /// Small print under the page.
  Page& footer(std::string text) {
    footer_ = std::move(text);
    return *this;
  }

  std::string html() const {
    std::string out = formatted(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n"
        "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n<title>{}</title>\n"
        "<style>{}{}</style>\n</head>\n<body>\n<div class=\"page\">\n<header>",
        escape(title_), colours, rules);
    if (!when_.empty()) out += formatted("<p class=\"when\">{}</p>", escape(when_));
    out += formatted("<h1>{}</h1>", escape(title_));
    if (!subtitle_.empty()) out += formatted("<p>{}</p>", escape(subtitle_));
    out += "</header>\n";
    if (sections_.size() > 1) {
      out += "<nav aria-label=\"Contents\">";
      for (const auto& s : sections_) out += formatted("<a href=\"#{}\">{}</a>", s.anchor, escape(s.title));
      out += "</nav>\n";
    }
    out += "<main>\n" + lead_;
    for (const auto& s : sections_) out += formatted("<section id=\"{}\">\n{}</section>\n", s.anchor, s.body);
    out += "</main>\n";
    if (!footer_.empty()) out += formatted("<footer>{}</footer>\n", escape(footer_));
    return out + "</div>\n</body>\n</html>\n";
  }

  /// Writes the page to `path`, whole or not at all.
  void write(const std::filesystem::path& path) const {
    io::AtomicFile file(path);
    file.write(html());
    file.commit();
  }

 private:
  struct Part {
    std::string title, anchor, body = {};
  };

  Page& raw(std::string_view html) {
    (sections_.empty() ? lead_ : sections_.back().body) += html;
    return *this;
  }

  Page& box(const std::vector<std::string>& texts, std::string_view css, std::string_view role) {
    if (texts.empty()) return *this;
    raw(formatted("<div class=\"{}\" role=\"{}\">", css, role));
    for (const auto& t : texts) raw(formatted("<p>{}</p>", escape(t)));
    return raw("</div>\n");
  }

  static std::string key_value_table(const std::vector<KeyValue>& pairs) {
    if (pairs.empty()) return {};
    std::string out = "<table class=\"pairs\"><tbody>\n";
    for (const KeyValue& p : pairs)
      out += formatted("<tr><th scope=\"row\">{}</th><td>{}</td></tr>\n", escape(p.key), escape(p.value));
    return out + "</tbody></table>\n";
  }

  static std::string cell(const Cell& c, const Column& column, Narrow narrow) {
    const std::string css = c.bar >= 0 ? "bar" : column.numeric ? "n" : column.wide ? "words" : "";
    std::string out = css.empty() ? "<td" : formatted("<td class=\"{}\"", css);
    if (narrow == Narrow::stack) out += formatted(" data-name=\"{}\"", escape(column.name));
    out += '>';
    if (c.bar >= 0) {
      const double length = std::isfinite(c.bar) ? std::clamp(c.bar, 0.0, 1.0) * 100 : 0;
      out += formatted("<span class=\"track\"><i class=\"{}\" style=\"width:{:.1f}%\"></i></span>", ink_class(c.ink),
                       length);
    }
    return out + (c.markup.html.empty() ? escape(c.text) : c.markup.html) + "</td>";
  }

  /// Lower-case letters, digits and hyphens, unique on the page.
  std::string anchor(std::string_view title) const {
    std::string base;
    for (const char c : title) {
      if (std::isalnum(static_cast<unsigned char>(c)) && static_cast<unsigned char>(c) < 0x80)
        base += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
      else if (!base.empty() && base.back() != '-')
        base += '-';
    }
    if (base.ends_with('-')) base.pop_back();
    if (base.empty()) base = "part";
    std::string name = base;
    const auto taken = [&] {
      return std::any_of(sections_.begin(), sections_.end(), [&](const Part& s) { return s.anchor == name; });
    };
    for (int i = 2; taken(); ++i) name = formatted("{}-{}", base, i);
    return name;
  }

  std::string title_, subtitle_, when_, lead_, footer_;
  std::vector<Part> sections_;
};

}  // namespace moecnn::report

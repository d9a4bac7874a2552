// Rows become a response: CSV for whoever asks for it, otherwise JSON. The columns are those of the first row. A cell that a
// spreadsheet would calculate gets a quote before it, because what stands in rows was written by strangers.
#include "ringmail.h"

static bool starts(rm_text text, rm_text with) {
  return text.length >= with.length && rm_same((rm_text){text.at, with.length}, with);
}

// A cell in quotes, which are doubled inside of it.
static void put_cell(rm_out *out, rm_text cell, bool text) {
  bool calculated = text && cell.length && (*cell.at == '=' || *cell.at == '+' || *cell.at == '-' || *cell.at == '@');
  rm_put(out, calculated ? RM("\"'") : RM("\""));
  for (size_t i = 0; i < cell.length; i++) {
    if (cell.at[i] == '"') rm_put(out, RM("\""));
    rm_put(out, (rm_text){cell.at + i, 1});
  }
  rm_put(out, RM("\""));
}

static void put_value(rm_out *out, rm_text json) {
  rm_text text;
  if (rm_string(json, &text)) put_cell(out, text, true);
  else if (!rm_same(json, RM("null"))) put_cell(out, json, false);
}

static rm_text csv(rm_text rows) {
  rm_out out = {0};
  rm_each first = rm_all(rows);
  if (!rm_next(&first)) return rm_written(&out);
  rm_text columns = first.value, comma = RM("");
  for (rm_each column = rm_all(columns); rm_next(&column); comma = RM(",")) {
    rm_put(&out, comma);
    put_value(&out, column.name);
  }
  rm_put(&out, RM("\r\n"));
  for (rm_each row = rm_all(rows); rm_next(&row);) {
    comma = RM("");
    for (rm_each column = rm_all(columns); rm_next(&column); comma = RM(",")) {
      rm_text name, value = RM("null");
      rm_put(&out, comma);
      if (rm_string(column.name, &name)) rm_member(row.value, name, &value);
      put_value(&out, value);
    }
    rm_put(&out, RM("\r\n"));
  }
  return rm_written(&out);
}

static rm_result respond(rm_text status, rm_text type, rm_text body) {
  rm_out out = {0};
  rm_put(&out, RM("{\"status\":"));
  rm_put(&out, status);
  rm_put(&out, RM(",\"headers\":{\"content-type\":"));
  rm_put_string(&out, type);
  rm_put(&out, RM("},\"body\":"));
  rm_put_string(&out, body);
  rm_put(&out, RM("}"));
  return rm_ok(rm_written(&out));
}

rm_result call(rm_text input) {
  rm_text accept, rows;
  if (!rm_member_string(input, RM("accept"), &accept) || !rm_member(input, RM("rows"), &rows)) {
    return rm_fail(RM("there is nothing to answer"));
  }
  if (starts(accept, RM("text/csv"))) return respond(RM("200"), RM("text/csv; charset=utf-8"), csv(rows));
  if (starts(accept, RM("application/json")) || starts(accept, RM("*/*"))) {
    return respond(RM("200"), RM("application/json"), rows);
  }
  return respond(RM("406"), RM("text/plain"), RM("ask for text/csv or application/json"));
}

// What a plugin in C is written against: this file, and no library beneath it. A plugin is one C file that includes it and
// defines `call`. Each function of the host stands under the capability that `plugin.toml` asks for and a project grants; one
// that is never called is not imported. Needs C11.
#ifndef RINGMAIL_H
#define RINGMAIL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// ---- texts and memory ----

// UTF-8, or bytes where files and kept values are concerned. It does not end with a zero.
typedef struct {
  const char *at;
  size_t length;
} rm_text;

// The text of a literal.
#define RM(literal) ((rm_text){"" literal, sizeof(literal) - 1})

// Memory of the call. Nothing is given back: the instance ends with the call. Without enough memory the call ends.
static void *rm_alloc(size_t bytes);

static inline bool rm_same(rm_text a, rm_text b) {
  if (a.length != b.length) return false;
  for (size_t i = 0; i < a.length; i++) {
    if (a.at[i] != b.at[i]) return false;
  }
  return true;
}

// ---- the call ----

typedef struct {
  bool failed;
  rm_text text;
} rm_result;

// What a plugin defines: takes JSON, and gives `rm_ok` with JSON or `rm_fail` with the reason why the link fails.
rm_result call(rm_text input);

static inline rm_result rm_ok(rm_text json) { return (rm_result){false, json}; }
static inline rm_result rm_fail(rm_text why) { return (rm_result){true, why}; }

// ---- writing: texts, and JSON ----

// Starts as `{0}`.
typedef struct {
  char *at;
  size_t length, room;
} rm_out;

static inline rm_text rm_written(const rm_out *out) { return (rm_text){out->at, out->length}; }

static inline void rm_put(rm_out *out, rm_text text) {
  if (out->room - out->length < text.length) {
    size_t room = (out->length + text.length) * 2 + 64;
    char *at = rm_alloc(room);
    __builtin_memcpy(at, out->at, out->length);
    out->at = at;
    out->room = room;
  }
  __builtin_memcpy(out->at + out->length, text.at, text.length);
  out->length += text.length;
}

static inline void rm_put_integer(rm_out *out, int64_t number) {
  char digits[20];
  size_t at = sizeof digits;
  uint64_t rest = number < 0 ? -(uint64_t)number : (uint64_t)number;
  do digits[--at] = (char)('0' + rest % 10);
  while (rest /= 10);
  if (number < 0) digits[--at] = '-';
  rm_put(out, (rm_text){digits + at, sizeof digits - at});
}

// A text as JSON, in quotes.
static inline void rm_put_string(rm_out *out, rm_text text) {
  rm_put(out, RM("\""));
  size_t from = 0;
  for (size_t i = 0; i < text.length; i++) {
    unsigned char c = (unsigned char)text.at[i];
    if (c >= 0x20 && c != '"' && c != '\\') continue;
    rm_put(out, (rm_text){text.at + from, i - from});
    char escape[6] = {'\\', 'u', '0', '0', "0123456789abcdef"[c >> 4], "0123456789abcdef"[c & 15]};
    char quoted[2] = {'\\', (char)c};
    rm_put(out, c < 0x20 ? (rm_text){escape, 6} : (rm_text){quoted, 2});
    from = i + 1;
  }
  rm_put(out, (rm_text){text.at + from, text.length - from});
  rm_put(out, RM("\""));
}

// ---- reading JSON ----

// One value after the other of a list or an object: `for (rm_each each = rm_all(json); rm_next(&each);)`.
typedef struct {
  rm_text name;   // as JSON, of a member of an object
  rm_text value;  // as JSON
  rm_text rest;
  bool named;
} rm_each;

// Spaces, commas and colons off the start.
static inline void rm__trim(rm_text *json) {
  while (json->length && (*json->at == ' ' || *json->at == '\n' || *json->at == '\t' || *json->at == '\r' ||
                          *json->at == ',' || *json->at == ':')) {
    json->at++;
    json->length--;
  }
}

// Takes the first value off.
static inline rm_text rm__first(rm_text *json) {
  rm__trim(json);
  size_t end = 0, depth = 0;
  bool quoted = false;
  while (end < json->length) {
    char c = json->at[end];
    bool opens = c == '[' || c == '{', closes = c == ']' || c == '}';
    if (!quoted && !depth && end && (closes || c == ',' || c == ':' || (unsigned char)c <= ' ')) break;
    if (!quoted && !depth && closes) break;
    end++;
    if (quoted && c == '\\' && end < json->length) end++;
    else if (c == '"') quoted = !quoted;
    else if (!quoted && opens) depth++;
    else if (!quoted && closes) depth--;
    if (!quoted && !depth && (c == '"' || closes)) break;
  }
  rm_text value = {json->at, end};
  json->at += end;
  json->length -= end;
  return value;
}

static inline rm_each rm_all(rm_text json) {
  rm__trim(&json);
  bool named = json.length && *json.at == '{';
  bool many = named || (json.length && *json.at == '[');
  return (rm_each){.rest = many ? (rm_text){json.at + 1, json.length - 1} : (rm_text){0}, .named = named};
}

static inline bool rm_next(rm_each *each) {
  if (each->named) each->name = rm__first(&each->rest);
  each->value = rm__first(&each->rest);
  return each->value.length > 0;
}

static inline int rm__hex(const char *at) {
  int value = 0;
  for (int i = 0; i < 4; i++) {
    int c = at[i], digit = c >= '0' && c <= '9' ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1;
    if (digit < 0) return -1;
    value = value << 4 | digit;
  }
  return value;
}

// The text that a JSON string stands for; false if it is none.
static inline bool rm_string(rm_text json, rm_text *text) {
  if (json.length < 2 || json.at[0] != '"' || json.at[json.length - 1] != '"') return false;
  char *out = rm_alloc(json.length), *to = out;
  for (size_t i = 1; i + 1 < json.length; i++) {
    char c = json.at[i];
    if (c != '\\') {
      *to++ = c;
      continue;
    }
    if (++i + 1 >= json.length) return false;
    switch (c = json.at[i]) {
      case '"': case '\\': case '/': *to++ = c; continue;
      case 'b': *to++ = '\b'; continue;
      case 'f': *to++ = '\f'; continue;
      case 'n': *to++ = '\n'; continue;
      case 'r': *to++ = '\r'; continue;
      case 't': *to++ = '\t'; continue;
      case 'u': break;
      default: return false;
    }
    int point = i + 5 < json.length ? rm__hex(json.at + i + 1) : -1;
    i += 4;
    if (point >= 0xd800 && point < 0xdc00 && i + 7 < json.length && json.at[i + 1] == '\\' && json.at[i + 2] == 'u') {
      int low = rm__hex(json.at + i + 3);
      if (low < 0xdc00 || low > 0xdfff) return false;
      point = 0x10000 + ((point - 0xd800) << 10) + (low - 0xdc00);
      i += 6;
    }
    if (point < 0 || (point >= 0xd800 && point < 0xe000)) return false;
    if (point < 0x80) *to++ = (char)point;
    else {
      if (point < 0x800) *to++ = (char)(0xc0 | point >> 6);
      else {
        if (point < 0x10000) *to++ = (char)(0xe0 | point >> 12);
        else {
          *to++ = (char)(0xf0 | point >> 18);
          *to++ = (char)(0x80 | (point >> 12 & 63));
        }
        *to++ = (char)(0x80 | (point >> 6 & 63));
      }
      *to++ = (char)(0x80 | (point & 63));
    }
  }
  *text = (rm_text){out, (size_t)(to - out)};
  return true;
}

// The whole number that JSON stands for; false if it is none or too large.
static inline bool rm_integer(rm_text json, int64_t *number) {
  bool negative = json.length && *json.at == '-';
  uint64_t value = 0, most = (uint64_t)INT64_MAX + negative;
  if (json.length == negative) return false;
  for (size_t i = negative; i < json.length; i++) {
    unsigned digit = (unsigned)(json.at[i] - '0');
    if (digit > 9 || value > (most - digit) / 10) return false;
    value = value * 10 + digit;
  }
  *number = (int64_t)(negative ? -value : value);
  return true;
}

// A member of an object, as JSON; false if there is none.
static inline bool rm_member(rm_text json, rm_text name, rm_text *value) {
  for (rm_each each = rm_all(json); rm_next(&each);) {
    rm_text found;
    if (each.named && rm_string(each.name, &found) && rm_same(found, name)) {
      *value = each.value;
      return true;
    }
  }
  return false;
}

// The text of a member.
static inline bool rm_member_string(rm_text json, rm_text name, rm_text *text) {
  rm_text value;
  return rm_member(json, name, &value) && rm_string(value, text);
}

// ---- what the host answers ----

// Why the host brings nothing. `refused`: a gate said no; otherwise it was tried and failed.
typedef struct {
  bool refused;
  rm_text message;
} rm_error;

typedef struct {
  bool is;
  rm_text text;
} rm_maybe;

typedef struct {
  rm_text *at;
  size_t length;
} rm_texts;

// Each holds `ok`, or where it `failed` the `error`.
#define RM__OR_ERROR(kind) struct { bool failed; union { kind ok; rm_error error; }; }
typedef struct {
  bool failed;
  rm_error error;
} rm_done;
typedef RM__OR_ERROR(rm_text) rm_text_or;
typedef RM__OR_ERROR(rm_texts) rm_texts_or;
typedef RM__OR_ERROR(rm_maybe) rm_maybe_or;

#define RM__IMPORT(interface, name) \
  __attribute__((import_module("ringmail:plugin/" interface "@0.1.0"), import_name(name))) extern
#define RM__IN(text) (text).at, (text).length

// ---- net ----

typedef struct {
  rm_text name, value;
} rm_header;

typedef struct {
  rm_header *at;
  size_t length;
} rm_headers;

typedef struct {
  rm_text method, url;
  rm_headers headers;
  rm_maybe body;
} rm_request;

typedef struct {
  uint16_t status;
  rm_headers headers;
  rm_text body;
} rm_response;

typedef RM__OR_ERROR(rm_response) rm_response_or;

RM__IMPORT("http", "send")
void rm__send(const char *, size_t, const char *, size_t, rm_header *, size_t, int, const char *, size_t, rm_response_or *);
static inline rm_response_or rm_send(rm_request request) {
  rm_response_or answer;
  rm__send(RM__IN(request.method), RM__IN(request.url), RM__IN(request.headers), request.body.is,
           RM__IN(request.body.text), &answer);
  return answer;
}

// ---- fs; a path is `mount:path` ----

RM__IMPORT("files", "read") void rm__read(const char *, size_t, rm_text_or *);
static inline rm_text_or rm_read(rm_text path) {
  rm_text_or answer;
  rm__read(RM__IN(path), &answer);
  return answer;
}

// Replaces the file in one step.
RM__IMPORT("files", "write") void rm__write(const char *, size_t, const char *, size_t, rm_done *);
static inline rm_done rm_write(rm_text path, rm_text content) {
  rm_done answer;
  rm__write(RM__IN(path), RM__IN(content), &answer);
  return answer;
}

RM__IMPORT("files", "remove") void rm__remove(const char *, size_t, rm_done *);
static inline rm_done rm_remove(rm_text path) {
  rm_done answer;
  rm__remove(RM__IN(path), &answer);
  return answer;
}

RM__IMPORT("files", "names") void rm__names(const char *, size_t, rm_texts_or *);
static inline rm_texts_or rm_names(rm_text folder) {
  rm_texts_or answer;
  rm__names(RM__IN(folder), &answer);
  return answer;
}

// ---- log ----

typedef enum { RM_DEBUG, RM_INFO, RM_WARN, RM_ERROR } rm_level;

RM__IMPORT("log", "write") void rm__log(int, const char *, size_t, rm_done *);
static inline rm_done rm_log(rm_level level, rm_text message) {
  rm_done answer;
  rm__log((int)level, RM__IN(message), &answer);
  return answer;
}

// ---- secret: the host puts it in where the placeholder stands, on the way to the address it is bound to ----

RM__IMPORT("secrets", "placeholder") void rm__secret(const char *, size_t, rm_maybe *);
static inline rm_maybe rm_secret(rm_text name) {
  rm_maybe answer;
  rm__secret(RM__IN(name), &answer);
  return answer;
}

// ---- env ----

RM__IMPORT("config", "get") void rm__setting(const char *, size_t, rm_maybe *);
static inline rm_maybe rm_setting(rm_text name) {
  rm_maybe answer;
  rm__setting(RM__IN(name), &answer);
  return answer;
}

// ---- clock: milliseconds since 1970 ----

RM__IMPORT("clock", "now") uint64_t rm_now(void);

// ---- random ----

RM__IMPORT("random", "bytes") void rm__random(uint32_t, rm_text *);
static inline rm_text rm_random(uint32_t count) {
  rm_text answer;
  rm__random(count, &answer);
  return answer;
}

// ---- kv ----

RM__IMPORT("kv", "get") void rm__kv_get(const char *, size_t, rm_maybe_or *);
static inline rm_maybe_or rm_kv_get(rm_text key) {
  rm_maybe_or answer;
  rm__kv_get(RM__IN(key), &answer);
  return answer;
}

RM__IMPORT("kv", "set") void rm__kv_set(const char *, size_t, const char *, size_t, rm_done *);
static inline rm_done rm_kv_set(rm_text key, rm_text value) {
  rm_done answer;
  rm__kv_set(RM__IN(key), RM__IN(value), &answer);
  return answer;
}

RM__IMPORT("kv", "delete") void rm__kv_delete(const char *, size_t, rm_done *);
static inline rm_done rm_kv_delete(rm_text key) {
  rm_done answer;
  rm__kv_delete(RM__IN(key), &answer);
  return answer;
}

// Keys that begin with `prefix`, in order, from the first one behind `after`; at most a thousand at once.
RM__IMPORT("kv", "keys") void rm__kv_keys(const char *, size_t, int, const char *, size_t, rm_texts_or *);
static inline rm_texts_or rm_kv_keys(rm_text prefix, rm_maybe after) {
  rm_texts_or answer;
  rm__kv_keys(RM__IN(prefix), after.is, RM__IN(after.text), &answer);
  return answer;
}

// ---- a piece of the output, as JSON, while the rest is still being made; needs no grant ----

RM__IMPORT("output", "emit") void rm__emit(const char *, size_t, rm_done *);
static inline rm_done rm_emit(rm_text piece) {
  rm_done answer;
  rm__emit(RM__IN(piece), &answer);
  return answer;
}

// ---- tool: chains of the project, by name ----

typedef struct {
  rm_text name, description;
  rm_maybe input;  // JSON Schema, if it says
} rm_tool;

typedef struct {
  rm_tool *at;
  size_t length;
} rm_tools;

// Those there are: asked for and granted.
RM__IMPORT("tools", "list") void rm__tool_list(rm_tools *);
static inline rm_tools rm_tool_list(void) {
  rm_tools answer;
  rm__tool_list(&answer);
  return answer;
}

// Takes JSON and gives JSON.
RM__IMPORT("tools", "call") void rm__tool(const char *, size_t, const char *, size_t, rm_text_or *);
static inline rm_text_or rm_tool_call(rm_text name, rm_text input) {
  rm_text_or answer;
  rm__tool(RM__IN(name), RM__IN(input), &answer);
  return answer;
}

// ---- between host and plugin ----

// A plugin that asks for no more pages than it starts with is called in half the time.
static unsigned char rm__start[64 << 10] __attribute__((aligned(16)));
static unsigned char *rm__next = rm__start;
static unsigned char *rm__end = rm__start + sizeof rm__start;

static inline void *rm_alloc(size_t bytes) {
  const size_t page = 64 << 10;
  if (bytes > SIZE_MAX - page) __builtin_trap();
  bytes = (bytes + 15) & ~(size_t)15;
  if ((size_t)(rm__end - rm__next) < bytes) {
    size_t pages = (bytes + page - 1) / page;
    size_t from = __builtin_wasm_memory_grow(0, pages);
    if (from == SIZE_MAX) __builtin_trap();
    rm__next = (unsigned char *)(from * page);
    rm__end = rm__next + pages * page;
  }
  void *at = rm__next;
  rm__next += bytes;
  return at;
}

__attribute__((export_name("cabi_realloc"))) void *rm__realloc(void *old, size_t old_size, size_t align, size_t size) {
  (void)align;
  void *at = rm_alloc(size);
  __builtin_memcpy(at, old, old_size < size ? old_size : size);
  return at;
}

__attribute__((export_name("call"))) rm_result *rm__call(const char *at, size_t length) {
  static rm_result result;
  result = call((rm_text){at, length});
  return &result;
}

// What the host and a plugin hand each other lies in memory as the structs of this file do.
_Static_assert(sizeof(void *) == 4 && sizeof(rm_response_or) == 24 && sizeof(rm_tool) == 28, "plugins are built for wasm32");

#endif

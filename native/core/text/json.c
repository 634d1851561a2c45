/* Scan of a JSON text by the grammar of RFC 8259, without recursion. It finds
 * - integers that a double cannot hold: RLIM_INFINITY and memory limits of 2^63 are common in
 *   config.json. Numbers with an exponent too: their value shows whether they are such
 *   integers.
 *   Names of members are decoded only for a hit;
 * - the first syntax error: the messages of the two hosts' JSON.parse differ, and one has no
 *   position. */
#include "../core.h"

/* An open object or array. */
struct level {
  uint32_t index;        /* array: number of the element */
  uint32_t key, key_end; /* object: the raw name, without its quotes */
  uint8_t is_object;
};

struct scan {
  const uint8_t *text;
  uint32_t len, at;
  uint8_t *out; /* for the integers; NULL: not requested */
  uint32_t cap, used;
  uint32_t problem, problem_at; /* JSON_PROBLEM_*, once -EBADMSG is returned */
  int depth;
  struct level levels[JSON_DEPTH_MAX];
};

static int wrong(struct scan *s, uint32_t at, uint32_t problem) {
  s->problem_at = at;
  s->problem = problem;
  return -EBADMSG;
}

/* Whether the next byte is c. */
static int stands(const struct scan *s, uint8_t c) { return s->at < s->len && s->text[s->at] == c; }

static void skip_space(struct scan *s) {
  while (s->at < s->len) {
    uint8_t c = s->text[s->at];
    if (c != ' ' && c != '\n' && c != '\t' && c != '\r')
      return;
    s->at++;
  }
}

static int hex_digit(uint8_t c) {
  if (c >= '0' && c <= '9')
    return c - '0';
  c |= 0x20;
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Parses four hexadecimal digits at p; -1 for anything else. */
static int hex4(const uint8_t *p) {
  int value = 0;
  for (int i = 0; i < 4; i++) {
    int d = hex_digit(p[i]);
    if (d < 0)
      return -1;
    value = value << 4 | d;
  }
  return value;
}

/* Skips a string; `at` is on its opening quote. */
static int pass_string(struct scan *s) {
  uint32_t start = s->at, escape;
  for (s->at++;; s->at++) {
    /* In registers: a large config is mostly strings. */
    const uint8_t *p = s->text + s->at, *end = s->text + s->len;
    while (p < end && *p >= 0x20 && *p != '"' && *p != '\\')
      p++;
    s->at = (uint32_t)(p - s->text);
    if (p == end)
      break;
    uint8_t c = *p;
    if (c == '"') {
      s->at++;
      return 0;
    }
    if (c < 0x20)
      return wrong(s, s->at, JSON_PROBLEM_CONTROL);
    escape = s->at++;
    if (s->at >= s->len)
      break;
    c = s->text[s->at];
    if (c == 'u') {
      if (s->len - s->at < 5 || hex4(s->text + s->at + 1) < 0)
        return wrong(s, escape, JSON_PROBLEM_ESCAPE);
      s->at += 4;
    } else if (c == 0 || !strchr("\"\\/bfnrt", c))
      return wrong(s, escape, JSON_PROBLEM_ESCAPE);
  }
  return wrong(s, start, JSON_PROBLEM_OPEN_STRING);
}

static int emit(struct scan *s, uint8_t c) {
  if (s->used >= s->cap)
    return -EOVERFLOW;
  s->out[s->used++] = c;
  return 0;
}

/* Writes a byte of a reference token: "~" and "/" are escaped (RFC 6901, 3). */
static int emit_token(struct scan *s, uint8_t c) {
  if (c == '~' || c == '/') {
    int r = emit(s, '~');
    return r ? r : emit(s, c == '~' ? '0' : '1');
  }
  return emit(s, c);
}

/* Writes a code point as UTF-8. */
static int emit_code_point(struct scan *s, uint32_t c) {
  if (c < 0x80)
    return emit_token(s, (uint8_t)c);
  int more = c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
  static const uint8_t lead[] = {0, 0xc0, 0xe0, 0xf0};
  int r = emit(s, (uint8_t)(lead[more] | c >> (6 * more)));
  while (!r && more-- > 0)
    r = emit(s, (uint8_t)(0x80 | (c >> (6 * more) & 0x3f)));
  return r;
}

/* Decodes a checked name. NUL would end the pointer early, and a lone surrogate has no UTF-8: both
 * are refused. */
static int emit_name(struct scan *s, uint32_t from, uint32_t to) {
  const uint8_t *t = s->text;
  int r = 0;
  for (uint32_t i = from; i < to && !r; i++) {
    if (t[i] != '\\') {
      r = emit_token(s, t[i]);
      continue;
    }
    uint8_t c = t[++i];
    static const char names[] = "bfnrt", values[] = "\b\f\n\r\t";
    const char *simple = strchr(names, c);
    if (c != 'u') {
      r = emit_token(s, simple ? (uint8_t)values[simple - names] : c);
      continue;
    }
    uint32_t point = (uint32_t)hex4(t + i + 1);
    i += 4;
    if (point >= 0xd800 && point < 0xdc00 && to - i > 6 && t[i + 1] == '\\' && t[i + 2] == 'u') {
      uint32_t low = (uint32_t)hex4(t + i + 3);
      if (low >= 0xdc00 && low < 0xe000) {
        point = 0x10000 + ((point - 0xd800) << 10) + (low - 0xdc00);
        i += 6;
      }
    }
    if (point == 0 || (point >= 0xd800 && point < 0xe000))
      return -EILSEQ;
    r = emit_code_point(s, point);
  }
  return r;
}

static int emit_number(struct scan *s, uint32_t n) {
  char digits[10];
  int count = 0;
  do
    digits[count++] = (char)('0' + n % 10);
  while (n /= 10);
  int r = 0;
  while (!r && count > 0)
    r = emit(s, (uint8_t)digits[--count]);
  return r;
}

/* Writes the JSON pointer of this value, then the literal. */
static int emit_hit(struct scan *s, uint32_t from) {
  if (!s->out)
    return 0;
  int r = 0;
  for (int i = 0; i < s->depth && !r; i++) {
    const struct level *l = &s->levels[i];
    r = emit(s, '/');
    if (!r)
      r = l->is_object ? emit_name(s, l->key, l->key_end) : emit_number(s, l->index);
  }
  if (!r)
    r = emit(s, 0);
  for (uint32_t i = from; i < s->at && !r; i++)
    r = emit(s, s->text[i]);
  return r ? r : emit(s, 0);
}

static uint32_t pass_digits(struct scan *s) {
  uint32_t from = s->at;
  while (s->at < s->len && s->text[s->at] >= '0' && s->text[s->at] <= '9')
    s->at++;
  return s->at - from;
}

/* Skips the longest number here. Of "01", "1." and "1e" that is the first digit: the caller then
 * finds the rest where it expects "," or the end. */
static int pass_number(struct scan *s) {
  static const char limit[] = "9007199254740992"; /* 2^53 */
  uint32_t from = s->at;
  if (s->text[s->at] == '-')
    s->at++;
  uint32_t first = s->at;
  uint32_t digits = pass_digits(s);
  if (digits == 0)
    return wrong(s, from, JSON_PROBLEM_VALUE);
  if (digits > 1 && s->text[first] == '0') {
    s->at = first + 1;
    return 0;
  }
  int is_integer = 1, has_exponent = 0;
  if (stands(s, '.')) {
    uint32_t point = s->at++;
    is_integer = 0;
    if (pass_digits(s) == 0) {
      s->at = point;
      return 0;
    }
  }
  if (stands(s, 'e') || stands(s, 'E')) {
    uint32_t e = s->at++;
    has_exponent = 1;
    if (stands(s, '+') || stands(s, '-'))
      s->at++;
    if (pass_digits(s) == 0) {
      s->at = e;
      return 0;
    }
  }
  if (has_exponent)
    return emit_hit(s, from);
  const uint32_t max_digits = sizeof limit - 1;
  if (!is_integer || digits < max_digits ||
      (digits == max_digits && memcmp(s->text + first, limit, max_digits) <= 0))
    return 0;
  return emit_hit(s, from);
}

static int pass_word(struct scan *s, const char *word) {
  size_t n = strlen(word);
  if (s->len - s->at < n || memcmp(s->text + s->at, word, n) != 0)
    return wrong(s, s->at, JSON_PROBLEM_VALUE);
  s->at += (uint32_t)n;
  return 0;
}

/* Skips a member's name and its colon. Without an opening quote, `otherwise` is the problem. */
static int pass_name(struct scan *s, uint32_t otherwise) {
  struct level *l = &s->levels[s->depth - 1];
  if (!stands(s, '"'))
    return wrong(s, s->at, otherwise);
  l->key = s->at + 1;
  int r = pass_string(s);
  if (r)
    return r;
  l->key_end = s->at - 1;
  skip_space(s);
  if (!stands(s, ':'))
    return wrong(s, s->at, JSON_PROBLEM_COLON);
  s->at++;
  return 0;
}

/* Skips the start of a value. 1: it opened a container that is not empty, and its first value is
 * next. 0: the value ended. */
static int pass_value(struct scan *s) {
  skip_space(s);
  if (s->at >= s->len)
    return wrong(s, s->at, JSON_PROBLEM_VALUE);
  uint8_t c = s->text[s->at];
  switch (c) {
  case '"':
    return pass_string(s);
  case 't':
    return pass_word(s, "true");
  case 'f':
    return pass_word(s, "false");
  case 'n':
    return pass_word(s, "null");
  case '{':
  case '[':
    break;
  default:
    return pass_number(s);
  }
  s->at++;
  skip_space(s);
  if (stands(s, c == '{' ? '}' : ']')) {
    s->at++;
    return 0;
  }
  if (s->depth == JSON_DEPTH_MAX)
    return -ELOOP;
  s->levels[s->depth++] = (struct level){.is_object = c == '{'};
  int r = c == '{' ? pass_name(s, JSON_PROBLEM_KEY_OR_END) : 0;
  return r ? r : 1;
}

/* Skips what follows a value. 1: another value is next. 0: the document's value has ended. */
static int pass_end(struct scan *s) {
  while (s->depth > 0) {
    struct level *l = &s->levels[s->depth - 1];
    uint8_t end = l->is_object ? '}' : ']';
    skip_space(s);
    if (stands(s, ',')) {
      s->at++;
      l->index++;
      skip_space(s);
      if (stands(s, end))
        return wrong(s, s->at, JSON_PROBLEM_LAST_COMMA);
      int r = l->is_object ? pass_name(s, JSON_PROBLEM_KEY) : 0;
      return r ? r : 1;
    }
    if (!stands(s, end))
      return wrong(s, s->at,
                   l->is_object ? JSON_PROBLEM_COMMA_OR_END : JSON_PROBLEM_COMMA_OR_LIST_END);
    s->at++;
    s->depth--;
  }
  return 0;
}

/* 0 or -errno. */
static int pass_document(struct scan *s) {
  int r;
  do {
    r = pass_value(s);
    if (r == 0)
      r = pass_end(s);
  } while (r == 1);
  if (r < 0)
    return r;
  skip_space(s);
  return s->at == s->len ? 0 : wrong(s, s->at, JSON_PROBLEM_END_OF_TEXT);
}

static void begin(struct scan *s, const uint8_t *json, uint32_t length) {
  s->text = json;
  s->len = length;
  s->at = s->cap = s->used = 0;
  s->out = NULL;
  s->problem = s->problem_at = 0;
  s->depth = 0;
}

int32_t runt_wideIntegers(const uint8_t *json, uint32_t json_len, uint8_t *data,
                          uint32_t data_cap) {
  struct scan s;
  if (json_len > INT32_MAX)
    return -E2BIG;
  begin(&s, json, json_len);
  s.out = data;
  s.cap = data_cap > INT32_MAX ? INT32_MAX : data_cap;
  int r = pass_document(&s);
  return r ? r : (int32_t)s.used;
}

int32_t runt_jsonError(const uint8_t *json, uint32_t json_len, uint8_t *data, uint32_t data_cap) {
  struct scan s;
  if (json_len > INT32_MAX)
    return -E2BIG;
  if (data_cap < 8)
    return -EOVERFLOW;
  begin(&s, json, json_len);
  int r = pass_document(&s);
  if (r != -EBADMSG)
    return r;
  put_i64(data, 0, s.problem_at);
  return (int32_t)s.problem;
}

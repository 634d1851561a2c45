/**
 * Changes to QuickJS: shorter ways for what a command does thousands of times. Each gives the same result as the
 * general way, to which it leaves every other case.
 */

const properties = `
/* Adds a data property that the object does not have; -1 when memory is exhausted. Takes the value. Only for an object
   that is extensible, and neither exotic nor an array. */
static int add_data_property(JSContext *ctx, JSObject *p, JSAtom prop, JSValue val, int prop_flags)
{
    JSProperty *pr = add_property(ctx, p, prop, prop_flags);
    if (unlikely(!pr)) {
        JS_FreeValue(ctx, val);
        return -1;
    }
    pr->u.value = val;
    return TRUE;
}

`;

/** A field of an object literal, and the next element of an array literal. */
const define = `
    if (likely(JS_VALUE_GET_TAG(this_obj) == JS_TAG_OBJECT && (flags & ~(JS_PROP_C_W_E | JS_PROP_THROW)) == 0)) {
        JSObject *p = JS_VALUE_GET_OBJ(this_obj);
        if (likely(!p->is_exotic)) {
            if (likely(p->extensible && !p->fast_array && !find_own_property1(p, prop)))
                return add_data_property(ctx, p, prop, val, flags & JS_PROP_C_W_E);
        } else if (p->class_id == JS_CLASS_ARRAY && p->fast_array && p->extensible && __JS_AtomIsTaggedInt(prop) &&
                   __JS_AtomToUInt32(prop) == p->u.array.count && (flags & JS_PROP_C_W_E) == JS_PROP_C_W_E) {
            return add_fast_array_element(ctx, p, val, flags);
        }
    }
`;

/** \`{ ...object }\` into an object without properties: the same shape. */
const spread = `
/* Gives an empty object the properties of another of the same prototype. Returns whether that was possible. -1: memory
   is exhausted. */
static int share_properties(JSContext *ctx, JSObject *to, JSObject *from)
{
    JSShape *sh = from->shape;
    JSProperty *props;
    uint32_t index;
    int i;
    if (to->class_id != JS_CLASS_OBJECT || from->class_id != JS_CLASS_OBJECT || !to->extensible ||
        to->shape->prop_count != 0 || to->shape->proto != sh->proto || !sh->is_hashed || sh->deleted_prop_count != 0)
        return 0;
    for (i = 0; i < sh->prop_count; i++)
        if (sh->prop[i].flags != JS_PROP_C_W_E || JS_AtomGetKind(ctx, sh->prop[i].atom) != JS_ATOM_KIND_STRING ||
            JS_AtomIsArrayIndex(ctx, &index, sh->prop[i].atom)) /* those come first, and in their order */
            return 0;
    props = js_malloc(ctx, sizeof(props[0]) * sh->prop_size);
    if (!props)
        return -1;
    for (i = 0; i < sh->prop_count; i++)
        props[i].u.value = JS_DupValue(ctx, from->prop[i].u.value);
    js_free(ctx, to->prop);
    to->prop = props;
    sh = js_dup_shape(sh);
    js_free_shape(ctx->rt, to->shape);
    to->shape = sh;
    return 1;
}

`;

/** A template of strings and integers: one block for the result. */
const concatParts = `
enum { DIGITS = 11 }; /* of an int32_t, with its sign */

/* The text of an integer, at the end of a buffer. */
static const char *digits_of(int32_t value, char *end)
{
    uint32_t rest = value < 0 ? -(uint32_t)value : (uint32_t)value;
    do
        *--end = '0' + rest % 10;
    while ((rest /= 10) != 0);
    if (value < 0)
        *--end = '-';
    return end;
}

/* A part of a template, and its length; NULL for one that needs more than a copy. */
static const void *template_part(JSValueConst value, char *digits, uint32_t *len)
{
    if (JS_VALUE_GET_TAG(value) == JS_TAG_STRING && !JS_VALUE_GET_STRING(value)->is_wide_char) {
        *len = JS_VALUE_GET_STRING(value)->len;
        return JS_VALUE_GET_STRING(value)->u.str8;
    }
    if (JS_VALUE_GET_TAG(value) != JS_TAG_INT)
        return NULL;
    const char *at = digits_of(JS_VALUE_GET_INT(value), digits + DIGITS);
    *len = digits + DIGITS - at;
    return at;
}

`;

const concat = `
    char digits[DIGITS];
    uint32_t part, len = 0;
    for (i = -1; i < argc && len <= JS_STRING_ROPE_SHORT_LEN; len += part, i++)
        if (!template_part(i < 0 ? this_val : argv[i], digits, &part))
            break;
    if (i == argc && len <= JS_STRING_ROPE_SHORT_LEN) {
        JSString *whole = js_alloc_string(ctx, len, 0);
        uint8_t *at;
        if (!whole)
            return JS_EXCEPTION;
        at = whole->u.str8;
        for (i = -1; i < argc; at += part, i++) {
            const void *from = template_part(i < 0 ? this_val : argv[i], digits, &part);
            memcpy(at, from, part);
        }
        *at = 0;
        return JS_MKPTR(JS_TAG_STRING, whole);
    }
`;

/**
 * A new function: the shape of the one before, which has the same prototype and `length` and `name` in that order. No
 * program changes these: a function's prototype is changed by changing its shape, and this one is shared.
 */
const closure = `
    if (b->func_kind == JS_FUNC_NORMAL && function_shape) {
        JSObject *p;
        func_obj = JS_NewObjectFromShape(ctx, js_dup_shape(function_shape), JS_CLASS_BYTECODE_FUNCTION);
        if (JS_IsException(func_obj)) {
            JS_FreeValue(ctx, bfunc);
            return JS_EXCEPTION;
        }
        p = JS_VALUE_GET_OBJ(func_obj);
        p->prop[0].u.value = JS_NewInt32(ctx, b->defined_arg_count);
        p->prop[1].u.value = JS_AtomToString(ctx, b->func_name == JS_ATOM_NULL ? JS_ATOM_empty_string : b->func_name);
        func_obj = js_closure2(ctx, func_obj, b, cur_var_refs, sf);
        if (JS_IsException(func_obj))
            return JS_EXCEPTION;
        goto with_properties;
    }
`;

/** Keeps the shape for the next function. */
const keepFunctionShape = `
    if (b->func_kind == JS_FUNC_NORMAL && !function_shape) {
        JSShape *sh = JS_VALUE_GET_OBJ(func_obj)->shape;
        if (sh->is_hashed && sh->prop_count == 2)
            function_shape = js_dup_shape(sh);
    }
 with_properties:
`;

/** \`===\` of strings. */
const strictEquality = `
/* Whether two strings are equal, at sp: what js_strict_eq_slow does for them. */
static force_inline int strict_eq(JSContext *ctx, JSValue *sp, BOOL is_neq)
{
    JSString *s1, *s2;
    BOOL same;
    if (JS_VALUE_GET_TAG(sp[-2]) != JS_TAG_STRING || JS_VALUE_GET_TAG(sp[-1]) != JS_TAG_STRING)
        return js_strict_eq_slow(ctx, sp, is_neq);
    s1 = JS_VALUE_GET_STRING(sp[-2]);
    s2 = JS_VALUE_GET_STRING(sp[-1]);
    if (s1 == s2)
        same = TRUE;
    else if (s1->len != s2->len)
        same = FALSE;
    else if (s1->atom_type == JS_ATOM_TYPE_STRING && s2->atom_type == JS_ATOM_TYPE_STRING)
        same = FALSE; /* no two of these have the same text; a symbol's description is of another type */
    else
        same = js_string_memcmp(s1, 0, s2, 0, s1->len) == 0;
    JS_FreeValue(ctx, sp[-2]);
    JS_FreeValue(ctx, sp[-1]);
    sp[-2] = JS_NewBool(ctx, same ^ is_neq);
    return 0;
}

`;

/** A property of an object, or of its prototypes: what JS_GetPropertyInternal does for most, without the call. */
const readProperty = `
/* The property that an object or a prototype has as plain data; undefined if they are ordinary and have none. Of a
   string: a method. Returns whether the value is that of the general way. */
static force_inline int read_plain_property(JSContext *ctx, JSValueConst obj, JSAtom atom, JSValueConst *value)
{
    JSObject *p;
    if (JS_VALUE_GET_TAG(obj) == JS_TAG_STRING && atom != JS_ATOM_length && !__JS_AtomIsTaggedInt(atom))
        obj = ctx->class_proto[JS_CLASS_STRING];
    if (JS_VALUE_GET_TAG(obj) != JS_TAG_OBJECT)
        return 0;
    for (p = JS_VALUE_GET_OBJ(obj); p; p = p->shape->proto) {
        JSProperty *pr;
        JSShapeProperty *prs = find_own_property(&pr, p, atom);
        if (prs) {
            *value = pr->u.value;
            return !(prs->flags & JS_PROP_TMASK);
        }
        if (unlikely(p->is_exotic))
            return 0;
    }
    *value = JS_UNDEFINED;
    return 1;
}

`;

/** The strings that a JSON text had last: it repeats keys and words, and a string of the heap takes 48 bytes. */
const jsonStrings = `
enum { SHARED_STRINGS = 128, SHARED_LEN = 24 };

static void free_shared_strings(JSParseState *s)
{
    for (int i = 0; i < SHARED_STRINGS; i++)
        if (s->shared[i])
            JS_FreeValue(s->ctx, JS_MKPTR(JS_TAG_STRING, s->shared[i]));
}

/* The first of the two places of a string, which is not empty. The string before it moves to the second: with one, two
   common words that have the same place would be made anew each time ("bind" and "ro"). */
static JSString **shared_string(JSParseState *s, const uint8_t *p, uint32_t len)
{
    return &s->shared[(len + 3 * p[0] + 5 * p[len / 2] + 7 * p[len - 1]) % (SHARED_STRINGS / 2) * 2];
}

static int is_string(const JSString *known, const uint8_t *p, uint32_t len)
{
    return known && known->len == len && memcmp(known->u.str8, p, len) == 0;
}

/* A string of ASCII without escapes: the last equal one, or a new one. */
static JSValue json_ascii_string(JSParseState *s, const uint8_t *p, uint32_t len)
{
    JSString **place;
    JSValue text;
    if (len == 0 || len > SHARED_LEN)
        return js_new_string8_len(s->ctx, (const char *)p, len);
    place = shared_string(s, p, len);
    if (is_string(place[0], p, len))
        return JS_DupValue(s->ctx, JS_MKPTR(JS_TAG_STRING, place[0]));
    if (is_string(place[1], p, len)) {
        JSString *known = place[1];
        place[1] = place[0];
        place[0] = known;
        return JS_DupValue(s->ctx, JS_MKPTR(JS_TAG_STRING, known));
    }
    text = js_new_string8_len(s->ctx, (const char *)p, len);
    if (JS_IsException(text))
        return text;
    if (place[1])
        JS_FreeValue(s->ctx, JS_MKPTR(JS_TAG_STRING, place[1]));
    place[1] = place[0];
    place[0] = JS_VALUE_GET_STRING(JS_DupValue(s->ctx, text));
    return text;
}

/* The atom of a key. The next equal key is its string, which need not be looked up. */
static JSAtom json_key(JSParseState *s)
{
    JSString *key = JS_VALUE_GET_STRING(s->token.u.str.str), **place = NULL;
    JSAtom atom;
    if (!key->is_wide_char && key->len > 0 && key->len <= SHARED_LEN) {
        place = shared_string(s, key->u.str8, key->len);
        if (*place != key)
            place = NULL;
    }
    atom = JS_ValueToAtom(s->ctx, s->token.u.str.str);
    if (place && atom != JS_ATOM_NULL && !__JS_AtomIsTaggedInt(atom)) {
        JSString *known = s->ctx->rt->atom_array[atom];
        if (known != key) {
            JS_DupValue(s->ctx, JS_MKPTR(JS_TAG_STRING, known));
            *place = known;
            JS_FreeValue(s->ctx, JS_MKPTR(JS_TAG_STRING, key));
        }
    }
    return atom;
}

`;

/** A JSON string without escapes, of ASCII: no buffer that grows. */
const jsonString = `    if (!s->cur_func) {
        const uint8_t *end = p;
        while (end < s->buf_end && *end >= 0x20 && *end < 0x80 && *end != '\\\\' && *end != sep)
            end++;
        if (end < s->buf_end && *end == sep) {
            JSValue text = json_ascii_string(s, p, end - p);
            if (JS_IsException(text))
                return -1;
            token->val = TOK_STRING;
            token->u.str.sep = sep;
            token->u.str.str = text;
            *pp = end + 1;
            return 0;
        }
    }
`;

/** \`array.join(separator)\` of a few strings: one block for the result. */
const join = `
/* Joins an array of strings; undefined if it needs more than copies. */
static JSValue join_strings(JSContext *ctx, JSValueConst array, JSValueConst separator)
{
    JSValue *items;
    JSString *sep, *whole;
    JSValueConst length;
    uint32_t count;
    uint64_t len;
    uint8_t *at;
    if (JS_VALUE_GET_TAG(separator) != JS_TAG_STRING || !js_get_fast_array(ctx, array, &items, &count) || count == 0)
        return JS_UNDEFINED;
    length = JS_VALUE_GET_OBJ(array)->prop[0].u.value; /* it may have holes at its end */
    if (JS_VALUE_GET_TAG(length) != JS_TAG_INT || (uint32_t)JS_VALUE_GET_INT(length) != count)
        return JS_UNDEFINED;
    sep = JS_VALUE_GET_STRING(separator);
    if (sep->is_wide_char)
        return JS_UNDEFINED;
    len = (uint64_t)sep->len * (count - 1);
    for (uint32_t i = 0; i < count; i++) {
        if (JS_VALUE_GET_TAG(items[i]) != JS_TAG_STRING || JS_VALUE_GET_STRING(items[i])->is_wide_char)
            return JS_UNDEFINED;
        len += JS_VALUE_GET_STRING(items[i])->len;
    }
    if (len == 0 || len > JS_STRING_LEN_MAX)
        return JS_UNDEFINED;
    whole = js_alloc_string(ctx, len, 0);
    if (!whole)
        return JS_EXCEPTION;
    at = whole->u.str8;
    for (uint32_t i = 0; i < count; i++) {
        const JSString *item = JS_VALUE_GET_STRING(items[i]);
        if (i > 0 && sep->len == 1)
            *at++ = sep->u.str8[0];
        else if (i > 0) {
            memcpy(at, sep->u.str8, sep->len);
            at += sep->len;
        }
        memcpy(at, item->u.str8, item->len);
        at += item->len;
    }
    *at = 0;
    return JS_MKPTR(JS_TAG_STRING, whole);
}

`;

/** \`Object.keys\` of an ordinary object: its shape has the names in their order, and no property is looked up. */
const keys = `
/* The names of an object whose properties are all enumerable and named by strings that are no index; undefined for
   another one. */
static JSValue plain_keys(JSContext *ctx, JSValueConst object)
{
    JSObject *p, *list;
    JSShape *sh;
    JSValue names;
    uint32_t index;
    int i;
    if (JS_VALUE_GET_TAG(object) != JS_TAG_OBJECT)
        return JS_UNDEFINED;
    p = JS_VALUE_GET_OBJ(object);
    sh = p->shape;
    if (p->class_id != JS_CLASS_OBJECT || p->is_exotic || sh->deleted_prop_count != 0)
        return JS_UNDEFINED;
    for (i = 0; i < sh->prop_count; i++)
        if (!(sh->prop[i].flags & JS_PROP_ENUMERABLE) || __JS_AtomIsTaggedInt(sh->prop[i].atom) ||
            JS_AtomGetKind(ctx, sh->prop[i].atom) != JS_ATOM_KIND_STRING ||
            JS_AtomIsArrayIndex(ctx, &index, sh->prop[i].atom)) /* those come first, and in their order */
            return JS_UNDEFINED;
    names = JS_NewArray(ctx);
    if (JS_IsException(names) || sh->prop_count == 0)
        return names;
    list = JS_VALUE_GET_OBJ(names);
    if (expand_fast_array(ctx, list, sh->prop_count)) {
        JS_FreeValue(ctx, names);
        return JS_EXCEPTION;
    }
    for (i = 0; i < sh->prop_count; i++)
        list->u.array.u.values[i] = JS_AtomToValue(ctx, sh->prop[i].atom); /* a string that is there */
    list->u.array.count = sh->prop_count;
    list->prop[0].u.value = JS_NewInt32(ctx, sh->prop_count);
    return names;
}

`;

/** What runs through a plain array, or makes one of one, needs no iterator and no constructor. */
const plainArrays = `
static force_inline int is_array(JSValueConst value)
{
    return JS_VALUE_GET_TAG(value) == JS_TAG_OBJECT && JS_VALUE_GET_OBJ(value)->class_id == JS_CLASS_ARRAY;
}

/* Whether a value is an array whose elements are iterated in order: it has no other property than its length, so no
   iterator and no constructor of its own. */
static force_inline int is_plain_array(JSContext *ctx, JSValueConst value)
{
    JSObject *p;
    if (!is_array(value))
        return 0;
    p = JS_VALUE_GET_OBJ(value);
    return p->fast_array && p->shape->prop_count == 1 &&
           p->shape->proto == JS_VALUE_GET_OBJ(ctx->class_proto[JS_CLASS_ARRAY]);
}

`;

/** \`[...array]\`. */
const append = `
    if (is_plain_array(ctx, sp[-1]) && is_plain_array(ctx, sp[-3])) {
        JSObject *from = JS_VALUE_GET_OBJ(sp[-1]), *to = JS_VALUE_GET_OBJ(sp[-3]);
        if (JS_VALUE_GET_TAG(from->prop[0].u.value) == JS_TAG_INT &&
            JS_VALUE_GET_INT(from->prop[0].u.value) == from->u.array.count && to->u.array.count == pos) {
            for (i = 0; i < from->u.array.count; i++)
                if (add_fast_array_element(ctx, to, JS_DupValue(ctx, from->u.array.u.values[i]), JS_PROP_C_W_E) < 0)
                    return -1;
            sp[-2] = JS_NewInt32(ctx, pos + i);
            return 0;
        }
    }
`;

/** The result of \`map\`, \`filter\` and the like. */
const species = `
    if (is_plain_array(ctx, obj) && JS_VALUE_GET_TAG(len_val) == JS_TAG_INT) {
        ret = JS_NewArray(ctx);
        if (!JS_IsException(ret))
            JS_VALUE_GET_OBJ(ret)->prop[0].u.value = len_val;
        return ret;
    }
`;

/**
 * `for (const x of array)`: no iterator object. Its place on the stack is the array's, and that of its method `next`
 * the index. No program changes the methods of arrays' iterators.
 */
const loops = `
/* Puts the next element and whether there was none at sp. The loop may have changed the array. */
static int next_element(JSContext *ctx, JSValue *sp, int offset)
{
    JSObject *p = JS_VALUE_GET_OBJ(sp[offset]);
    uint32_t index = JS_VALUE_GET_INT(sp[offset + 1]), length;
    if (likely(p->fast_array && index < p->u.array.count)) {
        sp[0] = JS_DupValue(ctx, p->u.array.u.values[index]);
    } else {
        if (js_get_length32(ctx, &length, sp[offset]))
            return -1;
        if (index >= length) {
            JS_FreeValue(ctx, sp[offset]);
            sp[offset] = sp[0] = JS_UNDEFINED;
            sp[1] = JS_TRUE;
            return 0;
        }
        sp[0] = JS_GetPropertyUint32(ctx, sp[offset], index);
        if (JS_IsException(sp[0])) {
            /* as the end of an iterator that throws */
            JS_FreeValue(ctx, sp[offset]);
            sp[offset] = sp[0] = JS_UNDEFINED;
            return -1;
        }
    }
    sp[offset + 1] = JS_NewInt32(ctx, index + 1);
    sp[1] = JS_FALSE;
    return 0;
}

`;

/** A module that is evaluated: import() need not find it among all, nor wait for it. */
const evaluated = `
/* What JS_LoadModule gives for a module that is evaluated; undefined for another one. */
JSValue JS_EvaluatedModule(JSContext *ctx, JSModuleDef *m)
{
    JSValue promise, ns, ret, resolving_funcs[2];
    if (m->status != JS_MODULE_STATUS_EVALUATED || m->eval_has_exception)
        return JS_UNDEFINED;
    ns = JS_GetModuleNamespace(ctx, m);
    if (JS_IsException(ns))
        return ns;
    promise = JS_NewPromiseCapability(ctx, resolving_funcs);
    if (!JS_IsException(promise)) {
        ret = JS_Call(ctx, resolving_funcs[0], JS_UNDEFINED, 1, (JSValueConst *)&ns);
        JS_FreeValue(ctx, ret);
        JS_FreeValue(ctx, resolving_funcs[0]);
        JS_FreeValue(ctx, resolving_funcs[1]);
    }
    JS_FreeValue(ctx, ns);
    return promise;
}
`;

const shapeFunctions = `
void JS_KeepShapes(JSContext *ctx);
int JS_WriteShapes(JSContext *ctx, uint8_t *at, size_t room);
void JS_MakeShapes(JSContext *ctx, const uint8_t *at);
`;

/** Shapes without objects, for those to come. A process writes them into a buffer, its parent makes the same ones. */
const shapes = `
enum { MOST_KEPT = 32 }; /* properties */
static int keeps_shapes; /* a hashed shape that loses its last object, or is left by it for another, stays */

static struct list_head *before_kept; /* the last object before those that are kept */

/* Begins to collect shapes. */
void JS_KeepShapes(JSContext *ctx)
{
    keeps_shapes = 1;
    before_kept = ctx->rt->gc_obj_list.prev;
}

/* Writes the collected shapes: a prototype's address, then the flags and names of the properties, and 0xff. Returns
   whether they have room. */
int JS_WriteShapes(JSContext *ctx, uint8_t *at, size_t room)
{
    const uint8_t *end = at + room;
    for (const struct list_head *el = before_kept->next; el != &ctx->rt->gc_obj_list; el = el->next) {
        const JSShape *sh = list_entry(el, JSShape, header.link);
        int i;
        /* Without a prototype, as the end of the list is. Only once made: a long one, with all that lead to it. */
        if (sh->header.gc_obj_type != JS_GC_OBJ_TYPE_SHAPE || !sh->is_hashed || !sh->proto || sh->prop_count > MOST_KEPT)
            continue;
        for (i = 0; i < sh->prop_count; i++)
            if ((sh->prop[i].flags & JS_PROP_TMASK) || JS_AtomGetKind(ctx, sh->prop[i].atom) != JS_ATOM_KIND_STRING)
                break;
        if (i < sh->prop_count)
            continue;
        if ((size_t)(end - at) < 2 * sizeof sh->proto)
            return 0;
        memcpy(at, &sh->proto, sizeof sh->proto);
        at += sizeof sh->proto;
        for (i = 0; i < sh->prop_count; i++) {
            const char *name = JS_AtomToCString(ctx, sh->prop[i].atom);
            size_t len = strlen(name) + 1;
            if ((size_t)(end - at) < len + 2 + sizeof sh->proto)
                return 0;
            *at++ = sh->prop[i].flags;
            memcpy(at, name, len);
            at += len;
            JS_FreeCString(ctx, name);
        }
        *at++ = 0xff;
    }
    return 1;
}

/* Makes those shapes whose prototype is an object of this process, too. */
void JS_MakeShapes(JSContext *ctx, const uint8_t *at)
{
    JSObject *proto;
    keeps_shapes = 1;
    for (;; at++) {
        struct list_head *el;
        JSValue object = JS_UNDEFINED;
        memcpy(&proto, at, sizeof proto);
        at += sizeof proto;
        if (!proto)
            break;
        list_for_each(el, &ctx->rt->gc_obj_list)
            if (list_entry(el, JSGCObjectHeader, link) == &proto->header)
                break;
        if (el != &ctx->rt->gc_obj_list && proto->header.gc_obj_type == JS_GC_OBJ_TYPE_JS_OBJECT)
            object = JS_NewObjectProto(ctx, JS_MKPTR(JS_TAG_OBJECT, proto));
        for (; *at != 0xff; at += strlen((const char *)at) + 1) {
            int flags = *at++;
            if (!JS_IsUndefined(object))
                JS_DefinePropertyValueStr(ctx, object, (const char *)at, JS_UNDEFINED, flags);
        }
        JS_FreeValue(ctx, object);
    }
    keeps_shapes = 0;
}
`;

/** An element of an array, for its methods. */
const element = `    if (JS_VALUE_GET_TAG(obj) == JS_TAG_OBJECT) {
        JSObject *p = JS_VALUE_GET_OBJ(obj);
        if (p->class_id == JS_CLASS_ARRAY && p->fast_array && (uint64_t)idx < p->u.array.count) {
            *pval = JS_DupValue(ctx, p->u.array.u.values[idx]);
            return TRUE;
        }
    }
`;

const evaluatedDeclaration = '\nJSValue JS_EvaluatedModule(JSContext *ctx, JSModuleDef *m);';

/** Its file, the text that is replaced, how often the file has it, and what replaces it. */
export const fast = [
  // Most arrays have more than one element.
  [
    'quickjs.c',
    '    new_size = max_int(new_len, p->u.array.u1.size * 3 / 2);\n    new_array_prop',
    1,
    () => '    new_size = max_int(new_len, max_int(2, p->u.array.u1.size * 3 / 2));\n    new_array_prop',
  ],
  [
    'quickjs.c',
    '\nint JS_DefinePropertyValue(JSContext *ctx, JSValueConst this_obj,\n',
    1,
    (old) => `${properties}${old}`,
  ],
  [
    'quickjs.c',
    `                           JSAtom prop, JSValue val, int flags)
{
    int ret;
`,
    1,
    (old) => `${old}${define}`,
  ],
  // Strings of different lengths differ.
  [
    'quickjs.c',
    `                res = (js_string_compare(ctx, JS_VALUE_GET_STRING(op1),
                                         JS_VALUE_GET_STRING(op2)) == 0);`,
    1,
    () => `                JSString *s1 = JS_VALUE_GET_STRING(op1), *s2 = JS_VALUE_GET_STRING(op2);
                res = s1 == s2 || (s1->len == s2->len && js_string_memcmp(s1, 0, s2, 0, s1->len) == 0);`,
  ],
  [
    'quickjs.c',
    '\nstatic JSValue js_string_concat(JSContext *ctx, JSValueConst this_val,\n',
    1,
    (old) => `${concatParts}${old}`,
  ],
  [
    'quickjs.c',
    `                                int argc, JSValueConst *argv)
{
    JSValue r;
    int i;
`,
    1,
    (old) => `${old}${concat}`,
  ],
  [
    'quickjs.c',
    `    if (start >= 0 && start <= stop) {
        for (i = start;; i++) {
`,
    1,
    (old) => `    if (magic == 0 && start >= 0 && start <= stop && !p->is_wide_char) {
        if (!p1->is_wide_char) {
            ret = memmem(p->u.str8 + start, p->len - start, p1->u.str8, v_len) != NULL;
            goto done;
        }
        for (i = 0; i < v_len; i++)
            if (p1->u.str16[i] > 0xff)
                goto done;
    }
${old}`,
  ],
  [
    'quickjs.c',
    `
static JSValue js_closure(JSContext *ctx, JSValue bfunc,
                          JSVarRef **cur_var_refs,
                          JSStackFrame *sf)
`,
    1,
    (old) => `\nstatic JSShape *function_shape; /* of the one context */\n${old}`,
  ],
  [
    'quickjs.c',
    `
    b = JS_VALUE_GET_PTR(bfunc);
    func_obj = JS_NewObjectClass(ctx, func_kind_to_class_id[b->func_kind]);
`,
    1,
    (old) => old.replace('bfunc);\n', `bfunc);\n${closure}`),
  ],
  [
    'quickjs.c',
    `    js_function_set_properties(ctx, func_obj, name_atom,
                               b->defined_arg_count);
`,
    1,
    (old) => `${old}${keepFunctionShape}`,
  ],
  [
    'quickjs.c',
    '\nstatic JSValue JS_CallInternal(JSContext *caller_ctx, JSValueConst func_obj,\n                               JSValueConst this_obj, JSValueConst new_target,\n                               int argc, JSValue *argv, int flags)\n{',
    1,
    (old) => `${strictEquality}${readProperty}${old}`,
  ],
  [
    'quickjs.c',
    '\nstatic __exception int js_for_of_start(JSContext *ctx, JSValue *sp,\n',
    1,
    (old) => `${plainArrays}${loops}${old}`,
  ],
  [
    'quickjs.c',
    `
static int JS_TryGetPropertyInt64(JSContext *ctx, JSValueConst obj, int64_t idx, JSValue *pval)
{
    JSValue val = JS_UNDEFINED;
    JSAtom prop;
    int present;

`,
    1,
    (old) => `${old}${element}`,
  ],
  ['quickjs.c', '\n    pos = JS_VALUE_GET_INT(sp[-2]);\n', 1, (old) => `${old}${append}`],
  [
    'quickjs.c',
    `    JSValue ctor, ret, species;
    int res;
    JSContext *realm;
`,
    1,
    (old) => `${old}${species}`,
  ],
  [
    'quickjs.c',
    `            sf->cur_pc = pc;
            if (js_for_of_start(ctx, sp, FALSE))
`,
    1,
    // \`yield*\` drops the offset, and calls the iterator's methods itself.
    (old) => `            if (likely(is_plain_array(ctx, sp[-1])) && *pc != OP_drop) {
                *sp++ = JS_NewInt32(ctx, 0);
                *sp++ = JS_NewCatchOffset(ctx, 0);
                BREAK;
            }
${old}`,
  ],
  [
    'quickjs.c',
    `                sf->cur_pc = pc;
                if (js_for_of_next(ctx, sp, offset))
                    goto exception;
`,
    1,
    (old) => `                if (likely(JS_VALUE_GET_TAG(sp[offset + 1]) == JS_TAG_INT && is_array(sp[offset]))) {
                    sf->cur_pc = pc;
                    if (next_element(ctx, sp, offset))
                        goto exception;
                    sp += 2;
                    BREAK;
                }
${old}`,
  ],
  // Most strings of the code are in the snapshot: they are not looked at.
  [
    'quickjs.c',
    '            *sp++ = JS_AtomToValue(ctx, get_u32(pc));\n            pc += 4;\n            BREAK;\n        CASE(OP_undefined)',
    1,
    (old) => `            {
                JSAtom atom = get_u32(pc);
                if (likely(!__JS_AtomIsTaggedInt(atom) && JS_IS_IMMORTAL(rt->atom_array[atom]))) {
                    *sp++ = JS_MKPTR(JS_TAG_STRING, rt->atom_array[atom]);
                    pc += 4;
                    BREAK;
                }
            }
${old}`,
  ],
  [
    'quickjs.c',
    `                sf->cur_pc = pc;
                val = JS_GetProperty(ctx, sp[-1], atom);
                if (unlikely(JS_IsException(val)))
                    goto exception;
                JS_FreeValue(ctx, sp[-1]);
                sp[-1] = val;
`,
    1,
    (old) => `                JSValueConst found;
                if (likely(read_plain_property(ctx, sp[-1], atom, &found))) {
                    val = JS_DupValue(ctx, found);
                    JS_FreeValue(ctx, sp[-1]);
                    sp[-1] = val;
                    BREAK;
                }
${old}`,
  ],
  [
    'quickjs.c',
    `                sf->cur_pc = pc;
                val = JS_GetProperty(ctx, sp[-1], atom);
                if (unlikely(JS_IsException(val)))
                    goto exception;
                *sp++ = val;
`,
    1,
    (old) => `                JSValueConst found;
                if (likely(read_plain_property(ctx, sp[-1], atom, &found))) {
                    *sp++ = JS_DupValue(ctx, found);
                    BREAK;
                }
${old}`,
  ],
  ['quickjs.c', /(OP_CMP\(OP_strict_n?eq, [!=]=, )js_strict_eq_slow/g, 2, (_, start) => `${start}strict_eq`],
  [
    'quickjs.c',
    `            sf->cur_pc = pc;
            if (js_post_inc_slow(ctx, sp, opcode))
`,
    1,
    (old) => `            if (likely(JS_VALUE_GET_TAG(sp[-1]) == JS_TAG_INT && JS_VALUE_GET_INT(sp[-1]) < INT32_MAX &&
                       opcode == OP_post_inc)) {
                sp[0] = JS_NewInt32(ctx, JS_VALUE_GET_INT(sp[-1]) + 1);
                sp++;
                BREAK;
            }
${old}`,
  ],
  [
    'quickjs.c',
    `    StringBuffer b_s, *b = &b_s;
    const uint8_t *p_escape;
    
    /* string */
`,
    1,
    (old) => `${old}${jsonString}`,
  ],
  [
    'quickjs.c',
    '    BOOL ext_json; /* true if accepting JSON superset */\n',
    1,
    (old) => `${old}    JSString *shared[128]; /* of a JSON text: SHARED_STRINGS */\n`,
  ],
  [
    'quickjs.c',
    '\nstatic __exception int js_parse_string(JSParseState *s, int sep,\n',
    1,
    (old) => `${jsonStrings}${old}`,
  ],
  [
    'quickjs.c',
    '                        prop_name = JS_ValueToAtom(ctx, s->token.u.str.str);\n                        if (prop_name == JS_ATOM_NULL)\n                            goto fail;\n                    } else if (s->ext_json',
    1,
    (old) => old.replace('JS_ValueToAtom(ctx, s->token.u.str.str)', 'json_key(s)'),
  ],
  [
    'quickjs.c',
    `            goto fail;
    }
    return val;
 fail:
    JS_FreeValue(ctx, val);
    free_token(s, &s->token);
    return JS_EXCEPTION;
}

JSValue JS_ParseJSON(`,
    1,
    (old) =>
      old
        .replace('return val', 'free_shared_strings(s);\n    return val')
        .replace(' fail:\n', ' fail:\n    free_shared_strings(s);\n'),
  ],
  [
    'quickjs.c',
    '\nstatic JSValue js_array_join(JSContext *ctx, JSValueConst this_val,\n                             int argc, JSValueConst *argv, int toLocaleString)\n{\n',
    1,
    (old) => `${join}${old}`,
  ],
  [
    'quickjs.c',
    `    JSString *p = NULL;
    int64_t i, n;
    int c;

    obj = JS_ToObject(ctx, this_val);
`,
    1,
    (old) =>
      old.replace(
        '    obj =',
        `    if (!toLocaleString && argc > 0) {
        el = join_strings(ctx, this_val, argv[0]);
        if (!JS_IsUndefined(el))
            return el;
    }
    obj =`,
      ),
  ],
  [
    'quickjs.c',
    '\nstatic JSValue JS_GetOwnPropertyNames2(JSContext *ctx, JSValueConst obj1,\n                                       int flags, int kind)\n{\n',
    1,
    (old) => `${keys}${old}`,
  ],
  [
    'quickjs.c',
    `    r = JS_UNDEFINED;
    val = JS_UNDEFINED;
    obj = JS_ToObject(ctx, obj1);
`,
    1,
    (old) => `    if (kind == JS_ITERATOR_KIND_KEY && flags == (JS_GPN_ENUM_ONLY | JS_GPN_STRING_MASK)) {
        r = plain_keys(ctx, obj1);
        if (!JS_IsUndefined(r))
            return r;
    }
${old}`,
  ],
  [
    'quickjs.h',
    '\nJSValue JS_GetModuleNamespace(JSContext *ctx, JSModuleDef *m);',
    1,
    (old) => `${old}${evaluatedDeclaration}`,
  ],
  ['quickjs.c', '\nJSValue JS_LoadModule(JSContext *ctx, const char *basename,\n', 1, (old) => `${evaluated}${old}`],
  ['quickjs.h', 'void __JS_FreeValue(JSContext *ctx, JSValue v);\n', 1, (old) => `${shapeFunctions}${old}`],
  ['quickjs.c', '\nstatic void js_free_shape0(JSRuntime *rt, JSShape *sh)\n', 1, (old) => `${shapes}${old}`],
  [
    'quickjs.c',
    '    if (unlikely(drop_reference(sh) <= 0)) {\n        js_free_shape0',
    1,
    () => '    if (unlikely(drop_reference(sh) <= 0) && !(keeps_shapes && sh->is_hashed)) {\n        js_free_shape0',
  ],
  [
    'quickjs.c',
    '        } else if (sh->header.ref_count != 1) {\n            /* if the shape is shared, clone it */',
    1,
    (old) => old.replace('ref_count != 1', 'ref_count != 1 || keeps_shapes'),
  ],
  ['quickjs.c', '\nstatic __exception int JS_CopyDataProperties(JSContext *ctx,\n', 1, (old) => `${spread}${old}`],
  [
    'quickjs.c',
    `    p = JS_VALUE_GET_OBJ(source);

    gpn_flags = JS_GPN_STRING_MASK | JS_GPN_SYMBOL_MASK | JS_GPN_ENUM_ONLY;
`,
    1,
    (old) => `${old}    if (!pexcl && !setprop) {
        ret = share_properties(ctx, JS_VALUE_GET_OBJ(target), p);
        if (ret)
            return ret < 0 ? -1 : 0;
    }
`,
  ],
];

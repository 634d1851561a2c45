/**
 * Changes to QuickJS: the objects of the snapshot are immortal (native/quickjs/memory.h). Nothing counts references to
 * them, so that a start copies only those pages of the snapshot that it really changes.
 *
 * They are never freed, and a collection does not visit them. It finds garbage by subtracting from each count the
 * references that come from visited objects. Those of immortal objects remain, so what these refer to, old or new, is
 * alive: no write barrier is needed.
 *
 * The large count that JS_MakeImmortal gives serves two readers of counts: what changes a hashed shape with one
 * reference in place copies an immortal one, and a weak reference to an immortal object is alive. A shape that is not
 * hashed has one owner, which may change it: it has the count 1.
 */

const declarations = `
/* Objects from JS_IMMORTAL_AT on, for js_immortal_size bytes, are immortal. */
#define JS_IMMORTAL_AT 0x40000000
extern unsigned js_immortal_size;
#define JS_IS_IMMORTAL(p) ((unsigned long)(p) - JS_IMMORTAL_AT < js_immortal_size)
/* Prepares all objects for that. The caller then sets js_immortal_size. */
void JS_MakeImmortal(JSContext *ctx);

`;

const counting = `
unsigned js_immortal_size;

/* One more reference to an object; one reference less: the count that remains. */
#define add_reference(p) ((void)(JS_IS_IMMORTAL(p) || (p)->header.ref_count++))
#define drop_reference(p) (JS_IS_IMMORTAL(p) ? 1 : --(p)->header.ref_count)
`;

const preparation = `
/* Makes the built-in functions of an object, which QuickJS makes at their first use. */
static void make_functions(JSContext *ctx, JSObject *p)
{
    for (int i = 0; i < p->shape->prop_count; i++) {
        JSShapeProperty *prs = get_shape_prop(p->shape) + i;
        if ((prs->flags & JS_PROP_TMASK) == JS_PROP_AUTOINIT && js_autoinit_get_id(&p->prop[i]) == JS_AUTOINIT_ID_PROP)
            JS_AutoInitProperty(ctx, p, prs->atom, &p->prop[i], prs);
    }
}

void JS_MakeImmortal(JSContext *ctx)
{
    enum { IMMORTAL = INT32_MAX / 2 };
    JSRuntime *rt = ctx->rt;
    struct list_head *el;
    list_for_each(el, &rt->gc_obj_list) {
        JSGCObjectHeader *p = list_entry(el, JSGCObjectHeader, link);
        if (p->gc_obj_type == JS_GC_OBJ_TYPE_JS_OBJECT)
            make_functions(ctx, (JSObject *)p);
    }
    list_for_each(el, &rt->gc_obj_list) {
        JSGCObjectHeader *p = list_entry(el, JSGCObjectHeader, link);
        if (p->gc_obj_type != JS_GC_OBJ_TYPE_SHAPE || ((JSShape *)p)->is_hashed)
            p->ref_count = IMMORTAL;
    }
    for (uint32_t i = 1; i < rt->atom_size; i++)
        if (!atom_is_free(rt->atom_array[i]))
            rt->atom_array[i]->header.ref_count = IMMORTAL;
    /* They remain a ring of links, but no list of the collector. */
    list_del(&rt->gc_obj_list);
    init_list_head(&rt->gc_obj_list);
    /* A larger table for more shapes would write to each of them. */
    resize_shape_hash(rt, rt->shape_hash_bits + 1);
}
`;

/** Its file, the text that is replaced, how often the file has it, and what replaces it. */
export const immortal = [
  // A module that could not be read for want of memory has counts of entries, and no entries.
  [
    'quickjs.c',
    `    int i;

    JS_FreeAtom(ctx, m->module_name);

    for(i = 0; i < m->req_module_entries_count; i++) {`,
    1,
    (old) =>
      old.replace(
        '    JS_FreeAtom',
        `    if (!m->req_module_entries)
        m->req_module_entries_count = 0;
    if (!m->export_entries)
        m->export_entries_count = 0;
    if (!m->import_entries)
        m->import_entries_count = 0;
    JS_FreeAtom`,
      ),
  ],
  ['quickjs.h', 'void __JS_FreeValue(JSContext *ctx, JSValue v);\n', 1, (old) => `${declarations}${old}`],
  ['quickjs.h', 'if (--p->ref_count <= 0) {', 2, () => 'if (!JS_IS_IMMORTAL(p) && --p->ref_count <= 0) {'],
  ['quickjs.h', '        p->ref_count++;', 2, () => '        if (!JS_IS_IMMORTAL(p)) p->ref_count++;'],
  ['quickjs.c', '/* same as JS_FreeValueRT() but faster */\n', 1, (old) => `${counting}\n${old}`],
  [
    'quickjs.c',
    '\nJSValue JS_GetPropertyInternal(JSContext *ctx, JSValueConst obj,\n',
    1,
    (old) => `${preparation}\n${old}`,
  ],
  ['quickjs.c', /--(\w+)->header\.ref_count\b/g, 6, (_, object) => `drop_reference(${object})`],
  ['quickjs.c', /(\w+(?:->\w+|\.\w+)*)->header\.ref_count\+\+;/g, 16, (_, object) => `add_reference(${object});`],
  // The reference to a string that became one to its atom, which is not counted.
  ['quickjs.c', 'str->header.ref_count--;', 1, () => '(void)drop_reference(str);'],
  // A string with one reference is extended in place.
  ['quickjs.c', 'if (p1->header.ref_count != 1)', 1, () => 'if (p1->header.ref_count != 1 || JS_IS_IMMORTAL(p1))'],
  // What the collector does for each reference.
  ...['gc_decref_child', 'gc_scan_incref_child', 'gc_scan_incref_child2'].map((name) => [
    'quickjs.c',
    `static void ${name}(JSRuntime *rt, JSGCObjectHeader *p)\n{\n`,
    1,
    (old) => `${old}    if (JS_IS_IMMORTAL(p)) return;\n`,
  ]),
];

/* Pictures of hits, misses and false alarms: all months of some scenes, with what each network said
 * of them. */
#include "report/gallery.h"

#include "c3d/dataset.h"

#include <inttypes.h>
#include <stdlib.h>

#define MAX_BYTES 4e6 /* of the pictures of a dataset */

static const char *const titles[N_GALLERY_KINDS] = { "Misses", "False alarms", "Hits" };

static const c3d_sample *find_sample(const c3d_samples *samples, int64_t sample_id)
{
    size_t low = 0, high = samples->n;

    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (samples->rows[middle].sample_id < sample_id)
            low = middle + 1;
        else
            high = middle;
    }
    const bool is_there = low < samples->n && samples->rows[low].sample_id == sample_id;
    return is_there ? &samples->rows[low] : NULL;
}

/* ---- a scene --------------------------------------------------------------------------------- */

static void add_class(c3d_text *out, const report_run *run, int label)
{
    const c3d_json *classes = c3d_json_get(run->dataset, "classes");
    const char *name = c3d_json_string_value(c3d_json_at(classes, (size_t)label));

    if (name)
        c3d_text_add_html(out, name);
    else
        c3d_text_add(out, "class %d", label);
}

static void add_header(const report_page *page, const gallery *of, size_t row,
                       const c3d_sample *sample, c3d_text *out)
{
    const c3d_score_row *at = &of->tables[0].rows[row];

    c3d_text_add(out, "<header><b>frame %" PRId64 "</b><span>label: ", at->frame_id);
    add_class(out, &page->runs[of->runs[0]], at->label);
    if (sample && sample->label_year > 0) c3d_text_add(out, " (%d)", sample->label_year);
    c3d_text_add(out, "</span>");
    for (int r = 0; r < of->n_runs; r++) {
        const int called = report_gallery_called(of, r, row);
        const report_run *run = &page->runs[of->runs[r]];
        c3d_text_add(out, "<span><span class=dot style=\"background:%s\"></span>",
                     report_color(of->runs[r]));
        c3d_text_add_html(out, run->label);
        c3d_text_add(out, " %.3f: <span class=%s>", report_gallery_score(of, r, row),
                     called == at->label ? "right" : "wrong");
        add_class(out, run, called);
        c3d_text_add(out, "%s</span></span>", called == at->label ? "" : ", wrong");
    }
    c3d_text_add(out, "</header>\n");
}

static c3d_status add_scene(const report_page *page, const gallery *of, size_t row,
                            c3d_pictures *pictures, c3d_text *out)
{
    const c3d_score_row *at = &of->tables[0].rows[row];
    const c3d_sample *sample = find_sample(&of->samples, at->sample_id);
    const c3d_picture_strip strip = { .frame_id = at->frame_id,
                                      .label_year = sample ? sample->label_year : 0,
                                      .first = sample ? sample->first_month : 0,
                                      .n_months = sample ? sample->n_months : 0 };

    c3d_text_add(out, "<article class=scene>");
    add_header(page, of, row, sample, out);
    C3D_TRY(c3d_pictures_add(pictures, &strip, out));
    c3d_text_add(out, "</article>\n");
    return C3D_OK;
}

/* ---- a dataset ------------------------------------------------------------------------------- */

static void add_kind_title(const gallery *of, gallery_kind kind, size_t n_shown, c3d_text *out)
{
    static const char *const words[N_GALLERY_KINDS] = {
        "positive samples that some network did not call so",
        "negative samples that some network called positive",
        "positive samples that all networks called so",
    };

    c3d_text_add(out, "<h3>%s</h3>\n<p class=note>%zu %s", titles[kind], of->n_of[kind],
                 words[kind]);
    if (n_shown > 0) c3d_text_add(out, "; %zu shown", n_shown);
    c3d_text_add(out, ".</p>\n");
}

static c3d_status add_scenes(const report_page *page, const gallery *of, c3d_pictures *pictures,
                             c3d_text *out)
{
    size_t i = 0;

    for (int kind = 0; kind < N_GALLERY_KINDS; kind++) {
        size_t end = i;
        while (end < of->n && (int)of->kinds[end] == kind) end++;
        add_kind_title(of, (gallery_kind)kind, end - i, out);
        for (; i < end; i++) C3D_TRY(add_scene(page, of, of->rows[i], pictures, out));
    }
    return C3D_OK;
}

static void add_words(const gallery *of, const c3d_pictures *pictures, c3d_text *out)
{
    c3d_text_add(out,
                 "<p>From the %s split. Worst first, for each network in turn: misses with the "
                 "lowest score, false alarms with the highest; hits are drawn at random. No place "
                 "is shown twice. Dates that a sample does not hold are dimmed",
                 report_split_names[of->split]);
    c3d_text_add(out, "; a 2D network sees one of them (<code>data.slice</code>).</p>\n"
                      "<p class=note>");
    c3d_pictures_key(pictures, out);
    c3d_text_add(out, "</p>\n<style>");
    c3d_pictures_colours(pictures, out);
    c3d_text_add(out, "</style>\n");
    if (of->left_out.length) {
        c3d_text says = { 0 };
        c3d_text_add(&says, "Scored on another list, so not shown here: %s.", of->left_out.text);
        report_add_warning(out, says.text);
        c3d_text_free(&says);
    }
}

static c3d_status add_pictures(const report_page *page, int first, const gallery *of, c3d_text *out)
{
    int64_t *frame_ids = c3d_calloc(of->n, sizeof *frame_ids);
    c3d_text notes = { 0 };
    char id[16];
    c3d_pictures *pictures = NULL;
    c3d_status st = frame_ids ? C3D_OK : C3D_ENOMEM;

    (void)snprintf(id, sizeof id, "s%d-", first);
    for (size_t i = 0; frame_ids && i < of->n; i++)
        frame_ids[i] = of->tables[0].rows[of->rows[i]].frame_id;
    if (st == C3D_OK)
        st = c3d_pictures_open(&(c3d_pictures_desc){ .dir = page->runs[first].store,
                                                     .n = of->n,
                                                     .frame_ids = frame_ids,
                                                     .max_bytes = MAX_BYTES,
                                                     .id = id },
                               &pictures, &notes);
    if (st == C3D_OK) {
        if (notes.length) report_add_warning(out, notes.text);
        add_words(of, pictures, out);
        st = add_scenes(page, of, pictures, out);
    }
    c3d_pictures_close(pictures);
    c3d_text_free(&notes);
    free(frame_ids);
    return st;
}

static void add_dataset(report_page *page, int first)
{
    gallery of;
    c3d_text out = { 0 }, says = { 0 };
    c3d_status st = report_gallery_choose(page, first, &of);

    report_add_warnings(&page->text, of.unlike.text);
    if (st == C3D_OK && of.n_runs == 0 && !of.unlike.length)
        c3d_text_add(&says, "No pictures: no scores-test.csv; c3d-evaluate writes it.");
    else if (st == C3D_OK && of.n_runs > 0 && of.n == 0)
        c3d_text_add(&says, "No pictures: no sample is positive or was called so.");
    else if (st == C3D_OK && of.n_runs > 0)
        st = add_pictures(page, first, &of, &out);
    if (st != C3D_OK) c3d_text_add(&says, "No pictures: %s.", c3d_error_last()->message);
    if (says.length)
        report_add_warning(&page->text, says.text);
    else if (out.length)
        c3d_text_add_bytes(&page->text, out.text, out.length);
    report_gallery_free(&of);
    c3d_text_free(&out);
    c3d_text_free(&says);
}

void report_add_gallery(report_page *page)
{
    report_begin_section(page, "pictures", "Hits, misses and false alarms");
    for (int i = 0; i < page->n_runs; i++)
        if (report_run_is_first_on_store(page->runs, i)) add_dataset(page, i);
    report_end_section(page);
}

#include "publish.h"

#include <stdlib.h>
#include <string.h>

/* A table without geometry, row by row; numbers in the columns named bytes. When a file was changed
 * is nobody's business. */
static c3d_status copy_table(const char *from, const char *name, const c3d_publish_desc *desc,
                             c3d_vector_writer *writer)
{
    c3d_vector *table;
    c3d_status st;

    C3D_TRY(c3d_vector_open(from, name, &table));
    const int n_fields = c3d_vector_n_fields(table), path = c3d_vector_field(table, "path");
    const int modified = c3d_vector_field(table, "modified");
    c3d_field_desc *fields = c3d_calloc((size_t)n_fields + 1, sizeof *fields);
    c3d_field_value *values = c3d_calloc((size_t)n_fields + 1, sizeof *values);
    st = fields && values ? C3D_OK : C3D_ENOMEM;
    for (int f = 0; st == C3D_OK && f < n_fields; f++) {
        const char *field = c3d_vector_field_name(table, f);
        const bool is_number = strcmp(field, "bytes") == 0;
        fields[f] = (c3d_field_desc){ field, is_number ? C3D_FIELD_INT : C3D_FIELD_TEXT };
    }
    if (st == C3D_OK) st = c3d_vector_writer_layer(writer, name, NULL, fields, n_fields);
    for (size_t row = 0; st == C3D_OK && row < c3d_vector_n_rows(table); row++) {
        for (int f = 0; f < n_fields; f++) {
            values[f].t = c3d_vector_text(table, row, f);
            if (f == path && values[f].t) values[f].t = c3d_published_path(desc, values[f].t);
            if (f == modified) values[f].t = NULL;
            if (fields[f].type == C3D_FIELD_INT && !c3d_vector_int(table, row, f, &values[f].i))
                values[f].i = 0;
        }
        st = c3d_vector_writer_add(writer, NULL, 0, values);
    }
    free(fields);
    free(values);
    c3d_vector_close(table);
    return st;
}

c3d_status c3d_frames_publish(const char *from, const char *to, const c3d_publish_desc *desc)
{
    c3d_vector_writer *writer = NULL;
    c3d_frames frames = { 0 };
    c3d_status st;

    C3D_TRY(c3d_frames_read(from, &frames));
    C3D_TRY_TO(done, c3d_vector_writer_create(to, &writer));
    C3D_TRY_TO(done, c3d_frames_write_layer(writer, &frames));
    C3D_TRY_TO(done, copy_table(from, "sources", desc, writer));
    C3D_TRY_TO(done, copy_table(from, "settings", desc, writer));
    C3D_TRY_TO(done, c3d_frames_write_styles(writer, &frames));
    st = c3d_vector_writer_commit(writer);
    writer = NULL;
done:
    c3d_vector_writer_discard(writer);
    c3d_frames_free(&frames);
    return st;
}

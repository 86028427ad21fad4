#include "c3d/train.h"

void c3d_train_versions(c3d_text *out)
{
    c3d_text backend = { 0 }, comm = { 0 };

    c3d_backend_versions(&backend);
    c3d_comm_versions(&comm);
    if (backend.text && comm.text)
        c3d_text_add(out, "found at run time: %s, %s\n", backend.text, comm.text);
    c3d_text_free(&backend);
    c3d_text_free(&comm);
}

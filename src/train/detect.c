/* When a place became positive, from its scores month by month. */
#include "train/history.h"

/* The row of months above the threshold that begins at `at`: how many, and *end the month after it.
 */
static int run_from(const c3d_detect_input *in, int at, int *end)
{
    int n = 0;

    for (; at < in->n; at++) {
        if (in->valid_shares[at] <= 0) continue;
        if (!((double)in->scores[at] > in->threshold)) break;
        n++;
    }
    *end = at;
    return n;
}

void c3d_detect(const c3d_detect_input *in, c3d_detection *out)
{
    int first_seen = -1;

    *out = (c3d_detection){ .first = -1, .lasting = -1 };
    for (int m = 0; m < in->n; m++) {
        if (in->valid_shares[m] <= 0) continue;
        if (first_seen < 0) first_seen = m;
        out->n_seen++;
        out->n_above += (double)in->scores[m] > in->threshold;
    }
    for (int m = 0; m < in->n;) {
        int end = m + 1;
        const int n = in->valid_shares[m] > 0 ? run_from(in, m, &end) : 0;
        if (n > 0 && out->first < 0) {
            out->first = m;
            out->first_run = n;
            out->is_first_seen = m == first_seen;
        }
        if (n >= in->n_lasting && out->lasting < 0) {
            out->lasting = m;
            out->lasting_run = n;
            out->is_to_end = end == in->n;
        }
        m = end > m ? end : m + 1;
    }
}

int c3d_months_since(int year, c3d_date date)
{
    const int month = date / 100 % 100;

    return (date / 10000 - year) * 12 + (month > 0 ? month - 1 : 0);
}

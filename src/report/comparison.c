/* What c3d-evaluate --compare found. */
#include "report/report.h"

void report_add_comparison(report_page *page)
{
    (void)page;
}

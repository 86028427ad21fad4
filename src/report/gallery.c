#include "report/report.h"

void report_add_gallery(report_page *page)
{
    (void)page;
}

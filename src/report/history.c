/* What a network says of a place month by month: history-SPLIT.csv and its companions. */
#include "report/report.h"

void report_add_history(report_page *page)
{
    (void)page;
}

#include "c3d/data.h"

static bool digits(const char *text, int n, int *out)
{
    int value = 0;

    for (int i = 0; i < n; i++) {
        if (text[i] < '0' || text[i] > '9') return false;
        value = value * 10 + (text[i] - '0');
    }
    *out = value;
    return true;
}

static int days_in_month(int year, int month)
{
    static const int days[12] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    const bool is_leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

    return month == 2 && is_leap ? 29 : days[month - 1];
}

const char *c3d_date_text(c3d_date date, char out[12])
{
    const unsigned value = date > 0 ? (unsigned)date : 0;
    const unsigned year = value / 10000 % 10000;
    const unsigned month = value / 100 % 100;
    const unsigned day = value % 100;

    if (month == 0)
        snprintf(out, 12, "%04u", year);
    else if (day == 0)
        snprintf(out, 12, "%04u-%02u", year, month);
    else
        snprintf(out, 12, "%04u-%02u-%02u", year, month, day);
    return out;
}

bool c3d_date_parse(const char *text, c3d_date *out)
{
    int year, month, day = 0;

    if (!digits(text, 4, &year) || year < 1) return false;
    if (text[4] == '\0') {
        *out = year * 10000;
        return true;
    }
    if (text[4] != '-' || !digits(text + 5, 2, &month)) return false;
    if (month < 1 || month > 12) return false;
    if (text[7] == '-') {
        if (!digits(text + 8, 2, &day) || text[10] != '\0') return false;
        if (day < 1 || day > days_in_month(year, month)) return false;
    } else if (text[7] != '\0') {
        return false;
    }
    *out = year * 10000 + month * 100 + day;
    return true;
}

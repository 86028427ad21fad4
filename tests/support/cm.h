/* cmocka and the headers it needs before it, in the order it needs them. */
#ifndef C3D_TESTS_CM_H
#define C3D_TESTS_CM_H

/* clang-format off */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
/* clang-format on */

#endif

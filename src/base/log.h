/* Between log and progress: who prints, and how a log line takes the place of a progress bar. */
#ifndef C3D_BASE_LOG_H
#define C3D_BASE_LOG_H

int c3d_log_get_rank(void);
/* Who prints holds it; any thread may. */
void c3d_log_lock(void);
void c3d_log_unlock(void);
void c3d_progress_clear_line(void); /* erases the bar, if one stands on the terminal; locked */

#endif

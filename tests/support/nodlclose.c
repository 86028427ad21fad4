/* Linked into sanitizer builds only: plugins stay loaded, so that a leak report can name them. */
int dlclose(void *handle);
int dlclose(void *handle)
{
    (void)handle;
    return 0;
}

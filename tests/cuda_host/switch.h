/* Changing from one stack to another of the same thread. Private to tests/cuda_host. */
#ifndef C3D_CUDA_HOST_SWITCH_H
#define C3D_CUDA_HOST_SWITCH_H

#include <cstddef>

#ifdef __x86_64__

/* What a stack that is not running stands at; the callee's registers lie on it. A call of the
 * system's swapcontext enters the kernel for the signal mask, ten times as long. */
struct stack_place {
    void *top;
};

extern "C" void c3d_cuda_host_switch(void **save_to, void *go_to);
asm(R"(
.text
.type c3d_cuda_host_switch, @function
c3d_cuda_host_switch:
    pushq %rbp
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq %rsp, (%rdi)
    movq %rsi, %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbx
    popq %rbp
    ret
.size c3d_cuda_host_switch, . - c3d_cuda_host_switch
)");

static inline void stack_change(stack_place *from, stack_place *to)
{
    c3d_cuda_host_switch(&from->top, to->top);
}

/* stack: 16-byte aligned; the first change to the place enters live, which never returns. */
static inline void stack_prepare(stack_place *place, char *stack, size_t n_bytes, void (*live)())
{
    void **const end = (void **)(stack + n_bytes);

    end[-1] = nullptr; /* where live would return to */
    end[-2] = (void *)live;
    for (int i = 3; i <= 8; i++) end[-i] = nullptr;
    place->top = end - 8;
}

#else

#include <ucontext.h>

struct stack_place {
    ucontext_t context;
};

static inline void stack_change(stack_place *from, stack_place *to)
{
    swapcontext(&from->context, &to->context);
}

static inline void stack_prepare(stack_place *place, char *stack, size_t n_bytes, void (*live)())
{
    getcontext(&place->context);
    place->context.uc_stack.ss_sp = stack;
    place->context.uc_stack.ss_size = n_bytes;
    place->context.uc_link = nullptr;
    makecontext(&place->context, live, 0);
}

#endif

#endif

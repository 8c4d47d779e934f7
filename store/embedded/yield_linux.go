package embedded

import "syscall"

// lowerPriority makes the calling thread one that others go before. Linux keeps the priority of each thread apart.
func lowerPriority() {
	const nice = 5
	_ = syscall.Setpriority(syscall.PRIO_PROCESS, 0, nice) // without it the thread is like any other
}
